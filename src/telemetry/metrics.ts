// What this process counts and times, for Prometheus. Names begin with writeback_, units are base units.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** One call to a domain controller. `failure`: what it came to instead of an answer. */
export interface DirectoryCall {
  readonly directory: string
  readonly server: string
  readonly call: 'read' | 'policy' | 'write' | 'fence'
  readonly seconds: number
  readonly failure?: string | undefined
}

/** A request that ended. `seconds`: from its issue at the store to its outcome, by the store's clock. */
export interface EndedRequest {
  readonly directory: string
  readonly operation: string
  readonly outcome: string
  /** Empty where the outcome has none. */
  readonly reason: string
  readonly seconds: number | undefined
  /** True when an answer of the directory was lost on the way. */
  readonly wasInDoubt: boolean
}

/** What is read at each scrape. Times are seconds. */
export interface Reading {
  readonly ready: boolean
  readonly paused: boolean
  readonly conditions: readonly {
    readonly code: string
    readonly subject: string
    readonly severity: string
    readonly dependsOn: readonly string[]
  }[]
  readonly openRequests: number
  readonly undeliveredOutcomes: number
  /** How long the oldest open request, and the oldest outcome that was not delivered, have waited; 0 without one. */
  readonly oldestOpenSeconds: number
  readonly oldestUndeliveredSeconds: number
  /** Jobs by directory and state; left out for a queue that does not answer. */
  readonly jobs: readonly {
    readonly directory: string
    readonly state: string
    readonly count: number
  }[]
  readonly directories: readonly {
    readonly name: string
    readonly connected: boolean
    readonly clockOffsetSeconds: number | undefined
  }[]
  readonly storeOffsetSeconds: number | undefined
  readonly certificates: readonly {
    readonly kind: string
    readonly subject: string
    /** Milliseconds since 1970. */
    readonly endsAt: number
  }[]
  readonly reports: readonly {
    readonly directory: string
    readonly locked: number
    readonly expiring: number
  }[]
  readonly probes: readonly {
    readonly directory: string
    /** Milliseconds since 1970; null: none was applied. */
    readonly lastAppliedAt: number | null
  }[]
  readonly keyAgeSeconds: readonly { readonly key: string; readonly seconds: number }[]
}

/** The metrics of one process. */
export interface Metrics {
  readonly directoryCalled: (call: DirectoryCall) => void
  readonly storeCalled: (call: {
    readonly call: string
    readonly seconds: number
    readonly failure?: string | undefined
  }) => void
  readonly requestEnded: (request: EndedRequest) => void
  readonly probeEnded: (directory: string, outcome: string) => void
  /** All of them as text, after `read` told how things are now. */
  readonly text: (read: () => Promise<Reading>) => Promise<string>
  /** The media type of that text. */
  readonly contentType: string
}

// From a quick read of a directory next door to an answer that is waited for until its deadline.
const CALL_BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
// From the quickest way of a request to one that waited for its directory for hours.
const REQUEST_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 21_600]

/** Makes the metrics. Memory, processor time and event loop of the process are among them, by their usual names. */
export function createMetrics(about: { readonly version: string; readonly agent: string }): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const gauges = createGauges(registry)
  gauges.build.set({ ...about }, 1)
  return {
    ...createRecorders(registry),
    contentType: registry.contentType,
    text: async (read) => {
      show(gauges, await read())
      return registry.metrics()
    },
  }
}

function createRecorders(
  registry: Registry,
): Pick<Metrics, 'directoryCalled' | 'storeCalled' | 'requestEnded' | 'probeEnded'> {
  const make = { registers: [registry] }
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Counter<T>({ ...make, name: `writeback_${name}`, help, labelNames: [...labelNames] })
  const histogram = <T extends string>(
    name: string,
    help: string,
    labelNames: readonly T[],
    buckets: number[],
  ) => new Histogram<T>({ ...make, name: `writeback_${name}`, help, labelNames: [...labelNames], buckets })
  const requests = counter('requests_total', 'Requests that ended, by how', [
    ...['directory', 'operation', 'outcome', 'reason'],
  ])
  const request = histogram(
    'request_seconds',
    'From the issue of a request at the store to its outcome here',
    ['directory', 'operation'],
    REQUEST_BUCKETS,
  )
  const doubts = counter(
    'doubts_settled_total',
    'Requests of which an answer of the directory was lost, by what they came to',
    ['directory', 'outcome'],
  )
  const directory = histogram(
    'directory_call_seconds',
    'Calls to a domain controller',
    ['directory', 'server', 'call'],
    CALL_BUCKETS,
  )
  const directoryFailures = counter(
    'directory_failures_total',
    'Calls to a domain controller that were refused, not sent, or whose answer was lost',
    ['directory', 'server', 'call', 'failure'],
  )
  const store = histogram('store_call_seconds', 'Calls to the reset store', ['call'], CALL_BUCKETS)
  const storeFailures = counter('store_failures_total', 'Calls to the reset store that failed, by code', [
    ...['call', 'code'],
  ])
  const probes = counter('probe_results_total', 'Resets of a probed account that ended, by how', [
    ...['directory', 'outcome'],
  ])
  return {
    probeEnded: (name, outcome) => probes.inc({ directory: name, outcome }),
    directoryCalled: ({ directory: name, server, call, seconds, failure }) => {
      directory.observe({ directory: name, server, call }, seconds)
      if (failure !== undefined) directoryFailures.inc({ directory: name, server, call, failure })
    },
    storeCalled: ({ call, seconds, failure }) => {
      store.observe({ call }, seconds)
      if (failure !== undefined) storeFailures.inc({ call, code: failure })
    },
    requestEnded: ({ directory: name, operation, outcome, reason, seconds, wasInDoubt }) => {
      requests.inc({ directory: name, operation, outcome, reason })
      if (seconds !== undefined) request.observe({ directory: name, operation }, Math.max(0, seconds))
      if (wasInDoubt) doubts.inc({ directory: name, outcome })
    },
  }
}

