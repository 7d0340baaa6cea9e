// Housekeeping on a clock. A job that still runs is not started again; a job that fails is logged and comes again.
import { type ScheduledTask, schedule } from 'node-cron'
import type { Clock } from '../../clock/clock.ts'
import { errorFields, type Logger } from '../../telemetry/logger.ts'

/** One job: `when` is a cron expression with seconds. */
export interface ScheduledJob {
  readonly name: string
  readonly when: string
  /** True: once at the start too. */
  readonly isDueAtStart?: boolean
  readonly run: () => Promise<void>
}

/** How a job is; times in milliseconds since 1970, null where there was none yet. */
export interface JobView {
  readonly name: string
  /** When the last run that ended had begun. */
  readonly lastRunAt: number | null
  readonly lastResult: 'done' | 'failed' | null
  readonly lastDurationMs: number | null
  /** Why the last run failed, else null. */
  readonly problem: string | null
  readonly isRunning: boolean
  readonly nextRunAt: number | null
}

/** A running part. */
export interface Schedule {
  readonly start: () => void
  readonly stop: () => Promise<void>
  /** Every job, in the order in which they were given. */
  readonly view: () => readonly JobView[]
}

/** Makes the schedule; `start` begins the clock. */
export function createSchedule(
  jobs: readonly ScheduledJob[],
  parts: { readonly log: Logger; readonly clock: Clock },
): Schedule {
  const tracked = jobs.map((job) => ({ ...job, ...trackRuns(job, parts) }))
  const tasks = new Map<string, ScheduledTask>()
  return {
    start: () => {
      for (const { isDueAtStart, runOnce } of tracked) if (isDueAtStart) void runOnce()
      for (const { name, when, runOnce } of tracked)
        tasks.set(name, schedule(when, runOnce, { name, noOverlap: true }))
    },
    stop: async () => {
      await Promise.all([...tasks.values()].map((task) => task.destroy()))
      tasks.clear()
    },
    view: () =>
      tracked.map(({ name, lastRun }) => ({
        name,
        ...lastRun(),
        nextRunAt: tasks.get(name)?.getNextRun()?.getTime() ?? null,
      })),
  }
}

type LastRun = Omit<JobView, 'name' | 'nextRunAt'>

function trackRuns(
  { name, run }: ScheduledJob,
  { log, clock }: { readonly log: Logger; readonly clock: Clock },
): { readonly runOnce: () => Promise<void>; readonly lastRun: () => LastRun } {
  let last: LastRun = {
    ...{ lastRunAt: null, lastResult: null, lastDurationMs: null, problem: null },
    isRunning: false,
  }
  const runOnce = async (): Promise<void> => {
    // The run at the start is not one that the clock knows of.
    if (last.isRunning) return
    const [lastRunAt, begun] = [clock.wallMs(), clock.monotonicMs()]
    const end = (lastResult: 'done' | 'failed', problem: string | null) => {
      const lastDurationMs = Math.round(clock.monotonicMs() - begun)
      last = { lastRunAt, lastResult, lastDurationMs, problem, isRunning: false }
    }
    last = { ...last, isRunning: true }
    try {
      await run()
      end('done', null)
    } catch (error) {
      const fields = errorFields(error)
      end('failed', String(fields['error']))
      log.warn('a scheduled job failed', { job: name, ...fields })
    }
  }
  return { runOnce, lastRun: () => last }
}
