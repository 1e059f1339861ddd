// Everything impure that the engine on a device needs comes through here, so that tests and the simulation run the real code.

/** Wall clock and timers. The clock may be wrong by years: nothing may depend on it but a display, and how long rows stay that nobody uses. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Runs `run` once after `afterMs`, never before the caller has returned. The answer cancels it; cancelling twice is fine. */
  timer(afterMs: number, run: () => void): () => void
}

export interface Chance {
  /** `length` random bytes, at most 65,536. */
  bytes(length: number): Uint8Array
  /** At least 0, below 1. */
  fraction(): number
}

export interface SocketEvents {
  onOpen(): void
  onMessage(frame: string): void
  /** The last event of a socket, exactly once, whoever closed it and whether or not it ever opened. */
  onClose(): void
}

/**
 * One connection. Frames arrive whole and in order, or the socket closes. After `close()` no `onMessage` follows.
 * `send` before `onOpen` or after the close is dropped: what must not be lost is in the outbox.
 */
export interface Socket {
  send(frame: string): void
  close(): void
}
export type OpenSocket = (url: string, events: SocketEvents) => Socket

/** Tells when trying to connect makes sense again. The answer unsubscribes. */
export interface Network {
  isOnline(): boolean
  onChange(run: () => void): () => void
}

/** One commit as it lies on the disk: opaque text, written by `client/store/record.ts`. */
export type DiskRecord = string

/**
 * A device's disk: an append-only sequence of records with an occasional exchange of its beginning. Where tabs share a store, each has a disk
 * of its own, and all of them are one sequence: each is told what the others appended, in order.
 *
 * - `append` is atomic: after a crash either all of its records are there, in order, or none.
 * - Appends take effect in the order of the calls, also when not awaited in between.
 * - What `append` reported done survives the death of tab, browser and process; with `strict`, a power loss too.
 * - `replace` is atomic as well.
 * - A damaged tail (a crash while writing) is cut off by `read`, never handed out. In the place of records that were damaged otherwise there is '', once or
 *   more often: each lies there with a sum.
 * - After an append failed, later ones and replacements fail as well, until `wipe` or a new open: a log with a hole would be read as whole.
 *   A replacement that failed leaves everything as it was.
 * - Errors are thrown as HeadwaterError with code `disk-full`, `disk-blocked` (not to be had), `disk`, or `disk-behind`: nothing was written and
 *   nothing is broken, but others have written what must be heard first; by `news`, and where that throws it too, by `read`.
 */
export interface Disk {
  /** Every record, in order. Called first, and again where `news` throws `disk-behind`. */
  read(): Promise<readonly DiskRecord[]>
  /** What others have appended behind what is known here. Throws `disk-behind` if what is known here was exchanged, or gone, before it was heard. */
  news(): Promise<readonly DiskRecord[]>
  /** Adds the records behind all others, and answers what others had appended before them, as `news` does. */
  append(records: readonly DiskRecord[], options: AppendOptions): Promise<readonly DiskRecord[]>
  /**
   * Takes the place of all records. Who knows these goes on behind what took their place: it must come to the same. With `isOther` it says something else,
   * and everybody but this disk is `disk-behind`. Throws that if others have appended what is not known here.
   */
  replace(records: readonly DiskRecord[], isOther?: boolean): Promise<void>
  /** Removes everything for good, here and on the medium. The disk can be used again afterwards, empty; a closed one stays closed. */
  wipe(): Promise<void>
  /** Waits for what was appended. Afterwards everything but `wipe` fails. */
  close(): Promise<void>
}

export interface AppendOptions {
  readonly strict: boolean
  /** Asked within the write whether the records may stand behind what others have appended: if not, `disk-behind`. */
  readonly mayFollow?: (missed: readonly DiskRecord[]) => boolean
}

/** Opens the disk of one store. `name` is made of the person and the app's URL: any text. */
export type OpenDisk = (name: string) => Promise<Disk>

/** Texts of at most some megabytes per store, which are written at once: what a page that goes away has not got to its disk yet. */
export interface Note {
  /** All whose name begins so: name and text. */
  read(start: string): readonly (readonly [string, string])[]
  /** '' removes it. Throws where there is no room. */
  write(name: string, text: string): void
  /** Runs whenever the page may go away from now on, with nothing awaited afterwards. The answer unsubscribes. */
  onLeave(run: () => void): () => void
}

/** What the tabs of a browser have in common besides the disk. Of what is frozen nothing runs: it finds out when it wakes. */
export interface Tabs {
  /**
   * Asks for the lock of this name, which one of all tabs has, in the order they asked, and waits for it, however long. Who dies lets go of it. `ifAvailable`: null
   * at once if another has it; `steal`: now, whoever has it. `onLost` runs once if another stole it, maybe long after. The answer lets go of it; twice is fine.
   */
  lock(name: string, how: { readonly ifAvailable?: boolean; readonly steal?: boolean }, onLost: () => void): Promise<(() => void) | null>
  /** Hears what other tabs say under this name, from each in its order. Nothing reaches who opens later, and nobody is told that nobody hears. */
  open(name: string, onMessage: (message: string) => void): Channel
}
export interface Channel {
  postMessage(message: string): void
  /** Nothing is heard afterwards. */
  close(): void
}

export interface Ports {
  /** Absent where nobody else can open the disk: a process that is alone with it, or a browser that lacks what it takes. */
  readonly tabs?: Tabs | undefined
  /** Absent where a process ends by itself. */
  readonly note?: Note | undefined
  readonly clock: Clock
  readonly chance: Chance
  readonly openSocket: OpenSocket
  readonly network: Network
  readonly openDisk: OpenDisk
}
