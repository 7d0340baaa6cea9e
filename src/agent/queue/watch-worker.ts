// Sees whether the worker of a queue takes jobs: a heartbeat job passes through queue and worker. One that does not come
// through lets the worker be made anew; when that does not help either, only a new process can.
import type { Clock } from '../../clock/clock.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import type { Conditions } from '../../telemetry/conditions.ts'
import { failureLine, type Logger } from '../../telemetry/logger.ts'
import type { WorkerActivity } from './queue-worker.ts'

/** What the watch needs. */
export interface WatchOptions {
  readonly directory: string
  readonly periodMs: number
  readonly clock: Clock
  readonly log: Logger
  readonly conditions: Pick<Conditions, 'raise' | 'clear'>
  /** Puts a heartbeat first into the queue. Throws ERR_REDIS_UNREACHABLE and ERR_REDIS_UNSUITABLE. */
  readonly send: (jobId: string) => Promise<void>
  /** True while the queue holds it. Throws as `send`. */
  readonly isQueued: (jobId: string) => Promise<boolean>
  readonly activity: () => WorkerActivity
  /** True while no job may begin. */
  readonly isPaused: () => boolean
  /** Closes the worker and makes another one; what is being processed goes on. Throws ERR_REDIS_UNREACHABLE. */
  readonly rebuild: () => Promise<void>
}

/** A running part. */
export interface WorkerWatch {
  readonly start: () => void
  /** The worker was handed this heartbeat. */
  readonly passed: (jobId: string) => void
  /** Resolves when the worker is stuck and another one was as well: ERR_QUEUE_STUCK. */
  readonly stuck: Promise<WritebackError>
  readonly stop: () => void
}

/** Looks in vain after which the worker counts as stuck: two periods. */
const MOST_MISSED = 2
// Every place is taken by a request. Each of its steps has a deadline, so that is slow; if none ever ends it is a defect.
const MOST_MISSED_FULL = 20

/** Makes the watch; `start` begins it. */
export function createWorkerWatch(options: WatchOptions): WorkerWatch {
  const { clock, log, conditions, directory, periodMs } = options
  const stopping = new AbortController()
  const failure = Promise.withResolvers<WritebackError>()
  let number = 0
  let sent: string | undefined
  let missed = 0
  let seen: WorkerActivity = options.activity()
  let isRebuilt = false
  let isAway = false

  const send = async () => {
    number += 1
    const jobId = `heartbeat-${number}`
    sent = jobId
    missed = 0
    seen = options.activity()
    await options.send(jobId)
  }
  /** One look: true when the worker has stood still for too long. */
  const look = async (): Promise<boolean> => {
    const jobId = sent
    const isLost = jobId !== undefined && !(await options.isQueued(jobId))
    // A heartbeat that passed meanwhile, or that Redis has forgotten.
    if (sent === undefined || isLost) {
      await send()
      return false
    }
    const activity = options.activity()
    const isMoving = activity.handed !== seen.handed || activity.ended !== seen.ended
    seen = activity
    missed = isMoving ? 0 : missed + 1
    return missed >= (activity.isFull ? MOST_MISSED_FULL : MOST_MISSED)
  }
  const mend = async () => {
    const detail = seen.isFull
      ? `no request has ended for ${missed * periodMs} ms, and all places are taken`
      : `no job was taken for ${missed * periodMs} ms, though Redis answers`
    conditions.raise('queue_stuck', directory, detail)
    // Another worker has the same places, and the same requests would take them.
    if (isRebuilt || seen.isFull) {
      failure.resolve(new WritebackError('ERR_QUEUE_STUCK', `the queue of ${directory}: ${detail}`))
      stopping.abort()
      return
    }
    log.error('the worker of the queue is stuck and is made anew', { detail })
    isRebuilt = true
    sent = undefined
    await options.rebuild()
    if (!stopping.signal.aborted) await send()
  }
  const away = (error: unknown) => {
    // Whatever waits cannot be taken: that says nothing about the worker.
    sent = undefined
    isAway = true
    conditions.raise('queue_unreachable', '', failureLine(error))
  }
  const round = async () => {
    if (options.isPaused()) {
      sent = undefined
      return
    }
    try {
      if (await look()) await mend()
      if (isAway) conditions.clear('queue_unreachable', '')
      isAway = false
    } catch (error) {
      if (!stopping.signal.aborted) away(error)
    }
  }
  const run = async () => {
    // Looks are counted, not time: a process or a host that slept has looked only once.
    for (;;) {
      await clock.sleep(periodMs, stopping.signal)
      if (stopping.signal.aborted) return
      await round()
    }
  }
  return {
    start: () => void run(),
    passed: (jobId) => {
      if (jobId !== sent) return
      sent = undefined
      if (isRebuilt) log.info('the new worker of the queue takes jobs')
      isRebuilt = false
      conditions.clear('queue_stuck', directory)
    },
    stuck: failure.promise,
    stop: () => stopping.abort(),
  }
}
