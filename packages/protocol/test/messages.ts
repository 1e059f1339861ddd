// Every message that can travel, for tests: one arbitrary per kind, complete by type.
import {
  type Checkpoint,
  cursor,
  type Down,
  databaseId,
  deviceId,
  failureCodes,
  historyId,
  type Json,
  limits,
  mutationId,
  type ScopeKey,
  scopeKey,
  type Up,
  unstorableText,
  userId,
} from '@headwater/protocol'
import fc from 'fast-check'

export const text = (lengthMax = 40): fc.Arbitrary<string> =>
  fc.string({ unit: 'binary', maxLength: lengthMax }).filter((one) => one.length <= lengthMax && unstorableText(one) === null)
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const scopes: fc.Arbitrary<readonly ScopeKey[]> = fc
  .array(fc.tuple(fc.constantFrom('user', 'project'), text(20)), { maxLength: 3 })
  .map((pairs) => pairs.map(([kind, key]) => scopeKey(kind, key)))

/** JSON that PostgreSQL can store; keys such as `__proto__` included. */
export const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    text(10),
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .array(fc.tuple(fc.oneof(text(6), fc.constantFrom('__proto__', 'constructor', 'toString')), tie('value')), { maxLength: 3 })
      .map((pairs) => Object.fromEntries(pairs)),
  ),
})).value
const tuple = fc.array(json, { maxLength: 4 })
const keyed = <T>(value: fc.Arbitrary<T>) =>
  fc
    .array(fc.tuple(fc.oneof(text(8), fc.constantFrom('__proto__', 'constructor')), value), { maxLength: 3 })
    .map((pairs): ReadonlyMap<string, T> => new Map(pairs))

export const ups: { readonly [Type in Up['type']]: fc.Arbitrary<Extract<Up, { type: Type }>> } = {
  hello: fc.record({
    type: fc.constant('hello'),
    version: count,
    user: text().map(userId),
    device: text().map(deviceId),
    nonce: fc.option(text()),
    cursor: fc.option(text().map(cursor)),
    confirmed: count,
    granted: scopes,
    held: scopes,
    grants: fc.option(text()),
    mark: fc.option(text()),
  }),
  push: fc.record({
    type: fc.constant('push'),
    mutations: fc.array(fc.record({ number: count, id: text().map(mutationId), name: text(), args: json, at: text() }), { maxLength: 3 }),
  }),
  hold: fc.record({ type: fc.constant('hold'), scopes }),
  release: fc.record({ type: fc.constant('release'), scopes }),
  verify: fc.record({ type: fc.constant('verify'), granted: scopes, held: scopes }),
  repair: fc.record({ type: fc.constant('repair'), granted: scopes, held: scopes }),
  presence: fc.record({
    type: fc.constant('presence'),
    says: fc.array(
      fc.record({
        scope: text(20).map((key) => scopeKey('project', key)),
        as: fc.constantFrom('here', 'watching', 'away'),
        value: json.filter((value) => JSON.stringify(value).length <= limits.presenceLengthMax),
      }),
      { maxLength: 3 },
    ),
  }),
  ping: fc.constant({ type: 'ping' }),
}

const outcome: fc.Arbitrary<Checkpoint['outcomes'][number]> = fc.record({
  number: count,
  type: fc.constantFrom('applied', 'refused'),
  code: fc.option(text()),
  reason: fc.option(text()),
})
const places = fc.array(count, { maxLength: 3 })
const part = fc.record({ columns: places, put: fc.array(tuple, { maxLength: 2 }) })
const checksum: fc.Arbitrary<NonNullable<Checkpoint['checks']>[number]> = fc.record({
  scope: text(20).map((key) => scopeKey('project', key)),
  load: fc.constantFrom('granted', 'held'),
  count,
  sum: count,
})
const heldAndGranted = fc.record({ granted: scopes, held: scopes })

