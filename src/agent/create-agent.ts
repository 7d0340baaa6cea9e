// The agent's life: every part from one configuration, started in order, stopped in reverse.
import { join } from 'node:path'
import type { AgentConfig } from '../config/agent-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { VERSION } from '../protocol/version.ts'
import { errorFields } from '../telemetry/logger.ts'
import { type AgentBase, type AgentOptions, createAgentBase } from './agent-base.ts'
import { openIdentity } from './agent-identity.ts'
import { createHousekeeping } from './create-housekeeping.ts'
import { createQueueDesk } from './create-queue-desk.ts'
import { type AgentWork, createWork } from './create-work.ts'
import { keepSealingKeys } from './keep-sealing-keys.ts'
import { createOpsServer } from './ops/create-ops-server.ts'
import type { AgentControls, AgentViews } from './ops/describe-agent.ts'
import { createRunningConfig, type ReloadView } from './reload.ts'
import { createAccountReports } from './report-accounts.ts'
import type { Schedule } from './schedule/create-schedule.ts'
import { viewAgent } from './view-agent.ts'
import { meetDirectories } from './watch-directories.ts'
import { createProbeWatch } from './watch-probes.ts'

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
  /** Parts that have not moved for too long, and how the agent is in one line. */
  readonly health: () => { readonly silent: readonly string[]; readonly status: () => string }
  /** Reads the configuration anew; undefined before the start is over, or without a way to read it. */
  readonly reload: () => ReloadView | undefined
  /** Longest time that a stop may take now. */
  readonly stopLimitMs: () => number
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

/** Makes an agent; nothing runs before `start`. */
export function createAgent(options: AgentOptions): Agent {
  let starting: Promise<RunningParts | undefined> = Promise.resolve(undefined)
  let parts: RunningParts | undefined
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
      parts = await starting
    },
    failed: failure.promise,
    health: () => parts?.health() ?? { silent: [], status: () => 'starting' },
    reload: () => parts?.reload(),
    stopLimitMs: () => stopLimitMs(parts?.config() ?? options.config),
    stop: async () => {
      halt.abort()
      const running = await starting.catch(() => undefined)
      await running?.stop()
    },
  }
}

const stopLimitMs = ({ shutdownTimeoutSeconds }: AgentConfig): number => shutdownTimeoutSeconds * 1000

interface RunningParts {
  readonly stop: () => Promise<void>
  readonly health: Agent['health']
  readonly reload: () => ReloadView | undefined
  readonly config: () => AgentConfig
}

/** Starts the parts. `fail`: told that they cannot go on; `halt`: a stop is asked for meanwhile. */
async function startParts(
  base: AgentBase,
  { fail, halt }: { readonly fail: (error: WritebackError) => void; readonly halt: AbortSignal },
): Promise<RunningParts> {
  const { config } = base
  const configured = keepConfig(base)
  const unlessHalted = createHalt(halt)
  await using releases = new AsyncDisposableStack()
  releases.defer(base.close)
  await base.audit.start()
  const work = createWork(base)
  const sealingKeys = keepSealingKeys(base)
  const reports = createAccountReports(base)
  const probes = createProbeWatch(base)
  const schedule = createHousekeeping(base, work, { sealingKeys, reports, probes })
  const { hasClaimed } = work.intake
  const views = viewAgent(base, {
    queues: work.queues,
    hasClaimed,
    sealingKeys,
    jobs: schedule.view,
    reports: reports.list,
    probes: probes.list,
  })
  const socket = config.ops.socket ?? join(config.stateDirectory, 'ops.sock')
  const ops = createOpsServer({ socket, port: config.ops.port, board: boardOf(base, work) }, views, {
    controls: controlsOf(base, configured),
    desk: createQueueDesk(base, work),
  })
  await ops.start()
  releases.defer(ops.stop)
  await work.refuseStrangers()
  // Connected while Redis starts; nothing is written before the queues run.
  const looked = meetDirectories(base)
  releases.defer(() => work.queues.stop(0))
  await unlessHalted(work.queues.start())
  void work.queues.stuck.then(fail)
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
  return {
    ...{ reload: configured.reload, config: configured.current },
    health: () => ({ silent: base.pulse.silent(), status: () => statusOf(base, views) }),
    stop: () => stopAll({ base, work, schedule, limitMs: stopLimitMs(configured.current()) }, rest),
  }
}

/** One line for the service manager. */
function statusOf({ conditions, journal }: AgentBase, views: AgentViews): string {
  const wrong = conditions.list().map(({ code, subject }) => (subject === '' ? code : `${code} ${subject}`))
  const { open } = journal.counts()
  const words = [views.isReady() ? 'ready' : 'not ready', `${open} open requests`, ...wrong]
  return words.join(', ')
}

interface KeptConfig {
  readonly current: () => AgentConfig
  /** undefined: this agent was not told how to read its configuration. */
  readonly reload: () => ReloadView | undefined
}

function keepConfig({ config, readConfig, setLogLevel, limits, log, onReload }: AgentBase): KeptConfig {
  if (readConfig === undefined) return { current: () => config, reload: () => undefined }
  const running = createRunningConfig({
    ...{ config, readConfig, log, setLimits: limits.change },
    setLogLevel: setLogLevel ?? (() => {}),
  })
  return {
    current: running.current,
    reload: () => {
      onReload?.begun()
      try {
        return running.reload()
      } finally {
        onReload?.ended()
      }
    },
  }
}

/** Lets a start be given up while it waits. */
function createHalt(halt: AbortSignal): <T>(work: Promise<T>) => Promise<T> {
  const { promise: halted, reject } = Promise.withResolvers<never>()
  halted.catch(() => {})
  halt.addEventListener('abort', () => reject(new Error('a stop was asked for during the start')))
  return (work) => Promise.race([work, halted])
}

const controlsOf = ({ onStopAsked }: AgentBase, { current, reload }: KeptConfig): AgentControls => ({
  stop: () => {
    onStopAsked?.()
    return { pid: process.pid, deadlineMs: stopLimitMs(current()) }
  },
  reload,
})

function boardOf({ config, clock, log }: AgentBase, { queues }: AgentWork) {
  const { board } = config.ops
  return board && { ...board, clock, log: log.child({ component: 'board' }), board: queues.board }
}

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

interface StoppedParts {
  readonly base: AgentBase
  readonly work: AgentWork
  readonly schedule: Schedule
  readonly limitMs: number
}

/** Work first, in the order in which requests travel; then what it stands on. Each has a share of the time, whatever is down. */
async function stopAll(
  { base, work, schedule, limitMs }: StoppedParts,
  rest: AsyncDisposableStack,
): Promise<void> {
  await schedule.stop()
  // It may just wait for a Redis that does not answer.
  await Promise.race([work.intake.stop(), base.clock.sleep(limitMs * INTAKE_SHARE)])
  // What is under way ends before its outcome can be reported.
  await work.queues.stop(limitMs * WORK_SHARE)
  await work.reporter.stop(Math.min(REPORT_LIMIT_MS, limitMs * REPORT_SHARE))
  base.stopping.abort()
  await rest.disposeAsync()
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
