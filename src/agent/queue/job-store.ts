// The jobs of one directory as Redis holds them: adding, finding, counting. Nothing here waits for a Redis that is away.
import { once } from 'node:events'
import { Queue as BullQueue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { QueueCounts } from './queue.ts'
import { bounded, COMMAND_LIMIT_MS, createClient, type RedisConnection } from './redis-connection.ts'
import { HEARTBEAT, jobIdOf } from './run-job.ts'

/** What begins the name of every key. */
export const KEY_PREFIX = 'wb'

/** The jobs of one queue. Every call throws ERR_REDIS_UNREACHABLE in time, and ERR_REDIS_UNSUITABLE when refused. */
export interface JobStore {
  /** Connects. After a failure: call again. */
  readonly connect: () => Promise<void>
  /** Forgets everything, a pause too. */
  readonly empty: () => Promise<void>
  readonly add: (requestIds: readonly string[]) => Promise<void>
  readonly missing: (requestIds: readonly string[]) => Promise<readonly string[]>
  /** Adds a heartbeat, first in line. */
  readonly beat: (jobId: string) => Promise<void>
  /** True while the queue holds this job. */
  readonly holds: (jobId: string) => Promise<boolean>
  readonly counts: () => Promise<QueueCounts>
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
  /** BullMQ's own view; undefined before the first `connect`. */
  readonly bull: () => BullQueue | undefined
  readonly disconnect: () => void
}

// So many at once keep one answer of Redis short.
const BATCH = 500
const EMPTY_LIMIT_MS = 15_000
// The journal decides when a request is given up, never a count of tries.
const ENDLESS = 1_000_000_000

const JOB = {
  attempts: ENDLESS,
  backoff: { type: 'custom' },
  // A finished job leaves no record, so that the journal may ask for the same request again.
  removeOnComplete: true,
  removeOnFail: true,
  stackTraceLimit: 0,
} as const

/** Makes the store of the queue called `name`; `connect` comes first. */
export function createJobStore(name: string, connection: RedisConnection): JobStore {
  const client = createClient(connection, 'producer')
  let bull: BullQueue | undefined
  const within = <T>(
    what: string,
    work: (queue: BullQueue) => Promise<T>,
    limitMs: number = COMMAND_LIMIT_MS,
  ): Promise<T> =>
    bounded(what, limitMs, bull === undefined ? Promise.reject(new Error('not connected')) : work(bull))
  return {
    connect: async () => {
      await bounded('connect to Redis', COMMAND_LIMIT_MS, connected(client))
      bull ??= openBullQueue(name, client)
    },
    empty: () => within('empty the queue', (queue) => empty(queue, client), EMPTY_LIMIT_MS),
    add: async (requestIds) => {
      for (const ids of batches(requestIds))
        await within('add to the queue', (queue) =>
          queue.addBulk(
            ids.map((id) => ({ name: 'request', data: {}, opts: { ...JOB, jobId: jobIdOf(id) } })),
          ),
        )
    },
    missing: async (requestIds) => {
      const lost: string[] = []
      for (const ids of batches(requestIds)) {
        const known = await within('look into the queue', (queue) => exist(queue, client, ids))
        lost.push(...ids.filter((_, at) => !known[at]))
      }
      return lost
    },
    beat: async (jobId) => {
      await within('add a heartbeat', (queue) => queue.add(HEARTBEAT, {}, { ...JOB, jobId, lifo: true }))
    },
    holds: (jobId) =>
      within('look for a heartbeat', async (queue) => (await client.exists(queue.toKey(jobId))) === 1),
    counts: () => within('count the queue', count),
    pause: () => within('pause the queue', (queue) => queue.pause()),
    resume: () => within('resume the queue', (queue) => queue.resume()),
    bull: () => bull,
    disconnect: () => client.disconnect(),
  }
}

/** Connects, or waits for the attempt that an earlier call began. */
async function connected(client: Redis): Promise<void> {
  if (client.status === 'ready') return
  if (client.status === 'wait' || client.status === 'end') await client.connect()
  else await once(client, 'ready')
}

function openBullQueue(name: string, client: Redis): BullQueue {
  // What `empty` writes would be overwritten otherwise.
  const queue = new BullQueue(name, { connection: client, prefix: KEY_PREFIX, skipMetasUpdate: true })
  queue.on('error', () => {})
  return queue
}

async function empty(queue: BullQueue, client: Redis): Promise<void> {
  await queue.waitUntilReady()
  await queue.obliterate({ force: true })
  await client.del(queue.toKey('limiter'))
  // Nobody listens to BullMQ's stream of events.
  await client.hset(queue.toKey('meta'), 'opts.maxLenEvents', 1)
}

async function exist(queue: BullQueue, client: Redis, ids: readonly string[]): Promise<readonly boolean[]> {
  const pipeline = client.pipeline()
  for (const id of ids) pipeline.exists(queue.toKey(jobIdOf(id)))
  const replies = (await pipeline.exec()) ?? []
  return replies.map(([error, found]) => {
    if (error !== null) throw error
    return found === 1
  })
}

async function count(queue: BullQueue): Promise<QueueCounts> {
  const { waiting = 0, active = 0, delayed = 0 } = await queue.getJobCounts('waiting', 'active', 'delayed')
  return { waiting, active, delayed }
}

function* batches(ids: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < ids.length; at += BATCH) yield ids.slice(at, at + BATCH)
}
