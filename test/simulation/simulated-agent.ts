// One agent: a machine, a journal that outlives every process, and the process that runs now, put together from the
// product's own parts.
import type { DatabaseSync } from 'node:sqlite'
import type { AgentBase } from '../../src/agent/agent-base.ts'
import { createQueueDesk } from '../../src/agent/create-queue-desk.ts'
import { type AgentWork, createWork } from '../../src/agent/create-work.ts'
import { createLeases } from '../../src/agent/decisions/leases.ts'
import { createStoreTime } from '../../src/agent/decisions/store-time.ts'
import type { Directory } from '../../src/agent/directory/directory.ts'
import { createDocumentCache } from '../../src/agent/intake/document-cache.ts'
import { createJournalOn } from '../../src/agent/journal/create-journal.ts'
import { migrate } from '../../src/agent/journal/open-database.ts'
import type { QueueDesk } from '../../src/agent/ops/queue-desk.ts'
import { createPause } from '../../src/agent/pause.ts'
import { createPulse } from '../../src/agent/pulse.ts'
import { sendHeartbeat } from '../../src/agent/send-heartbeat.ts'
import { createStoreClient } from '../../src/agent/store-client/create-store-client.ts'
import type { Fetch } from '../../src/agent/store-client/store-transport.ts'
import { watchClock } from '../../src/agent/watch-clock.ts'
import { watchDirectories } from '../../src/agent/watch-directories.ts'
import { createLimits } from '../../src/agent/writeback/limit-writes.ts'
import { createBackoff } from '../../src/clock/backoff.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { createConditions } from '../../src/telemetry/conditions.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { openAudit } from '../fakes/open-audit.ts'
import { type Crash, createCrashingJournal } from './crashing-journal.ts'
import { createClock, createHost, type Host } from './host.ts'
import { type AgentKeys, DIRECTORY, STORE, STORE_URL, storeKeys, TENANT } from './keys-of-the-run.ts'
import { createDatabasePool } from './memory-database.ts'
import type { Owner, Scheduler } from './scheduler.ts'
import { createSimulatedQueues, type QueueHands } from './simulated-queue.ts'
import { keyOf } from './token-jose.ts'

/** One agent of a run. */
export interface SimulatedAgent {
  readonly name: string
  /** Its id at the store. */
  readonly id: string
  readonly keys: AgentKeys
  readonly host: Host
  readonly database: DatabaseSync
  /** When the run is over. */
  readonly giveBack: () => void
  /** True time at which something was made durable, by `intent <request> <n>` or `outcome <request> `. */
  readonly moments: ReadonlyMap<string, number>
  readonly process: () => AgentProcess | undefined
  readonly start: () => void
  readonly kill: () => void
  /** Ends it as a service manager does; resolves when it has ended by itself. */
  readonly askToEnd: () => Promise<void>
  /** It dies at the next such step of its journal. */
  readonly plan: (crash: PlannedCrash | undefined) => void
}

/** Where it dies, and how long until it is started again. */
export interface PlannedCrash extends Crash {
  readonly downMs: number
}

/** The process that runs now. */
export interface AgentProcess {
  readonly owner: Owner
  readonly queue: QueueHands
  readonly desk: Desk
}

/** Where an operator acts. */
export interface Desk extends Pick<QueueDesk, 'drop' | 'pause' | 'resume'> {
  readonly isPausedHere: () => boolean
  /** The requests that the agent has open. */
  readonly open: () => readonly string[]
}

/** What an agent needs of the run. */
export interface SimulatedAgentOptions {
  readonly scheduler: Scheduler
  readonly name: string
  readonly id: string
  readonly keys: AgentKeys
  readonly wallAheadMs: number
  readonly log: Logger
  readonly fetchOf: (owner: Owner) => Fetch
  readonly directoryOf: (owner: Owner, clock: Clock) => Directory
  /** Told of every entry of its queue. */
  readonly queued: (entry: string) => void
  readonly happened: (what: 'started' | 'killed' | 'exited' | 'asked_to_end') => void
}

const LIMITS = { perAccountAndHour: 1_000, perMinute: 100_000, burst: 100_000, burstWindowMs: 600_000 }
const CALL_TIMEOUT_MS = 10_000
const STOP_MS = 4_000

const lendDatabase = createDatabasePool((database) => migrate(database, 'the journal'))

