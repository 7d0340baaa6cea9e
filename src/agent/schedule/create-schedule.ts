// Housekeeping on a clock. A job that still runs is not started again; a job that fails is logged and comes again.
import { type ScheduledTask, schedule } from 'node-cron'
import { errorFields, type Logger } from '../../telemetry/logger.ts'

/** One job: `when` is a cron expression with seconds. */
export interface ScheduledJob {
  readonly name: string
  readonly when: string
  /** True: once at the start too. */
  readonly isDueAtStart?: boolean
  readonly run: () => Promise<void>
}

/** A running part. */
export interface Schedule {
  readonly start: () => void
  readonly stop: () => Promise<void>
}

/** Makes the schedule; `start` begins the clock. */
export function createSchedule(jobs: readonly ScheduledJob[], log: Logger): Schedule {
  let tasks: ScheduledTask[] = []
  return {
    start: () => {
      for (const { name, run, isDueAtStart } of jobs) if (isDueAtStart) void runOnce(name, run, log)
      tasks = jobs.map(({ name, when, run }) =>
        schedule(when, () => runOnce(name, run, log), { name, noOverlap: true }),
      )
    },
    stop: async () => {
      await Promise.all(tasks.map((task) => task.destroy()))
    },
  }
}

async function runOnce(name: string, run: () => Promise<void>, log: Logger): Promise<void> {
  try {
    await run()
  } catch (error) {
    log.warn('a scheduled job failed', { job: name, ...errorFields(error) })
  }
}
