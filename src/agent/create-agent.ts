// The agent's life: every part from one configuration, started in order, stopped in reverse.
import { join } from 'node:path'
import { WritebackError } from '../errors/writeback-error.ts'
import { VERSION } from '../protocol/version.ts'
import { errorFields } from '../telemetry/logger.ts'
import { type AgentBase, type AgentOptions, createAgentBase } from './agent-base.ts'
import { openIdentity } from './agent-identity.ts'
import { type AgentWork, createWork } from './create-work.ts'
import { keepSealingKeys } from './keep-sealing-keys.ts'
import type { SealingKeys } from './keys/sealing-keys.ts'
import { createOpsServer } from './ops/create-ops-server.ts'
import type { AgentControls } from './ops/describe-agent.ts'
import { createPolicyPublisher } from './publish-policies.ts'
import { createSchedule, type Schedule } from './schedule/create-schedule.ts'
import { sendHeartbeat } from './send-heartbeat.ts'
import { viewAgent } from './view-agent.ts'
import { watchBacklog } from './watch-backlog.ts'
import { watchClock } from './watch-clock.ts'
import { watchDirectories } from './watch-directories.ts'
import { watchDisk } from './watch-disk.ts'
import { watchRedis } from './watch-redis.ts'

/** The running agent. */
export interface Agent {
  /**
   * Starts every part. Resolves when the parts run; what is away is waited for. Throws ERR_ENROLMENT_MISSING,
   * ERR_KEYS_*, ERR_JOURNAL_*, ERR_REDIS_START, ERR_REDIS_UNSUITABLE, ERR_LISTEN, ERR_CONFIG_*; ERR_CONFIG_HISTORY where history is required and cannot be enforced.
   */
  readonly start: () => Promise<void>
  /**
   * Resolves when the agent cannot go on and only a new process helps: ERR_QUEUE_STUCK. It goes on running until `stop`.
   */
  readonly failed: Promise<WritebackError>
  /** Finishes what is under way within the configured time, then closes everything. */
  readonly stop: () => Promise<void>
}

// A directory that is away longer than this is waited for beside the work of the others.
const FIRST_LOOK_MS = 2_000
const READY_LOOK_MS = 5
const READY_SOON_MS = 2_000
const LATE_LOOK_MS = 250
const REPORT_LIMIT_MS = 3_000
const INTAKE_SHARE = 0.1
const WORK_SHARE = 0.6
const REPORT_SHARE = 0.1
const KEEP_FINISHED_MS = 7 * 86_400_000

/** Makes an agent; nothing runs before `start`. */
export function createAgent(options: AgentOptions): Agent {
  let starting: Promise<(() => Promise<void>) | undefined> = Promise.resolve(undefined)
  const failure = Promise.withResolvers<WritebackError>()
  const halt = new AbortController()
  const begin = async () => {
    const identity = await openIdentity(options.config)
    if (halt.signal.aborted) return undefined
    return startParts(createAgentBase(options, identity), { fail: failure.resolve, halt: halt.signal })
  }
  return {
    start: async () => {
      starting = begin()
      await starting
    },
    failed: failure.promise,
    stop: async () => {
      halt.abort()
      const stopParts = await starting.catch(() => undefined)
      await stopParts?.()
    },
  }
}

/** Starts the parts, and gives how to stop them. `fail`: told that they cannot go on; `halt`: a stop is asked for meanwhile. */
async function startParts(
  base: AgentBase,
  { fail, halt }: { readonly fail: (error: WritebackError) => void; readonly halt: AbortSignal },
): Promise<() => Promise<void>> {
  const { config } = base
  const unlessHalted = createHalt(halt)
  await using releases = new AsyncDisposableStack()
  releases.defer(base.close)
  await base.audit.start()
  const work = createWork(base)
  const sealingKeys = keepSealingKeys(base)
  const views = viewAgent(base, { queues: work.queues, hasClaimed: work.intake.hasClaimed, sealingKeys })
  const socket = config.ops.socket ?? join(config.stateDirectory, 'ops.sock')
  const ops = createOpsServer({ socket, port: config.ops.port }, views, controlsOf(base))
  await ops.start()
  releases.defer(ops.stop)
  await work.refuseStrangers()
  // Connected while Redis starts; nothing is written before the queues run.
  const looked = watchDirectories(base)
  releases.defer(() => work.queues.stop(0))
  await unlessHalted(work.queues.start())
  void work.queues.stuck.then(fail)
  const schedule = createHousekeeping(base, work, sealingKeys)
  schedule.start()
  try {
    await unlessHalted(Promise.race([looked, base.clock.sleep(FIRST_LOOK_MS, base.stopping.signal)]))
    refuseWithoutHistory(base)
  } catch (error) {
    await schedule.stop()
    throw error
  }
  work.reporter.start()
  work.intake.start()
  announceReady(base, views.isReady)
  const rest = releases.move()
  return () => stopAll(base, work, schedule, rest)
}