/** Makes an agent; `start` runs a process of it. */
export function createSimulatedAgent(options: SimulatedAgentOptions): SimulatedAgent {
  const { scheduler, name } = options
  const host = createHost(scheduler, options.wallAheadMs)
  const { database, giveBack } = lendDatabase()
  let running: (AgentProcess & { readonly end: () => Promise<void> }) | undefined
  let planned: PlannedCrash | undefined
  const kill = () => {
    if (!running) return
    const { owner } = running
    running = undefined
    planned = undefined
    scheduler.end(owner)
    options.happened('killed')
  }
  const moments = new Map<string, number>()
  const kept = (step: string, of: string) => void moments.set(`${step} ${of}`, scheduler.now())
  const start = () =>
    host.whenAwake(() => {
      const owner = scheduler.makeOwner(name, host.monotonicMs)
      scheduler.after(owner, 0, () => {
        if (running) return
        running = startProcess({ ...options, planned: () => planned, crash, kept }, owner, host, database)
        options.happened('started')
      })
    })
  const crash = () => {
    const downMs = planned?.downMs ?? 0
    kill()
    scheduler.after(scheduler.world, downMs, () => {
      if (!running) start()
    })
  }
  return {
    ...{ name, id: options.id, keys: options.keys, host, database, giveBack, moments, kill, start },
    process: () => running,
    askToEnd: async () => {
      const ending = running
      if (!ending) return
      options.happened('asked_to_end')
      await ending.end()
      if (!ending.owner.isAlive) return
      running = undefined
      scheduler.end(ending.owner)
      options.happened('exited')
    },
    plan: (crash) => {
      planned = crash
    },
  }
}

type ProcessOptions = SimulatedAgentOptions & {
  readonly planned: () => Crash | undefined
  readonly crash: () => void
  readonly kept: (step: string, of: string) => void
}

function startProcess(options: ProcessOptions, owner: Owner, host: Host, database: DatabaseSync) {
  const { scheduler } = options
  const base = createBase(options, owner, createClock(scheduler, owner, host), database)
  const queue = createSimulatedQueues(scheduler, owner, options.queued)
  const work = createWork(base, queue.open)
  const jobs = new AbortController()
  const every = (ms: number, run: () => Promise<unknown>) => {
    const again = () => {
      if (jobs.signal.aborted) return
      run().catch(() => {})
      scheduler.timer(owner, ms, again)
    }
    scheduler.timer(owner, ms, again)
  }
  const heartbeat = async () => {
    const { answer } = await sendHeartbeat(base, base.stopping.signal)
    base.setPaused(answer)
  }
  const start = async () => {
    await work.refuseStrangers()
    const looked = watchDirectories(base)
    await work.queues.start()
    heartbeat().catch(() => {})
    every(30_000, heartbeat)
    every(5_000, async () => watchDirectories(base))
    every(5_000, () => watchClock(base, heartbeat))
    every(10_000, () => work.queues.reconcile().finally(work.refuseStrangers))
    await Promise.race([looked, base.clock.sleep(2_000)])
    work.reporter.start()
    work.intake.start()
  }
  start().catch((error: unknown) => {
    if (owner.isAlive) throw error
  })
  const end = async () => {
    jobs.abort()
    await work.intake.stop()
    await work.queues.stop(STOP_MS)
    await work.reporter.stop(STOP_MS)
    base.stopping.abort()
  }
  return { owner, queue: queue.hands, desk: deskOf(base, work), end }
}

const deskOf = (base: AgentBase, work: AgentWork): Desk => ({
  ...createQueueDesk(base, work),
  isPausedHere: () => base.pausedHere() !== undefined,
  open: () => base.journal.openIds(DIRECTORY),
})

function createBase(options: ProcessOptions, owner: Owner, clock: Clock, database: DatabaseSync): AgentBase {
  const { keys, log, planned, crash, kept } = options
  const conditions = createConditions({ clock, log })
  const storeTime = createStoreTime(clock)
  const store = storeKeys()
  const findKey = (kid: string) => (kid === store.signer.kid ? keyOf(store.publicKey) : undefined) as never
  const client = createStoreClient({
    ...{ url: STORE_URL, fetch: options.fetchOf(owner), clock, timeoutMs: CALL_TIMEOUT_MS },
    identity: { agent: options.id, store: STORE, signer: keys.keys.identity.signer },
    ...{ nowMs: storeTime.nowMs, observe: storeTime.observe },
  })
  const journal = createCrashingJournal(createJournalOn(database), owner, planned, crash, kept)
  let goneServers: ReadonlySet<string> = new Set()
  const directory = options.directoryOf(owner, clock)
  const served = {
    ...{ directory, blocklist: undefined, refusesNames: false },
    backoff: createBackoff({ firstMs: 500, longestMs: 10_000 }),
  }
  return {
    config: { directories: { [DIRECTORY]: {} }, stateDirectory: options.name } as never,
    // Read by operators only, and there are none here.
    metrics: undefined as never,
    lastOutcomes: undefined as never,
    certificates: undefined as never,
    discoveries: new Map(),
    ...{ log, clock, env: {}, conditions, journal, audit: openAudit, storeTime, findKey, client },
    keys: keys.keys,
    enrolled: {
      ...{ agent: options.id, identity: keys.identity.kid, store: STORE, tenant: TENANT },
      ...{ directories: [DIRECTORY], keys: [store.publicKey], at: 0 },
    },
    directories: new Map([[DIRECTORY, served]]),
    leases: createLeases(clock),
    limits: createLimits({ journal, storeTime, conditions, log }, new Map([[DIRECTORY, LIMITS]])),
    documents: createDocumentCache(findKey),
    pulse: createPulse(clock),
    goneServers: () => goneServers,
    setGoneServers: (servers) => {
      goneServers = new Set(servers)
    },
    ...createPause({ conditions, journal, clock }),
    stopping: new AbortController(),
    close: async () => {},
  }
}
