// The BullMQ worker of one queue, and the end of it, which BullMQ alone does not reach while Redis is away.
import { type Job, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { createBackoff } from '../../clock/backoff.ts'
import { errorFields } from '../../telemetry/logger.ts'
import { KEY_PREFIX } from './job-store.ts'
import type { QueueOptions } from './queue.ts'
import { createClient } from './redis-connection.ts'
import { HEARTBEAT, type JobRunner } from './run-job.ts'

/** What a worker has done since it was made. */
export interface WorkerActivity {
  /** Jobs that it was handed. */
  readonly handed: number
  readonly ended: number
  /** It has no place for another one. */
  readonly isFull: boolean
}

/** A running worker. */
export interface QueueWorker {
  readonly ready: () => Promise<void>
  readonly activity: () => WorkerActivity
  /** Lets go of Redis at once; what is being processed goes on, and its jobs are handed out again. */
  readonly abandon: () => Promise<void>
  /** Ends within `deadlineMs`; aborts `stopping` when only a last part of that is left. */
  readonly stop: (deadlineMs: number, stopping: AbortController) => Promise<void>
}

type WorkerOptions = Omit<QueueOptions, 'process'> & {
  readonly runner: JobRunner
  /** Compares the queue with the journal. */
  readonly repair: () => void
}

const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 60_000
// Of the deadline: left for those being processed to see their signal.
const ABORT_SHARE = 0.25
const DISCONNECT_MS = 50

/** Makes a worker that begins at once. */
export function createQueueWorker(name: string, options: WorkerOptions): QueueWorker {
  const { clock, runner } = options
  const clients = openClients(options)
  let handed = 0
  let ended = 0
  const run = async (job: Job) => {
    handed += 1
    try {
      await runner.run(job, worker)
    } finally {
      ended += 1
    }
  }
  const worker: Worker = new Worker(name, run, {
    connection: clients.main,
    prefix: KEY_PREFIX,
    concurrency: options.concurrency,
    // A request is handed out again soon after its worker died, and as often as it takes: BullMQ would otherwise
    // drop it after two deaths. The journal counts deaths and gives up.
    lockDuration: 15_000,
    stalledInterval: 5000,
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    runRetryDelay: 250,
    settings: {
      backoffStrategy: (tries = 1) => Math.min(FIRST_RETRY_MS * 2 ** (tries - 1), LONGEST_RETRY_MS),
    },
  })
  const unwatch = watch(worker, clients.main, options)
  return {
    ready: async () => {
      await worker.waitUntilReady()
    },
    activity: () => ({ handed, ended, isFull: handed - ended >= options.concurrency }),
    abandon: async () => {
      unwatch()
      await waitFor([worker.close(true)], DISCONNECT_MS)
      clients.disconnect()
    },
    stop: async (deadlineMs, stopping) => {
      const until = clock.monotonicMs() + Math.max(0, deadlineMs - 2 * DISCONNECT_MS)
      unwatch()
      // `close` would wait for Redis for ever, and could not be forced any more once it was asked politely.
      const finished = worker.pause()
      await waitFor([finished, runner.idle()], deadlineMs * (1 - ABORT_SHARE))
      stopping.abort()
      await waitFor([runner.idle()], until - clock.monotonicMs())
      await waitFor([finished], Math.min(until - clock.monotonicMs(), DISCONNECT_MS))
      await waitFor([worker.close(true)], DISCONNECT_MS)
      clients.disconnect()
    },
  }

  /** Waits for all of them, at most `limitMs`. */
  async function waitFor(work: readonly Promise<unknown>[], limitMs: number): Promise<void> {
    const patience = new AbortController()
    await Promise.race([Promise.allSettled(work), clock.sleep(Math.max(0, limitMs), patience.signal)])
    patience.abort()
  }
}

/** BullMQ copies the client for its blocking reads; the copy is kept here, or nobody could end it. */
function openClients(options: WorkerOptions): { readonly main: Redis; readonly disconnect: () => void } {
  const main = createClient(options.connection, 'worker')
  const all = [main]
  let hasEnded = false
  const { retryStrategy } = main.options
  // Copies share it: one that loses its server after the end does not look for it for ever.
  main.options.retryStrategy = (times) => (hasEnded ? null : (retryStrategy?.(times) ?? null))
  const duplicate = main.duplicate.bind(main)
  main.duplicate = (override) => {
    const copy = duplicate(override)
    copy.on('error', () => {})
    // A worker that is stopped right after its start makes its copy later than that.
    copy.on('ready', () => {
      if (hasEnded) copy.disconnect()
    })
    all.push(copy)
    return copy
  }
  return {
    main,
    disconnect: () => {
      hasEnded = true
      for (const client of all) if (client.status !== 'end') client.disconnect()
    },
  }
}

/** Says once that Redis is away and once that it is back, and mends the queue then. */
function watch(worker: Worker, client: Redis, options: WorkerOptions): () => void {
  const { log, repair } = options
  const calmDown = createCalm(worker, options)
  let away = false
  const onClose = () => {
    if (!away) log.warn('the connection to Redis is lost, work goes on when it is back')
    away = true
  }
  const onReady = () => {
    if (away) {
      log.info('the connection to Redis is back')
      repair()
    }
    away = false
  }
  client.on('close', onClose).on('ready', onReady)
  worker.on('error', (error) => {
    if (!away) calmDown.afterError(error)
  })
  return () => {
    client.off('close', onClose).off('ready', onReady)
    calmDown.end()
  }
}

/**
 * Redis answers, but not as it should: a job or its lock vanished under the worker, or it takes no writes. BullMQ asks
 * again at once, with all the processor has, so the worker rests for a growing while and then compares the queue.
 */
function createCalm(worker: Worker, { log, clock, repair }: WorkerOptions) {
  const backoff = createBackoff({ firstMs: 100, longestMs: 5000 })
  const ended = new AbortController()
  let troubled = false
  let resting = false
  const rest = async () => {
    await worker.pause(true)
    await clock.sleep(backoff.next(), ended.signal)
    resting = false
    if (ended.signal.aborted) return
    repair()
    await worker.resume()
  }
  worker.on('completed', (job) => {
    // A heartbeat says nothing about the work.
    if (resting || job.name === HEARTBEAT) return
    troubled = false
    backoff.reset()
  })
  return {
    afterError: (error: Error) => {
      if (ended.signal.aborted) return
      if (!troubled) log.warn('Redis refuses the work of the queue, it is tried again', errorFields(error))
      troubled = true
      if (resting) return
      resting = true
      rest().catch((cause) => log.error('the worker of the queue does not go on', errorFields(cause)))
    },
    end: () => ended.abort(),
  }
}
