// Assembly of the agent: every part from one configuration, started in order, stopped in reverse.
import { join } from 'node:path'
import type { Clock } from '../clock/clock.ts'
import type { AgentConfig } from '../config/agent-config.ts'
import { VERSION } from '../protocol/version.ts'
import { type Conditions, createConditions, isReady } from '../telemetry/conditions.ts'
import { errorFields, type Logger } from '../telemetry/logger.ts'
import { type Identity, openIdentity } from './agent-identity.ts'
import { createDirectories } from './create-directories.ts'
import { createQueues } from './create-queues.ts'
import { createLeases } from './decisions/leases.ts'
import { createStoreTime } from './decisions/store-time.ts'
import { confirmReceipts } from './intake/confirm-receipts.ts'
import { createIntake } from './intake/create-intake.ts'
import { createDocumentCache } from './intake/document-cache.ts'
import { createJournal } from './journal/create-journal.ts'
import { createOpsServer } from './ops/create-ops-server.ts'
import type { AgentView } from './ops/describe-agent.ts'
import { createSchedule } from './schedule/create-schedule.ts'
import { sendHeartbeat } from './send-heartbeat.ts'
import { createStoreClient } from './store-client/create-store-client.ts'
import { createStoreTransport } from './store-client/store-transport.ts'
import { conclude } from './writeback/conclude.ts'
import { processRequest } from './writeback/process-request.ts'
import { createReporter } from './writeback/report-outcomes.ts'
import type { WritebackParts } from './writeback/writeback-parts.ts'

/** The running agent. */
export interface Agent {
  /**
   * Starts every part. Resolves when the parts run; what is away is waited for. Throws ERR_ENROLMENT_MISSING,
   * ERR_KEYS_*, ERR_JOURNAL_*, ERR_REDIS_START, ERR_REDIS_UNSUITABLE, ERR_LISTEN, ERR_CONFIG_*.
   */
  readonly start: () => Promise<void>
  /** Resolves when the agent is ready for the first time. */
  readonly ready: Promise<void>
  /** Finishes what is under way within the configured time, then closes everything. */
  readonly stop: () => Promise<void>
}

/** What an agent is made from. */
export interface AgentOptions {
  readonly config: AgentConfig
  readonly log: Logger
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
}

const CALL_TIMEOUT_MS = 10_000
const READY_LOOK_MS = 5
// So many open requests wait for each other anyway.
const BUSY_FROM = 16
const KEEP_FINISHED_MS = 7 * 86_400_000

/** Makes an agent; nothing runs before `start`. */
export function createAgent(options: AgentOptions): Agent {
  const conditions = createConditions(options)
  const ready = Promise.withResolvers<void>()
  let stopParts: (() => Promise<void>) | undefined
  return {
    ready: ready.promise,
    start: async () => {
      const identity = await openIdentity(options.config)
      stopParts = await startParts(options, identity, conditions, ready.resolve)
    },
    stop: async () => stopParts?.(),
  }
}

async function startParts(
  options: AgentOptions,
  identity: Identity,
  conditions: Conditions,
  onReady: () => void,
): Promise<() => Promise<void>> {
  const { config, clock, log } = options
  await using releases = new AsyncDisposableStack()
  const parts = assemble(options, identity, conditions)
  releases.defer(() => parts.journal.close())
  releases.defer(() => parts.transport.close())
  for (const { directory } of parts.directories.values()) releases.defer(() => directory.stop())
  await parts.ops.start()
  releases.defer(() => parts.ops.stop())
  await parts.refuseStrangers()
  // Connected while Redis starts; nothing is written before the queues run.
  parts.connectDirectories()
  await parts.queues.start()
  releases.defer(() => parts.queues.stop(config.shutdownTimeoutSeconds * 1000))
  parts.reporter.start()
  parts.intake.start()
  parts.schedule.start()
  const watching = new AbortController()
  watchReady(parts.isReady, clock, watching.signal, () => {
    log.info('agent ready', { version: VERSION, agent: identity.enrolment.enrolled.agent })
    onReady()
  }).catch((error) => log.error('readiness cannot be watched', errorFields(error)))
  const rest = releases.move()
  return async () => {
    watching.abort()
    await parts.schedule.stop()
    await parts.intake.stop()
    // What is under way ends before its outcome can be reported.
    await parts.queues.stop(config.shutdownTimeoutSeconds * 1000)
    await parts.reporter.stop(REPORT_LIMIT_MS)
    await rest.disposeAsync()
  }
}

const REPORT_LIMIT_MS = 3_000

