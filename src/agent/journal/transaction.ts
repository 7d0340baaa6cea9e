// All or nothing, and one kind of error for everything the disk can do to us.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { WritebackError } from '../../errors/writeback-error.ts'

const SQLITE_BUSY = 5

/** Makes the error of a journal that cannot be used. A full disk may be mended, so the same call may succeed later. */
export function unusable(what: string, cause?: unknown): WritebackError {
  return new WritebackError('ERR_JOURNAL_UNUSABLE', what, { cause, retry: 'later' })
}

/** True when SQLite says that another process holds the file. */
export function isBusy(error: unknown): boolean {
  return ((error as { errcode?: number } | undefined)?.errcode ?? 0) % 256 === SQLITE_BUSY
}

/** Runs one step on the database; whatever it throws becomes ERR_JOURNAL_UNUSABLE, our own errors pass. */
export function guarded<T>(what: string, step: () => T): T {
  try {
    return step()
  } catch (cause) {
    if (cause instanceof WritebackError) throw cause
    throw unusable(`cannot ${what}`, cause)
  }
}

const frames = new WeakMap<DatabaseSync, { readonly begin: StatementSync; readonly commit: StatementSync }>()

function frameOf(db: DatabaseSync) {
  const frame = frames.get(db) ?? { begin: db.prepare('BEGIN IMMEDIATE'), commit: db.prepare('COMMIT') }
  frames.set(db, frame)
  return frame
}

/**
 * Runs `step` in one transaction; on any failure nothing of it stays. It survives a crash of the process at once, one of the
 * machine when the journal is `durable`. Throws ERR_JOURNAL_UNUSABLE.
 */
export function transaction<T>(db: DatabaseSync, what: string, step: () => T): T {
  return guarded(what, () => {
    const { begin, commit } = frameOf(db)
    begin.run()
    try {
      const result = step()
      commit.run()
      return result
    } catch (error) {
      // SQLite ends the transaction by itself on some failures, such as a full disk.
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  })
}

/** Runs a step that waits for the disk, and everything else with it. Only for what is rare. */
export function synced<T>(db: DatabaseSync, step: () => T): T {
  db.exec('PRAGMA synchronous = FULL')
  try {
    return step()
  } finally {
    db.exec('PRAGMA synchronous = NORMAL')
  }
}
