// The queue of one directory. It is only how work moves: the journal is the truth, so everything here may be lost at
// any moment and is made again from it.
import { errorFields } from '../../telemetry/logger.ts'
import { createJobStore, type JobStore } from './job-store.ts'
import type { Queue, QueueOptions } from './queue.ts'
import { createQueueWorker, type QueueWorker } from './queue-worker.ts'
import { bounded, COMMAND_LIMIT_MS } from './redis-connection.ts'
import { createJobRunner } from './run-job.ts'

const REPAIR_DELAY_MS = 100

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
  const jobs = createJobStore(name, options.connection)
  const repair = createRepair({ ...options, log }, jobs, stopping.signal)
  let worker: QueueWorker | undefined

  return {
    start: async () => {
      await jobs.connect()
      if (worker === undefined) {
        // One agent owns its queue: what is in it now belongs to a dead process, with its locks and its pause.
        await jobs.empty()
        await repair.reconcile()
        worker = createQueueWorker(name, { ...options, log, runner, repair: repair.soon })
      }
      await bounded('start to work', COMMAND_LIMIT_MS, worker.ready())
    },
    add: jobs.add,
    missing: jobs.missing,
    counts: jobs.counts,
    reconcile: async () => {
      const count = await repair.reconcile()
      if (count > 0) log.warn('the queue had lost requests, they are back', { count })
      return count
    },
    pause: repair.pause,
    resume: repair.resume,
    stop: async (deadlineMs) => {
      await worker?.stop(deadlineMs, stopping)
      stopping.abort()
      jobs.disconnect()
    },
  }
}

/** Keeps the queue as the journal and the operator want it. */
function createRepair(options: QueueOptions, jobs: JobStore, stopped: AbortSignal) {
  const { log, clock } = options
  let paused = false
  let due = false
  const reconcile = async (): Promise<number> => {
    const lost = await jobs.missing(options.openIds())
    if (paused) await jobs.pause()
    await jobs.add(lost)
    return lost.length
  }
  const run = async () => {
    await clock.sleep(REPAIR_DELAY_MS, stopped)
    due = false
    if (stopped.aborted) return
    const count = await reconcile()
    if (count > 0) log.warn('the queue had lost requests, they are back', { count })
  }
  return {
    reconcile,
    /** One outage shows as many errors; one comparison after them is enough. */
    soon: () => {
      if (due) return
      due = true
      run().catch((error) => log.warn('the queue cannot be compared with the journal', errorFields(error)))
    },
    pause: () => {
      paused = true
      return jobs.pause()
    },
    resume: () => {
      paused = false
      return jobs.resume()
    },
  }
}
