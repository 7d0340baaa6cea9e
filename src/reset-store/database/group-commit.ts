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

/** Hears, from whoever remembers what is in the database, how to forget it: done whenever anything is undone. */
export type OnUndone = (forget: () => void) => void

/** Queues work on one connection. `idle` resolves when nothing is queued or running, and everything is answered. */
export interface GroupCommit {
  readonly run: <T>(work: () => Promise<T>) => Promise<T>
  readonly idle: () => Promise<void>
}

/**
 * Makes the queue. Work that throws is undone alone; the others of its group stand. `onUndone` is told whenever anything was
 * undone, before whatever comes next. Throws ERR_DATABASE_UNUSABLE to everyone in a group that cannot be committed.
 */
export function createGroupCommit(
  database: DatabaseSync,
  log: LogSync = NO_LOG,
  onUndone: () => void = () => {},
): GroupCommit {
  const frame = prepareFrame(database, onUndone)
  const changes = database.prepare('SELECT total_changes() AS number')
  const countChanges = () => Number(changes.get()?.['number'])
  // Of whole groups alone: what the one that runs has changed so far is not committed.
  let committed = countChanges()
  const durable = createDurability({
    log,
    count: () => committed,
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
    if (answers) {
      committed = countChanges()
      answered = Promise.all([answered, answer(group, answers, durable())]).then(() => {})
    }
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

type Frame = Readonly<Record<'begin' | 'commit' | 'save' | 'release', StatementSync>> & {
  readonly undoJob: () => void
  readonly undoAll: () => void
}
type Answers = readonly (() => void)[]

function prepareFrame(database: DatabaseSync, onUndone: () => void): Frame {
  const [save, release] = [database.prepare('SAVEPOINT job'), database.prepare('RELEASE job')]
  const undo = database.prepare('ROLLBACK TO job')
  return {
    ...{ begin: database.prepare('BEGIN'), commit: database.prepare('COMMIT'), save, release },
    undoJob: () => {
      onUndone()
      undo.run()
      release.run()
    },
    undoAll: () => {
      onUndone()
      // SQLite ends the transaction by itself on some failures, such as a full disk.
      if (database.isTransaction) database.exec('ROLLBACK')
    },
  }
}

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
    for (const [place, job] of group.entries())
      answers.push(await (place === 0 ? runFirst(frame, job, group.length > 1) : runJob(frame, job)))
    if (database.isTransaction) frame.commit.run()
    return answers
  } catch (cause) {
    frame.undoAll()
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

// Nothing else is in the transaction yet, so no savepoint is needed: it is begun anew for the others.
async function runFirst(frame: Frame, job: Job, isFollowed: boolean): Promise<() => void> {
  try {
    const value = await job.work()
    return () => job.resolve(value)
  } catch (error) {
    frame.undoAll()
    if (isFollowed) frame.begin.run()
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
    frame.undoJob()
    return () => job.reject(error)
  }
}
