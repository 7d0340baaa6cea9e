// One transaction, and one wait for the disk, for all calls that arrive together. Each keeps its own all-or-nothing. While the
// disk is waited for the next group runs; whatever it sees of this one, its answers come later.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { createDamage, createDurability } from '../../disk/durability.ts'
import { type LogSync, NO_LOG } from '../../disk/log-sync.ts'
import { WritebackError } from '../../errors/writeback-error.ts'

interface Job {
  readonly work: () => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (cause: unknown) => void
}

/** Queues work on one connection. `idle` resolves when nothing is queued or running, and everything is answered. */
export interface GroupCommit {
  readonly run: <T>(work: () => Promise<T>) => Promise<T>
  readonly idle: () => Promise<void>
}

/**
 * Makes the queue. Work that throws is undone alone; the others of its group stand. Throws ERR_DATABASE_UNUSABLE to
 * everyone in a group that cannot be committed.
 */
export function createGroupCommit(database: DatabaseSync, log: LogSync = NO_LOG): GroupCommit {
  const frame = prepareFrame(database)
  const changes = database.prepare('SELECT total_changes() AS number')
  const durable = createDurability({
    log,
    count: () => Number(changes.get()?.['number']),
    damage: createDamage(() => database.exec('PRAGMA wal_checkpoint(TRUNCATE)')),
  })
  let waiting: Job[] = []
  let isScheduled = false
  let answered: Promise<void> = Promise.resolve()
  const whenIdle: (() => void)[] = []

  async function drain(): Promise<void> {
    const group = waiting
    waiting = []
    const answers = await runGroup(database, frame, group)
    if (answers) answered = Promise.all([answered, answer(group, answers, durable())]).then(() => {})
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
    idle: async () => {
      if (isScheduled) await new Promise<void>((resolve) => void whenIdle.push(resolve))
      await answered
    },
  }
}

type Frame = Readonly<Record<'begin' | 'commit' | 'save' | 'release' | 'undo', StatementSync>>
type Answers = readonly (() => void)[]

const prepareFrame = (database: DatabaseSync): Frame => ({
  begin: database.prepare('BEGIN'),
  commit: database.prepare('COMMIT'),
  save: database.prepare('SAVEPOINT job'),
  release: database.prepare('RELEASE job'),
  undo: database.prepare('ROLLBACK TO job'),
})

function refuse(group: readonly Job[], cause: unknown): void {
  const message = 'the database does not take a transaction'
  const error = new WritebackError('ERR_DATABASE_UNUSABLE', message, { retry: 'later', cause })
  for (const job of group) job.reject(error)
}

/** Gives the answers of a group that is committed; undefined: it was not, and everyone was told. */
async function runGroup(
  database: DatabaseSync,
  frame: Frame,
  group: readonly Job[],
): Promise<Answers | undefined> {
  const answers: (() => void)[] = []
  try {
    frame.begin.run()
    for (const job of group)
      answers.push(await (group.length === 1 ? runAlone(database, job) : runJob(frame, job)))
    if (database.isTransaction) frame.commit.run()
    return answers
  } catch (cause) {
    if (database.isTransaction) database.exec('ROLLBACK')
    refuse(group, cause)
    return undefined
  }
}

async function answer(group: readonly Job[], answers: Answers, durable: Promise<void>): Promise<void> {
  try {
    await durable
    for (const tell of answers) tell()
  } catch (cause) {
    refuse(group, cause)
  }
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

async function runJob(frame: Frame, job: Job): Promise<() => void> {
  frame.save.run()
  try {
    const value = await job.work()
    frame.release.run()
    return () => job.resolve(value)
  } catch (error) {
    frame.undo.run()
    frame.release.run()
    return () => job.reject(error)
  }
}
