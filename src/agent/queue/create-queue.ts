// The queue of one directory on BullMQ. It is only how work moves: the journal is the truth, so everything here may
// be lost at any moment and is made again from it.
import { Queue as BullQueue } from 'bullmq'
import type { Redis } from 'ioredis'
import { errorFields } from '../../telemetry/logger.ts'
import type { Queue, QueueCounts, QueueOptions } from './queue.ts'
import { createQueueWorker, type QueueWorker } from './queue-worker.ts'
import { bounded, COMMAND_LIMIT_MS, createClient } from './redis-connection.ts'
import { createJobRunner, jobIdOf } from './run-job.ts'

const PREFIX = 'wb'
// So many at once keep one answer of Redis short.
const BATCH = 500
const START_LIMIT_MS = 15_000
const REPAIR_DELAY_MS = 100
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

/** The name in Redis. The directory holds no dash then, so two agents never meet in one name. */
export function queueName(agent: string, directory: string): string {
  return `wb-${encodeURIComponent(agent)}-${encodeURIComponent(directory).replaceAll('-', '%2D')}`
}

/** Makes the queue of one directory; `start` runs it. */
export function createQueue(options: QueueOptions): Queue {
  const log = options.log.child({ component: 'queue', directory: options.directory })
  const name = queueName(options.agent, options.directory)
  const stopping = new AbortController()
  const runner = createJobRunner({ ...options, log }, stopping.signal)
  const producer = createClient(options.connection, 'producer')
  let bull: BullQueue | undefined
  let worker: QueueWorker | undefined
  let paused = false
  let repairing = false

  const within = <T>(what: string, work: (queue: BullQueue) => Promise<T>): Promise<T> =>
    bounded(
      what,
      COMMAND_LIMIT_MS,
      bull === undefined ? Promise.reject(new Error('not started')) : work(bull),
    )

  const add = async (requestIds: readonly string[]) => {
    for (const ids of batches(requestIds))
      await within('add to the queue', (queue) =>
        queue.addBulk(ids.map((id) => ({ name: 'request', data: {}, opts: { ...JOB, jobId: jobIdOf(id) } }))),
      )
  }
  const missing = async (requestIds: readonly string[]) => {
    const lost: string[] = []
    for (const ids of batches(requestIds)) {
      const known = await bounded('look into the queue', COMMAND_LIMIT_MS, exist(producer, name, ids))
      lost.push(...ids.filter((_, at) => !known[at]))
    }
    return lost
  }
  const reconcile = async () => {
    const lost = await missing(options.openIds())
    if (lost.length > 0) log.warn('the queue had lost requests, they are back', { count: lost.length })
    if (paused) await within('pause the queue', (queue) => queue.pause())
    await add(lost)
    return lost.length
  }
  // One outage shows as many errors; one comparison after them is enough.
  const repair = () => {
    if (repairing) return
    repairing = true
    options.clock
      .sleep(REPAIR_DELAY_MS, stopping.signal)
      .then(() => (stopping.signal.aborted ? 0 : reconcile()))
      .catch((error) => log.warn('the queue cannot be compared with the journal', errorFields(error)))
      .finally(() => {
        repairing = false
      })
  }

  return {
    start: async () => {
      await bounded('connect to Redis', COMMAND_LIMIT_MS, producer.connect())
      bull = openBullQueue(name, producer)
      await bounded('empty the queue', START_LIMIT_MS, empty(bull, producer))
      await add(options.openIds())
      worker = createQueueWorker(name, PREFIX, { ...options, log, runner, repair })
      await bounded('start to work', COMMAND_LIMIT_MS, worker.ready())
    },
    add,
    missing,
    reconcile,
    counts: () => within('count the queue', count),
    pause: () => {
      paused = true
      return within('pause the queue', (queue) => queue.pause())
    },
    resume: () => {
      paused = false
      return within('resume the queue', (queue) => queue.resume())
    },
    stop: async (deadlineMs) => {
      await worker?.stop(deadlineMs, stopping)
      stopping.abort()
      producer.disconnect()
    },
  }
}

function openBullQueue(name: string, producer: Redis): BullQueue {
  const queue = new BullQueue(name, {
    connection: producer,
    prefix: PREFIX,
    // Written below, after the queue was emptied.
    skipMetasUpdate: true,
  })
  queue.on('error', () => {})
  return queue
}

/** One agent owns its queue, so whatever is in it at start belongs to a dead process: locks, jobs, a pause. */
async function empty(queue: BullQueue, producer: Redis): Promise<void> {
  await queue.waitUntilReady()
  await queue.obliterate({ force: true })
  await producer.del(queue.toKey('limiter'))
  // Nobody listens to BullMQ's stream of events.
  await producer.hset(queue.toKey('meta'), 'opts.maxLenEvents', 1)
}

async function exist(producer: Redis, name: string, ids: readonly string[]): Promise<readonly boolean[]> {
  const pipeline = producer.pipeline()
  for (const id of ids) pipeline.exists(`${PREFIX}:${name}:${jobIdOf(id)}`)
  const replies = (await pipeline.exec()) ?? []
  return replies.map(([error, count]) => {
    if (error !== null) throw error
    return count === 1
  })
}

async function count(queue: BullQueue): Promise<QueueCounts> {
  const { waiting = 0, active = 0, delayed = 0 } = await queue.getJobCounts('waiting', 'active', 'delayed')
  return { waiting, active, delayed }
}

function* batches(ids: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < ids.length; at += BATCH) yield ids.slice(at, at + BATCH)
}
