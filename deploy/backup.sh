#!/usr/bin/env bash
# backup.sh UNIT FOLDER TARGET: what an embedded or native database's folder holds, as it is while the app is stopped. Stops for some seconds; starts again whatever
# happens. UNIT is '-' where somebody else has stopped it.
set -euo pipefail
unit=$1 folder=$2 target=$3
start() { [ "$unit" = - ] || systemctl start "$unit"; }
trap start EXIT
[ "$unit" = - ] || systemctl stop "$unit"
# What a server remembers of its database stays where it is: by that a restored one is known.
tar --create --gzip --file "$target.part" --exclude=identity.json --exclude=running.json --exclude=locks --directory "$folder" .
mv "$target.part" "$target"
