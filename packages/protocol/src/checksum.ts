/**
 * What a row adds to the checksum of its scope: 32 bits (FNV-1a over UTF-16 units, mixed at the end as MurmurHash3 does; both are in the
 * public domain). `text` is the table's name and the JSON of the row's encoded values, `key` is of the connection, so that the sums of two
 * people cannot be compared.
 */
export function rowSum(text: string, key: number): number {
  let hash = key ^ 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