export const downs: { readonly [Type in Down['type']]: fc.Arbitrary<Extract<Down, { type: Type }>> } = {
  welcome: fc.record({
    type: fc.constant('welcome'),
    version: count,
    database: text().map(databaseId),
    history: text().map(historyId),
    nonce: text(),
    resumed: fc.boolean(),
    reason: text(),
    continued: fc.option(fc.boolean()),
    offer: fc.option(fc.boolean()),
    last: count,
    columns: keyed(fc.array(text(), { maxLength: 4 })),
  }),
  load: fc.record({
    type: fc.constant('load'),
    load: count,
    table: text(),
    columns: fc.option(places),
    rows: fc.array(tuple, { maxLength: 3 }),
    mark: fc.option(text()),
    total: fc.option(count),
  }),
  checkpoint: fc.record({
    type: fc.constant('checkpoint'),
    cursor: text().map(cursor),
    replace: fc.boolean(),
    loads: fc.array(count, { maxLength: 3 }),
    left: heldAndGranted,
    joined: heldAndGranted,
    tables: keyed(
      fc.record({
        cleared: fc.boolean(),
        gone: fc.array(tuple, { maxLength: 2 }),
        put: fc.array(tuple, { maxLength: 2 }),
        parts: fc.option(fc.array(part, { maxLength: 2 })),
      }),
    ),
    grants: fc.option(fc.record({ tag: text(), replace: fc.boolean(), roles: keyed(fc.array(text(), { maxLength: 2 })) })),
    more: fc.option(fc.boolean()),
    checks: fc.option(fc.array(checksum, { maxLength: 2 })),
    outcomes: fc.array(outcome, { maxLength: 3 }),
  }),
  denied: fc.record({ type: fc.constant('denied'), scopes }),
  pong: fc.constant({ type: 'pong' }),
  failure: fc.record({ type: fc.constant('failure'), code: fc.constantFrom(...failureCodes), message: text(), hint: text() }),
}

export const anyUp: fc.Arbitrary<Up> = fc.oneof(...Object.values(ups))
export const anyDown: fc.Arbitrary<Down> = fc.oneof(...Object.values(downs))

/** One valid frame of each kind, with something in every list and map. */
export const upFrames: Readonly<Record<Up['type'], string>> = {
  hello:
    '{"type":"hello","version":1,"user":"ada","device":"d1","nonce":"n","cursor":"c","grants":"t","mark":"m","confirmed":3,"granted":["user:ada"],"held":["project:1"]}',
  push: '{"type":"push","mutations":[{"number":1,"id":"m1","name":"projects.insert","args":{"row":{"id":"1"}},"at":"2026-11-21T03:43:43.123456Z"}]}',
  hold: '{"type":"hold","scopes":["project:1"]}',
  release: '{"type":"release","scopes":["project:1"]}',
  verify: '{"type":"verify","granted":["user:ada"],"held":[]}',
  repair: '{"type":"repair","granted":[],"held":["project:1"]}',
  presence: '{"type":"presence","says":[{"scope":"project:1","as":"here","value":{"at":3}}]}',
  ping: '{"type":"ping"}',
}
export const downFrames: Readonly<Record<Down['type'], string>> = {
  welcome:
    '{"type":"welcome","version":1,"database":"d","history":"h","nonce":"n","resumed":true,"reason":"","continued":false,"offer":false,"last":4,"columns":{"projects":["id","title"]}}',
  load: '{"type":"load","load":1,"table":"projects","columns":[0,1],"rows":[["1","A title"]],"mark":"m","total":9}',
  checkpoint:
    '{"type":"checkpoint","cursor":"c","replace":false,"loads":[1],"left":{"granted":["user:a"],"held":[]},"joined":{"granted":[],"held":["project:1"]},' +
    '"tables":{"projects":{"cleared":false,"gone":[["2"]],"put":[["1","A title"]],"parts":[{"columns":[0],"put":[["3"]]}]}},"grants":{"tag":"t","replace":true,"roles":{"user:ada":["owner"]}},' +
    '"more":false,"checks":[{"scope":"user:ada","load":"granted","count":1,"sum":7}],"outcomes":[{"number":1,"type":"refused","code":"unique","reason":"There is one."}]}',
  denied: '{"type":"denied","scopes":["project:2"]}',
  pong: '{"type":"pong"}',
  failure: `{"type":"failure","code":"draining","message":"${'m'.repeat(limits.nameLengthMax)}","hint":""}`,
}
