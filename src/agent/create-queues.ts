// One queue per directory, on the private Redis or on one by URL. While Redis is away, requests wait in the journal.
import { join } from 'node:path'
import { createBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { AgentConfig } from '../config/agent-config.ts'
import { isRetryable, WritebackError } from '../errors/writeback-error.ts'
import type { Conditions } from '../telemetry/conditions.ts'
import { errorFields, failureLine, type Logger } from '../telemetry/logger.ts'
import type { Journal } from './journal/journal.ts'
import { checkRedis } from './queue/check-redis.ts'
import { createQueue } from './queue/create-queue.ts'
import { createPrivateRedis } from './queue/private-redis.ts'
import type { ProcessResult, Queue, QueueCounts } from './queue/queue.ts'
import type { QueueBoard } from './queue/queue-board.ts'
import type { RedisConnection } from './queue/redis-connection.ts'
import { readRedisUrl } from './queue/redis-url.ts'

/** All queues of one agent. */
export interface Queues {
  /** Starts Redis when it is private, then the queues. Throws ERR_REDIS_START or ERR_REDIS_UNSUITABLE; an unreachable Redis is waited for. */
  readonly start: () => Promise<void>
  readonly add: (directory: string, requestIds: readonly string[]) => Promise<void>
  /** Puts back what the journal holds open and a queue has lost. */
  readonly reconcile: () => Promise<void>
  /** As of a queue. Throws ERR_REDIS_UNREACHABLE while the queues are not open yet. */
  readonly look: (directory: string, requestId: string) => Promise<void>
  readonly nextLook: (directory: string, requestId: string) => number | 'now' | undefined
  readonly counts: () => Promise<Readonly<Record<string, QueueCounts | null>>>
  /** What shows the queues to people; undefined while they are not open. */
  readonly board: () => Promise<QueueBoard | undefined>
  /** Resolves when a queue is stuck and only a new process can help: ERR_QUEUE_STUCK. */
  readonly stuck: Promise<WritebackError>
  /** Once; a second call waits for the first one. */
  readonly stop: (deadlineMs: number) => Promise<void>
}

/** What the queues are made of. */
export interface QueuesOptions {
  readonly config: AgentConfig
  readonly agent: string
  readonly journal: Journal
  readonly process: (requestId: string, signal: AbortSignal) => Promise<ProcessResult>
  readonly conditions: Conditions
  readonly log: Logger
  readonly clock: Clock
}

const BACKOFF = { firstMs: 500, longestMs: 10_000 }
const FIRST_WAIT_MS = 3_000
const REDIS_STOP_MS = 3_000
// Of the time that a stop has, for the end of a private Redis that does not listen.
const REDIS_SHARE = 0.15

/** Makes the queues of every configured directory. */
export function createQueues(options: QueuesOptions): Queues {
  const { config, conditions, log, clock } = options
  const isPrivate = config.queue.redis === 'private'
  const redis = isPrivate
    ? createPrivateRedis({ directory: join(config.stateDirectory, 'redis'), log, clock })
    : undefined
  const stopping = new AbortController()
  const stuck = Promise.withResolvers<WritebackError>()
  let queues: ReadonlyMap<string, Queue> = new Map()
  let waiting: Promise<void> = Promise.resolve()
  let board: QueueBoard | undefined
  let stopped: Promise<void> | undefined

  const open = async (connection: RedisConnection): Promise<void> => {
    const opened = new Map<string, Queue>()
    for (const [directory, { connections }] of Object.entries(config.directories)) {
      const openIds = () => options.journal.openIds(directory)
      const queue = createQueue({
        agent: options.agent,
        directory,
        connection,
        concurrency: connections,
        ...{ log, clock, conditions, heartbeatMs: config.queue.heartbeatSeconds * 1000 },
        process: options.process,
        openIds,
      })
      void queue.stuck.then(stuck.resolve)
      opened.set(directory, queue)
      await queue.start().catch(async (error: unknown) => {
        await stopAll(opened, 0)
        throw error
      })
    }
    queues = opened
    conditions.clear('queue_unreachable', '')
  }
  // An unsuitable Redis ends the start; later it is waited for like one that is away.
  const openWhenReachable = async (connection: RedisConnection, hasStarted: () => boolean): Promise<void> => {
    const backoff = createBackoff(BACKOFF)
    while (!stopping.signal.aborted) {
      try {
        await checkRedis(connection)
        return await open(connection)
      } catch (error) {
        if (!isRetryable(error) && !hasStarted()) throw error
        conditions.raise('queue_unreachable', '', failureLine(error))
        const delay = backoff.next()
        log.warn('Redis is not reachable yet', { retryInMs: Math.round(delay), ...errorFields(error) })
        await clock.sleep(delay, stopping.signal)
      }
    }
  }

  const openOne = (directory: string): Queue => {
    const queue = queues.get(directory)
    if (queue) return queue
    throw new WritebackError('ERR_REDIS_UNREACHABLE', `the queue of ${directory} is not open yet`, {
      retry: 'later',
    })
  }
  const stop = async (deadlineMs: number): Promise<void> => {
    stopping.abort()
    await waiting
    await stopAll(queues, deadlineMs * (1 - REDIS_SHARE))
    await redis?.stop(deadlineMs === 0 ? REDIS_STOP_MS : Math.min(REDIS_STOP_MS, deadlineMs * REDIS_SHARE))
  }

  return {
    start: async () => {
      if (redis) {
        const connection = await redis.start()
        return stopping.signal.aborted ? undefined : open(connection)
      }
      const connection = readRedisUrl({
        url: config.queue.redis,
        passwordFile: config.queue.passwordFile,
        caFile: config.queue.caFile,
      })
      // A Redis that is away at start is waited for beside the rest; one that is unsuitable ends the start.
      let hasStarted = false
      const opening = openWhenReachable(connection, () => hasStarted)
      waiting = opening.catch(() => {})
      await Promise.race([opening, clock.sleep(FIRST_WAIT_MS, stopping.signal)])
      hasStarted = true
    },
    add: async (directory, requestIds) => openOne(directory).add(requestIds),
    look: async (directory, requestId) => openOne(directory).look(requestId),
    nextLook: (directory, requestId) => queues.get(directory)?.nextLook(requestId),
    reconcile: async () => {
      for (const queue of queues.values()) await queue.reconcile()
      if (queues.size > 0) conditions.clear('queue_unreachable', '')
    },
    counts: async () => {
      const entries = [...queues].map(
        async ([name, queue]) => [name, await queue.counts().catch(() => null)] as const,
      )
      return Object.fromEntries(await Promise.all(entries))
    },
    board: async () => {
      if (queues.size > 0) board ??= await openBoard(queues)
      return board
    },
    stuck: stuck.promise,
    stop: (deadlineMs) => {
      stopped ??= stop(deadlineMs)
      return stopped
    },
  }
}

async function openBoard(queues: ReadonlyMap<string, Queue>): Promise<QueueBoard> {
  // Loaded here: few agents have a board.
  const { createQueueBoard } = await import('./queue/queue-board.ts')
  return createQueueBoard([...queues.values()].flatMap((queue) => queue.shown() ?? []))
}

async function stopAll(queues: ReadonlyMap<string, Queue>, deadlineMs: number): Promise<void> {
  await Promise.all([...queues.values()].map((queue) => queue.stop(deadlineMs)))
}
