// One transaction, and one wait for the disk, for all calls that arrive together. Each keeps its own all-or-nothing.
import type { DatabaseSync } from 'node:sqlite'
import { WritebackError } from '../../errors/writeback-error.ts'

interface Job {
  readonly work: () => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (cause: unknown) => void
}

/** Queues work on one connection. `idle` resolves when nothing is queued or running. */
export interface GroupCommit {
  readonly run: <T>(work: () => Promise<T>) => Promise<T>
  readonly idle: () => Promise<void>
}

/**
 * Makes the queue. Work that throws is undone alone; the others of its group stand. Throws ERR_DATABASE_UNUSABLE to
 * everyone in a group that cannot be committed.
 */
export function createGroupCommit(database: DatabaseSync): GroupCommit {
  let waiting: Job[] = []
  let isScheduled = false
  const whenIdle: (() => void)[] = []

  async function drain(): Promise<void> {
    const group = waiting
    waiting = []
    await runGroup(database, group)
    // The event loop gets its turn between groups, so that calls arriving now form the next one.
    if (waiting.length > 0) return void setImmediate(() => void drain())
    isScheduled = false
    for (const resolve of whenIdle.splice(0)) resolve()
  }

  return {
    run: <T>(work: () => Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        waiting.push({ work, resolve: resolve as (value: unknown) => void, reject })
        if (isScheduled) return
        isScheduled = true
        setImmediate(() => void drain())
      }),
    idle: () => (isScheduled ? new Promise((resolve) => void whenIdle.push(resolve)) : Promise.resolve()),
  }
}

async function runGroup(database: DatabaseSync, group: readonly Job[]): Promise<void> {
  const answers: (() => void)[] = []
  try {
    database.exec('BEGIN')
    for (const job of group)
      answers.push(await (group.length === 1 ? runAlone(database, job) : runJob(database, job)))
    if (database.isTransaction) database.exec('COMMIT')
  } catch (cause) {
    if (database.isTransaction) database.exec('ROLLBACK')
    const error = new WritebackError('ERR_DATABASE_UNUSABLE', 'the database does not take a transaction', {
      retry: 'later',
      cause,
    })
    for (const job of group) job.reject(error)
    return
  }
  for (const answer of answers) answer()
}

// The transaction is its own then.
async function runAlone(database: DatabaseSync, job: Job): Promise<() => void> {
  try {
    const value = await job.work()
    return () => job.resolve(value)
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    return () => job.reject(error)
  }
}

async function runJob(database: DatabaseSync, job: Job): Promise<() => void> {
  database.exec('SAVEPOINT job')
  try {
    const value = await job.work()
    database.exec('RELEASE job')
    return () => job.resolve(value)
  } catch (error) {
    database.exec('ROLLBACK TO job')
    database.exec('RELEASE job')
    return () => job.reject(error)
  }
}
