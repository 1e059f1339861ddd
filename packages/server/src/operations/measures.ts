// What a server counts of itself, as Prometheus reads it. No person, no row and no scope is in a name or a label.
import { HeadwaterError } from '@headwater/protocol'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface Measures {
  /** A mutation was recorded; `repeated`: it had been before. `waited`: seconds since it was its turn, tries included. */
  mutation(outcome: 'applied' | 'refused' | 'repeated', seconds: number): void
  /** A batch was handed to the devices, so long after its last row was written by the database's clock. */
  batch(rows: number, lagSeconds: number): void
  sent(bytes: number): void
  trouble(error: unknown): void
}

/** What is asked when somebody looks. */
export interface Sampled {
  readonly devices: () => number
  readonly people: () => number
  readonly mutationsWaiting: () => number
  readonly loadsWaiting: () => number
  readonly unreadBytes: () => number
  /** Null while the database does not say. */
  readonly log: () => Promise<{ readonly rows: number; readonly bytes: number } | null>
}

export interface Metrics extends Measures {
  /** The text format of Prometheus. */
  read(sampled: Sampled): Promise<{ readonly text: string; readonly contentType: string }>
}

/** From a statement's 0.5 ms to the minute after which a device has long connected again. */
const secondsBuckets = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const rowsBuckets = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]

export function createMetrics(): Metrics {
  const registers = [new Registry()]
  const [registry = new Registry()] = registers
  collectDefaultMetrics({ register: registry })
  const counter = (name: string, help: string, labelNames: readonly string[] = []) => new Counter({ name, help, labelNames, registers })
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const histogram = (name: string, help: string, buckets: number[]) => new Histogram({ name, help, buckets, registers })

  const mutations = counter('headwater_mutations_total', 'Mutations that this server recorded, by outcome.', ['outcome'])
  const mutationSeconds = histogram('headwater_mutation_seconds', 'From a mutation’s turn to its record, tries included.', secondsBuckets)
  const batchRows = histogram('headwater_batch_rows', 'Rows of the log per batch.', rowsBuckets)
  const lag = histogram(
    'headwater_publish_lag_seconds',
    'From the last row of a batch, by the database’s clock, until it was handed to the devices.',
    secondsBuckets,
  )
  const sent = counter('headwater_sent_bytes_total', 'Bytes handed to connections.')
  const troubles = counter('headwater_troubles_total', 'Trouble that the server survived, by code.', ['code'])
  const sampledGauges = {
    devices: gauge('headwater_connected_devices', 'Devices that are connected to this server.'),
    people: gauge('headwater_connected_people', 'People with a device that is connected to this server.'),
    mutationsWaiting: gauge('headwater_mutations_waiting', 'Mutations that wait for those before them.'),
    loadsWaiting: gauge('headwater_loads_waiting', 'Greetings and loads that wait for their turn at the database.'),
    unreadBytes: gauge('headwater_unread_bytes', 'Bytes that devices have yet to read.'),
  }
  const logRows = gauge('headwater_log_rows', 'Rows of the log, as the database estimates them.')
  const logBytes = gauge('headwater_log_bytes', 'Bytes on disk of the log.')

  return {
    mutation: (outcome, seconds) => {
      mutations.inc({ outcome })
      mutationSeconds.observe(seconds)
    },
    batch: (rows, lagSeconds) => {
      batchRows.observe(rows)
      // Two clocks may be apart.
      lag.observe(Math.max(0, lagSeconds))
    },
    sent: (bytes) => sent.inc(bytes),
    trouble: (error) => troubles.inc({ code: error instanceof HeadwaterError ? error.code : 'internal' }),
    read: async (sampled) => {
      sampledGauges.devices.set(sampled.devices())
      sampledGauges.people.set(sampled.people())
      sampledGauges.mutationsWaiting.set(sampled.mutationsWaiting())
      sampledGauges.loadsWaiting.set(sampled.loadsWaiting())
      sampledGauges.unreadBytes.set(sampled.unreadBytes())
      const log = await sampled.log()
      if (log) {
        logRows.set(log.rows)
        logBytes.set(log.bytes)
      }
      return { text: await registry.metrics(), contentType: registry.contentType }
    },
  }
}
