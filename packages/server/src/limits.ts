/** Every limit of the server, in one place. The wire's own are in packages/protocol. */
export const limits = {
  /** The tail: how it sleeps and wakes. See feed/wake.ts. */
  busyStepsToUnlock: 8,
  idleStepsToSleep: 3,
  awakePollMs: 2,
  pollMsMin: 10,
  pollMsMax: 250,
  /** Where other people's transactions cannot notify: see headwater.wake_trigger(). */
  pollMsUnnotifiedMax: 15,
  /** Rows that one statement of the tail reads. Where there are more, they are weighed first. */
  stepRowsFirst: 1_000,
  /** What of the log is held in memory as one batch. Of more, devices are told in other ways: see feed/large.ts. */
  stepRowsMax: 20_000,
  stepBytesMax: 33_554_432,
  /** What a device is told as changes, row by row, of what it has missed. Scopes in which more has changed are loaded again. */
  toldRowsMax: 20_000,
  toldBytesMax: 8_388_608,
  /** Who is behind by more rows than this, and than a tenth of the log, loads again. */
  behindRowsMin: 50_000,
  /** A row that is more is withheld, as it would not go into one message with what is around it. */
  rowBytesMax: 15_728_640,
  withheldMax: 1_000,
  /** Rows that are read from their table in one statement, where the log has their keys. */
  settledRows: 1_000,
  /** Waiting before the log is opened again after its session was lost. */
  reopenMsMin: 100,
  reopenMsMax: 5_000,
  /** How much of the log is kept where the app does not say otherwise, and what stays whatever it says. See feed/prune.ts. */
  log: { minutes: 10_080, rows: 1_000_000, bytes: 2_147_483_648, recentBytes: 16_777_216 },
  logKept: { minutes: 60, rows: 1_000 },
  /** Rows of one transaction of pruning; after each it rests as long as that took. An embedded database has nobody beside it meanwhile. */
  prunePieceRows: { postgres: 5_000, embedded: 1_000 },
  /** Rows from before a server's own time that it takes into memory. See feed/recent.ts. */
  recentRowsBack: 2_000,
  /** What devices are told of them, about; the message is no more than half of it. */
  recentToldBytesMax: 16_777_216,
  /** Fingerprints of the log that are remembered, one for each cursor that devices go on from. */
  fingerprintsMax: 1_000,
  /** Whether there is something to prune is looked at this often. A server says as often what it needs itself, and is believed so long. */
  pruneMs: 60_000,
  holdMinutes: 10,
  /** What keeps the log from being pruned is reported when it was found so often in a row, and then again after so many more times. */
  heldLooks: 5,
  heldLooksAgain: 60,
  /** A mutation's record stays so many days after the device has its outcome, and is looked for every so many times. */
  recordDays: 30,
  recordLooks: 60,
  /** A device that was not seen for so many days is forgotten, unless it may not know what became of its mutations. */
  deviceDays: 400,
  /** A transaction that lost a race (40001, 40P01) is run again this often, then the mutation waits like any other trouble. */
  raceRetriesMax: 30,
  /** After so many of them it locks the tables that it changes first, and waits for that so long at most. */
  racesBeforeLocks: 25,
  lockMsMax: 1_000,
  raceRetryMsMax: 40,
  /** A mutator that fails in a way nobody declared is run this often, then refused as `failed`. */
  failureRetriesMax: 3,
  /** Rows that one mutation writes: each is a statement, and an embedded database has nobody beside it meanwhile. */
  mutationWritesMax: 50_000,
  /** A mutation that this server does not know waits this long, then the device connects again; after so many tries it is refused. */
  unknownWaitMs: 5_000,
  unknownTriesMax: 12,
  /** Whether somebody has changed captured tables is looked at this often. */
  driftMs: 1_000,
  /** Mutations wait this long between tries while the database cannot. */
  waitMsMin: 100,
  waitMsMax: 5_000,
  /** Pushes of one device that wait for their turn, in mutations. More is cut off. */
  mutationsWaitingMax: 2_048,
  /** One `load` message, about. */
  loadBytes: 262_144,
  loadRowsMax: 2_000,
  /** Working out grants: up to this many people or keys are looked up one by one. */
  lookupsMax: 64,
  /** A batch that concerns more people and keys than this concerns everybody. */
  affectedMax: 10_000,
  /** Working out a kind for everybody because its grants do not say whom a change concerns: longer than this is reported, so often at most. */
  everybodyMsMax: 200,
  everybodyReportMs: 60_000,
  /** People whose grants may have ended, or whose turn it is, in one step. */
  peopleDueMax: 500,
  /** Everybody connected is looked at once in this time, up to `lookupsMax` at a time, so often at most; more people take longer. */
  sweepRoundMs: 180_000,
  sweepMsMin: 1_000,
  /** The database's clock and a timer of ours may be this far apart. */
  endSlackMs: 1_000,
  /** A timer of grants that end is set for no longer than this. */
  endTimerMsMax: 3_600_000,
  /** Rows of one statement of a load: with the bound the planner reads the index in its order, and sorts no more than these where there is none. */
  loadStatementRows: 20_000,
  /** Scopes that are loaded together, and become visible together. */
  loadStreamsMax: 1_000,
  /** What is read of a load in one transaction. Then others have their turn, and the load goes on in another snapshot. */
  loadTurnBytes: 4_194_304,
  /** A load goes on no further while this much of what a device was sent is unread, and again when no more than the second is. */
  loadAheadBytes: 4_194_304,
  loadAgainBytes: 2_097_152,
  /** Turns of loads at once, greetings among them: mutations have the other connections. An embedded database has one for everything. */
  loadTurnsMax: { postgres: 6, embedded: 1 },
  /** Messages of at least this size are compressed for devices on other machines, so many at once. */
  compressedBytesMin: 32_768,
  compressionsMax: 4,
  /** A device that does not read is waited for up to this many bytes, and cut off after this long. */
  bufferedBytesMax: 8_388_608,
  /** With this much unread it is cut off at once. */
  unreadBytesMax: 67_108_864,
  slowReaderMsMax: 30_000,
  drainPollMs: 5,
  /** The confirmation of a mutation that brought its device a scope waits this long for the load of that scope. */
  togetherMsMax: 2_000,
  /** A device whose scopes nothing happens in gets a new cursor this often, so that it never falls behind the log. */
  idleCursorMs: 10_000,
  /** A scope that changes while it is summed is summed again this often, then it waits for its next turn. */
  verifyTriesMax: 5,
  /** After one by itself, a server rests so many times as long as it took. */
  verifyRestFactor: 100,
  verifyRestsMax: 360,
  /** All scopes that a greeting names as granted, or as held; of fewer than so many the bytes are not counted. */
  scopesBytesMax: 900_000,
  scopesLooked: 2_000,
  /** Checksums that one connection may ask for. */
  verifiedMax: 100_000,
  /** What an incident says, in characters; how long one is kept, and how many. */
  detailMax: 1_000,
  incidentDays: 90,
  incidentsMax: 100_000,
  silenceCheckMs: 5_000,
  /** Whether somebody still is who they were when they connected is asked after so long at the latest, and answered within so long; what cannot be answered so often in a row is over. See session/standing.ts. */
  authenticateAgainMs: 60_000,
  authenticateMsMax: 1_000,
  authenticateTriesMax: 3,
  /** So many such questions at once. */
  authenticatedAtOnce: 100,
  /** People of whom it is remembered that their sessions may have ended. */
  toldPeopleMax: 10_000,
  /** What a device has not read so long after its session has ended, it does not get. */
  farewellMs: 500,
  /** A server that stops tells its devices one after the other, within so long: they do not all come to the next at once. */
  drainMs: 3_000,
  drainDeviceMs: 5,
  /** /headwater/ready: the tail has to have read what is committed by then. */
  readyMsMax: 2_000,
  /** A server says that it is there so often, and counts as gone after so long. */
  serverBeatMs: 10_000,
  serverGoneMs: 45_000,
  /** How far a database has come is written down this often. */
  identityMs: 10_000,
  /** A database that is held is looked at this often. */
  heldMs: 1_000,
  connectionsMax: 20_000,
  /** Presence: how often one connection may speak of itself, how much is told of one scope to all who are in it, and how much to other servers. */
  presenceRate: { perSecond: 50, burst: 500, keysMax: 1 },
  presenceBytesPerMs: 8_000,
  noticeBytesPerMs: 500,
  /** A notification of PostgreSQL has less than 8,000 bytes. */
  noticeBytesMax: 7_900,
  /** What goes out at once. */
  noticesBytesMax: 262_144,
  /** A server that somebody is here on says so this often, and they are gone when nothing was heard of it for this long. */
  peerBeatMs: 10_000,
  peerGoneMs: 30_000,
  peersMax: 200,
  peerScopesMax: 100_000,
  /** What could not be told to other servers is told anew after this long. */
  noticeRetryMs: 1_000,
  /** Work after commit, where the app does not say otherwise. */
  jobs: { timeoutMs: 60_000, triesMax: 15, retryMsMin: 1_000, retryMsMax: 3_600_000, atOnceMax: 16 },
  jobBytesMax: 524_288,
  jobDelayMsMax: 3_155_760_000_000,
  jobErrorLengthMax: 2_000,
  /** A job whose try has not ended this long after its time belongs to a dead server. */
  jobLeaseSlackMs: 5_000,
  /** Jobs are looked at again this often at most and at least, whatever anybody says. */
  jobPollMsMin: 20,
  jobPollMsMax: 60_000,
  jobTroubleMs: 1_000,
  jobStopMsMax: 10_000,
  /** HTTP: one request, from its first byte to its answer. */
  requestMsMax: 15_000,
  /** HTTP: how fast one person may ask, and one address, and how many of each are remembered. */
  personRate: { perSecond: 50, burst: 200, keysMax: 50_000 },
  addressRate: { perSecond: 500, burst: 2_000, keysMax: 50_000 },
  idempotencyKeyLengthMax: 200,
  queryRowsDefault: 100,
  queryRowsMax: 1_000,
  queryTextLengthMax: 16_384,
} as const

/**
 * How much of the log is kept. Beyond any of these its oldest rows go, but never one of the last hour or of the last 1,000. A device that was
 * away for longer than the log goes back loads what it holds again, and keeps its outbox.
 */
export interface LogLimits {
  /** Age of a row, by the database's clock. At least 60; default: 10,080, a week. */
  readonly minutes: number
  /** At least 1,000; default: 1,000,000. */
  readonly rows: number
  /** Of the rows themselves, about: what their indexes take and what is not vacuumed yet comes on top. At least 1 MiB; default: 2 GiB. */
  readonly bytes: number
  /** What a server keeps in memory of its newest part, about, for devices that were away for a moment. 0: nothing. Default: 16 MiB. */
  readonly recentBytes: number
}