function assemble(options: AgentOptions, identity: Identity, conditions: Conditions) {
  const { config, clock, log } = options
  const { enrolled } = identity.enrolment
  const { signer } = identity.keys.identity
  const startedAt = clock.wallMs()
  let paused = false
  let hasClaimed = false

  const journal = createJournal(config.stateDirectory)
  const storeTime = createStoreTime(clock)
  const leases = createLeases(clock)
  const findKey = (kid: string) => identity.storeKeys.get(kid)
  const documents = createDocumentCache(findKey)
  const transport = createStoreTransport({ caFile: config.store.caFile, env: options.env })
  const client = createStoreClient({
    url: config.store.url,
    fetch: transport.fetch,
    identity: { agent: enrolled.agent, store: enrolled.store, signer },
    clock,
    nowMs: storeTime.nowMs,
    timeoutMs: CALL_TIMEOUT_MS,
  })
  const directories = createDirectories(config, { log, clock })
  const reporter = createReporter({
    journal,
    client,
    clock,
    conditions,
    isBusy: () => journal.openLeases().length >= BUSY_FROM,
    log: log.child({ component: 'reporter' }),
  })
  const stopping = new AbortController()
  const writeback: WritebackParts = {
    agent: enrolled.agent,
    store: enrolled.store,
    signer,
    journal,
    keys: identity.keys,
    directories,
    storeTime,
    leases,
    conditions,
    clock,
    log,
    isPaused: () => paused,
    readDocument: documents.read,
    confirmReceipt: async ({ requestId, lease }, server) =>
      (
        await confirmReceipts(
          { client, journal, leases },
          [{ request: requestId, lease, server }],
          stopping.signal,
        )
      ).has(requestId),
    wakeReporter: reporter.wake,
  }
  const queues = createQueues({
    config,
    agent: enrolled.agent,
    journal,
    conditions,
    log,
    clock,
    process: (requestId, signal) => processRequest(writeback, requestId, signal),
  })
  const setPaused = (value: boolean) => {
    paused = value
    if (value) conditions.raise('paused', '', 'the reset store has paused writing')
    else conditions.clear('paused', '')
  }
  const refuseInvalid = async (
    request: { readonly requestId: string; readonly lease: number },
    fault: string,
  ) => {
    log.warn('a request is invalid', { requestId: request.requestId, fault })
    await conclude(
      writeback,
      { ...request, directory: null },
      { outcome: 'failed', reason: 'request_invalid' },
      { detail: fault },
    )
  }
  const intake = createIntake({
    journal,
    client,
    leases,
    storeTime,
    addressee: {
      store: enrolled.store,
      tenant: enrolled.tenant,
      directories: new Set(Object.keys(config.directories)),
      sealingKeyIds: new Set(identity.keys.sealingKeys.map(({ publicKey }) => publicKey.kid)),
    },
    findKey,
    documents,
    conditions,
    clock,
    log: log.child({ component: 'intake' }),
    setPaused,
    serverOf: (directory) => {
      const status = directories.get(directory)?.directory.status()
      return status?.connected ? status.server : undefined
    },
    enqueue: queues.add,
    refuseInvalid,
    wakeReporter: reporter.wake,
  })
  intake.firstClaim.then(
    () => {
      hasClaimed = true
    },
    () => {},
  )

  const isAgentReady = () =>
    hasClaimed &&
    isReady(conditions.list()) &&
    [...directories.values()].every(({ directory }) => directory.status().connected)
  const heartbeat = async () => {
    const { answer } = await sendHeartbeat(
      { client, storeTime, conditions, directories, journal, clock, keys: identity.keys },
      stopping.signal,
    )
    setPaused(answer.paused)
  }
  const connectDirectories = () => {
    for (const [name, { directory }] of directories) {
      directory.writer().then(
        () => conditions.clear('directory_unreachable', name),
        (error) => conditions.raise('directory_unreachable', name, String(errorFields(error)['error'])),
      )
    }
  }
  const schedule = createSchedule(
    [
      { name: 'heartbeat', when: '*/30 * * * * *', run: heartbeat },
      { name: 'directory', when: '*/5 * * * * *', run: async () => connectDirectories() },
      { name: 'queue', when: '*/10 * * * * *', run: queues.reconcile },
      {
        name: 'journal',
        when: '17 * * * *',
        run: async () => void journal.purge(clock.wallMs() - KEEP_FINISHED_MS),
      },
    ],
    log,
  )
  const view = async (): Promise<AgentView> => ({
    version: VERSION,
    agent: enrolled.agent,
    ready: isAgentReady(),
    paused,
    startedAt,
    storeOffsetMs: storeTime.offsetMs() ?? null,
    requests: journal.counts(),
    queues: await queues.counts(),
    directories: [...directories.values()].map(({ directory }) => {
      const { connected, server = null, url = null, clockOffsetMs = null } = directory.status()
      return { name: directory.name, connected, server, url, clockOffsetMs }
    }),
    conditions: conditions.list(),
  })
  const ops = createOpsServer(config.ops.socket ?? join(config.stateDirectory, 'ops.sock'), {
    isReady: isAgentReady,
    conditions: conditions.list,
    view,
  })
  // Left by a process that ended between accepting and refusing, or from a directory that is no longer configured.
  const refuseStrangers = async () => {
    for (const { requestId, lease, directory } of journal.open())
      if (!directories.has(directory))
        await refuseInvalid(
          { requestId, lease },
          'the request is for a directory that this agent does not serve',
        )
  }
  return {
    journal,
    transport,
    directories,
    ops,
    queues,
    reporter,
    intake,
    schedule,
    isReady: isAgentReady,
    refuseStrangers,
    connectDirectories,
    heartbeat,
  }
}

async function watchReady(
  isReadyNow: () => boolean,
  clock: Clock,
  signal: AbortSignal,
  onReady: () => void,
): Promise<void> {
  while (!signal.aborted) {
    if (isReadyNow()) return onReady()
    await clock.sleep(READY_LOOK_MS, signal)
  }
}