function createGauges(registry: Registry) {
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge<T>({ registers: [registry], name: `writeback_${name}`, help, labelNames: [...labelNames] })
  return {
    build: gauge('build_info', 'Version and id of this agent; always 1', ['version', 'agent']),
    ready: gauge('ready', '1 when the agent does its work'),
    paused: gauge('paused', '1 while writing is paused, by the reset store or on this host'),
    condition: gauge('condition', 'Conditions that hold now; each 1', [
      'code',
      'subject',
      'severity',
      'cause',
    ]),
    open: gauge('requests_open', 'Requests in the journal without an outcome'),
    oldest: gauge('oldest_request_seconds', 'Age of the oldest request without an outcome'),
    undelivered: gauge('outcomes_undelivered', 'Outcomes that the store has not confirmed'),
    oldestUndelivered: gauge(
      'oldest_undelivered_seconds',
      'Age of the oldest outcome that the store has not confirmed',
    ),
    jobs: gauge('queue_jobs', 'Jobs in the queue', ['directory', 'state']),
    directoryUp: gauge('directory_up', '1 while the writer of the directory is connected', ['directory']),
    directoryOffset: gauge('directory_clock_offset_seconds', 'Clock of the directory minus this host’s', [
      'directory',
    ]),
    storeOffset: gauge('store_clock_offset_seconds', 'Clock of the reset store minus this host’s'),
    keyAge: gauge('key_age_seconds', 'Age of the agent’s keys', ['key']),
    reported: gauge(
      'reported_accounts',
      'Accounts in the last report: locked, or with a password about to expire',
      ['directory', 'kind'],
    ),
    probed: gauge(
      'probe_last_success_timestamp_seconds',
      'When the newest probe that was applied was issued, seconds since 1970; absent before the first',
      ['directory'],
    ),
    certificate: gauge(
      'certificate_expiry_timestamp_seconds',
      'When the certificates end that the agent depends on, seconds since 1970',
      ['kind', 'subject'],
    ),
  }
}

type Gauges = ReturnType<typeof createGauges>

// What is no more, such as a condition that was cleared, must not stay.
function show(gauges: Gauges, reading: Reading): void {
  gauges.ready.set(Number(reading.ready))
  gauges.paused.set(Number(reading.paused))
  gauges.open.set(reading.openRequests)
  gauges.oldest.set(reading.oldestOpenSeconds)
  gauges.undelivered.set(reading.undeliveredOutcomes)
  gauges.oldestUndelivered.set(reading.oldestUndeliveredSeconds)
  if (reading.storeOffsetSeconds !== undefined) gauges.storeOffset.set(reading.storeOffsetSeconds)
  for (const gauge of [
    ...[gauges.condition, gauges.jobs, gauges.directoryUp, gauges.directoryOffset],
    gauges.keyAge,
  ])
    gauge.reset()
  for (const { code, subject, severity, dependsOn } of reading.conditions)
    gauges.condition.set({ code, subject, severity, cause: String(dependsOn.length === 0) }, 1)
  for (const { directory, state, count } of reading.jobs) gauges.jobs.set({ directory, state }, count)
  for (const { name, connected, clockOffsetSeconds } of reading.directories) {
    gauges.directoryUp.set({ directory: name }, Number(connected))
    if (clockOffsetSeconds !== undefined) gauges.directoryOffset.set({ directory: name }, clockOffsetSeconds)
  }
  for (const { directory, locked, expiring } of reading.reports) {
    gauges.reported.set({ directory, kind: 'locked' }, locked)
    gauges.reported.set({ directory, kind: 'expiring' }, expiring)
  }
  for (const { directory, lastAppliedAt } of reading.probes)
    if (lastAppliedAt !== null) gauges.probed.set({ directory }, lastAppliedAt / 1000)
  for (const { kind, subject, endsAt } of reading.certificates)
    gauges.certificate.set({ kind, subject }, endsAt / 1000)
  for (const { key, seconds } of reading.keyAgeSeconds) gauges.keyAge.set({ key }, seconds)
}
