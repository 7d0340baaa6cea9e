// The queue of one directory. It is only how work moves: the journal is the truth, so everything here may be lost at
// any moment and is made again from it.
import { errorFields } from '../../telemetry/logger.ts'
import { createJobStore, type JobStore } from './job-store.ts'
import type { Queue, QueueOptions } from './queue.ts'
import { createQueueWorker, type QueueWorker } from './queue-worker.ts'
import { bounded, COMMAND_LIMIT_MS } from './redis-connection.ts'
import { createJobRunner } from './run-job.ts'
import { createWorkerWatch } from './watch-worker.ts'

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
  const jobs = createJobStore(name, options.connection)
  const repair = createRepair({ ...options, log }, jobs, stopping.signal)
  const runner = createJobRunner({ ...options, log, passed: (jobId) => watch.passed(jobId) }, stopping.signal)
  const makeWorker = () => createQueueWorker(name, { ...options, log, runner, repair: repair.soon })
  let worker: QueueWorker | undefined
  let isStopped = false
  const watch = createWorkerWatch({
    ...{ ...options, log, periodMs: options.heartbeatMs },
    isPaused: () => repair.isPaused() || runner.isResting(),
    ...{ send: jobs.beat, isQueued: jobs.holds },
    activity: () => worker?.activity() ?? { handed: 0, ended: 0, isFull: false },
    rebuild: async () => {
      await worker?.abandon()
      if (isStopped) return
      // Not waited for: whether it works the next heartbeat tells.
      worker = makeWorker()
    },
  })

  return {
    start: async () => {
      await jobs.connect()
      if (worker === undefined) {
        // One agent owns its queue: what is in it now belongs to a dead process, with its locks and its pause.
        await jobs.empty()
        await repair.reconcile()
        worker = makeWorker()
      }
      await bounded('start to work', COMMAND_LIMIT_MS, worker.ready())
      watch.start()
    },
    add: jobs.add,
    missing: jobs.missing,
    counts: jobs.counts,
    shown: () => {
      const queue = jobs.bull()
      return queue && { directory: options.directory, queue }
    },
    look: runner.look,
    nextLook: runner.nextLook,
    reconcile: async () => {
      const count = await repair.reconcile()
      if (count > 0) log.warn('the queue had lost requests, they are back', { count })
      return count
    },
    pause: repair.pause,
    resume: repair.resume,
    stuck: watch.stuck,
    stop: async (deadlineMs) => {
      isStopped = true
      watch.stop()
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
    isPaused: () => paused,
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
