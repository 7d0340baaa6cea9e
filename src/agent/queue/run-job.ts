// One job: BullMQ hands it over, the request is processed, and the result becomes what BullMQ understands.
import { DelayedError, type Job, RateLimitError, type Worker } from 'bullmq'
import { errorFields } from '../../telemetry/logger.ts'
import type { ProcessResult, QueueOptions } from './queue.ts'

const PREFIX = 'request-'
/** The name of a job that carries no request: it shows that jobs are taken. */
export const HEARTBEAT = 'heartbeat'

/** The job's id. BullMQ takes no colon and no plain number. */
export function jobIdOf(requestId: string): string {
  return PREFIX + requestId
}

/** Runs jobs, never the same request twice at once. */
export interface JobRunner {
  readonly run: (job: Job, worker: Worker) => Promise<void>
  /** Processes a request now, without a job; when it is under way, waits for that. */
  readonly look: (requestId: string) => Promise<void>
  /** When it is looked at again, wall time in milliseconds; `now` while it is processed; undefined: not known. */
  readonly nextLook: (requestId: string) => number | 'now' | undefined
  /** True while no job is handed out, because the directory is away. */
  readonly isResting: () => boolean
  /** Resolves when nothing is being processed. */
  readonly idle: () => Promise<void>
}

/** Makes the runner of one queue; `signal` aborts when the queue stops. */
export function createJobRunner(
  options: Pick<QueueOptions, 'process' | 'log' | 'clock'> & {
    readonly passed: (heartbeatId: string) => void
  },
  signal: AbortSignal,
): JobRunner {
  const running = new Map<string, Promise<ProcessResult>>()
  const resting = new Map<string, number>()
  let restsUntilMs = Number.NEGATIVE_INFINITY

  // After an outage BullMQ may hand out a job that is still being processed here: both wait for the one run.
  const once = (requestId: string): Promise<ProcessResult> => {
    const known = running.get(requestId)
    if (known !== undefined) return known
    resting.delete(requestId)
    const work = options
      .process(requestId, signal)
      .then((result) => {
        if (result === 'done') return result
        const restMs = 'laterMs' in result ? result.laterMs : result.retryAfterMs
        resting.set(requestId, options.clock.wallMs() + restMs)
        return result
      })
      .finally(() => running.delete(requestId))
    running.set(requestId, work)
    return work
  }

  return {
    run: async (job, worker) => {
      if (job.name === HEARTBEAT) return options.passed(String(job.id))
      const requestId = String(job.id).slice(PREFIX.length)
      const result = await once(requestId).catch((error: unknown) => {
        const fields = errorFields(error)
        options.log.error('processing a request failed, it is tried again', { requestId, ...fields })
        // BullMQ writes the text of an error into Redis: a code says enough there.
        throw new Error(typeof fields['code'] === 'string' ? fields['code'] : 'ERR_INTERNAL')
      })
      if (result === 'done') return
      if ('retryAfterMs' in result) {
        restsUntilMs = options.clock.monotonicMs() + result.retryAfterMs
        await worker.rateLimit(result.retryAfterMs)
        throw new RateLimitError()
      }
      await job.moveToDelayed(options.clock.wallMs() + result.laterMs, job.token)
      throw new DelayedError()
    },
    look: async (requestId) => {
      await once(requestId).catch((error: unknown) =>
        options.log.error('processing a request failed', { requestId, ...errorFields(error) }),
      )
    },
    nextLook: (requestId) => (running.has(requestId) ? 'now' : resting.get(requestId)),
    isResting: () => options.clock.monotonicMs() < restsUntilMs,
    idle: async () => {
      await Promise.allSettled([...running.values()])
    },
  }
}