/** Lets a start be given up while it waits. */
function createHalt(halt: AbortSignal): <T>(work: Promise<T>) => Promise<T> {
  const { promise: halted, reject } = Promise.withResolvers<never>()
  halted.catch(() => {})
  halt.addEventListener('abort', () => reject(new Error('a stop was asked for during the start')))
  return (work) => Promise.race([work, halted])
}

const controlsOf = ({ config, onStopAsked }: AgentBase): AgentControls => ({
  stop: () => {
    onStopAsked?.()
    return { pid: process.pid, deadlineMs: config.shutdownTimeoutSeconds * 1000 }
  },
})

/** A directory that comes later refuses each reset instead, and its condition says why. */
function refuseWithoutHistory({ conditions }: AgentBase): void {
  const names = conditions
    .list()
    .flatMap((one) => (one.code === 'history_not_enforceable' ? [one.subject] : []))
  if (names.length > 0)
    throw new WritebackError(
      'ERR_CONFIG_HISTORY',
      `directory ${names.join(', ')}: history is required, and the domain controller offers neither control 2239 nor 2066`,
    )
}

/** Work first, in the order in which requests travel; then what it stands on. Each has a share of the time, whatever is down. */
async function stopAll(
  base: AgentBase,
  work: AgentWork,
  schedule: Schedule,
  rest: AsyncDisposableStack,
): Promise<void> {
  const limitMs = base.config.shutdownTimeoutSeconds * 1000
  await schedule.stop()
  // It may just wait for a Redis that does not answer.
  await Promise.race([work.intake.stop(), base.clock.sleep(limitMs * INTAKE_SHARE)])
  // What is under way ends before its outcome can be reported.
  await work.queues.stop(limitMs * WORK_SHARE)
  await work.reporter.stop(Math.min(REPORT_LIMIT_MS, limitMs * REPORT_SHARE))
  base.stopping.abort()
  await rest.disposeAsync()
}

function createHousekeeping(base: AgentBase, { queues }: AgentWork, sealingKeys: SealingKeys): Schedule {
  const heartbeat = async () => {
    const { answer } = await sendHeartbeat(base, base.stopping.signal)
    base.setPaused(answer)
  }
  const purge = async () => {
    base.journal.purge(base.clock.wallMs() - KEEP_FINISHED_MS)
  }
  return createSchedule(
    [
      { name: 'heartbeat', when: '*/30 * * * * *', isDueAtStart: true, run: heartbeat },
      { name: 'directory', when: '*/5 * * * * *', run: () => watchDirectories(base) },
      { name: 'policies', when: '30 * * * * *', isDueAtStart: true, run: createPolicyPublisher(base) },
      { name: 'clock', when: '*/5 * * * * *', run: () => watchClock(base, heartbeat) },
      { name: 'backlog', when: '*/10 * * * * *', run: async () => watchBacklog(base) },
      {
        name: 'disk',
        when: '*/30 * * * * *',
        isDueAtStart: true,
        run: () => watchDisk(base.config.stateDirectory, base.conditions),
      },
      { name: 'redis', when: '20 * * * * *', run: () => watchRedis(base.config.queue, base.conditions) },
      { name: 'queue', when: '*/10 * * * * *', run: queues.reconcile },
      { name: 'journal', when: '17 * * * *', run: purge },
      { name: 'keys', when: '45 * * * * *', isDueAtStart: true, run: sealingKeys.tend },
      { name: 'audit', when: '*/5 * * * *', run: base.audit.housekeep },
    ],
    base.log,
  )
}

/** Says once, when it is so for the first time, that the agent is ready. */
function announceReady({ clock, log, enrolled, stopping }: AgentBase, isReadyNow: () => boolean): void {
  const watch = async () => {
    const begun = clock.monotonicMs()
    while (!stopping.signal.aborted && !isReadyNow()) {
      const isFresh = clock.monotonicMs() - begun < READY_SOON_MS
      await clock.sleep(isFresh ? READY_LOOK_MS : LATE_LOOK_MS, stopping.signal)
    }
    if (!stopping.signal.aborted) log.info('agent ready', { version: VERSION, agent: enrolled.agent })
  }
  watch().catch((error) => log.error('readiness cannot be watched', errorFields(error)))
}
