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

// What a failed sync has lost nobody syncs again: it is copied from memory into the main file, which is synced itself.
const damaged = new WeakSet<DatabaseSync>()

/** True from a failed sync of the write-ahead log until the journal is mended: a hole may lie before all that follows. */
export const isDamaged = (db: DatabaseSync): boolean => damaged.has(db)

/** Notes that a sync failed. */
export const noteDamage = (db: DatabaseSync): void => void damaged.add(db)

/** Writes a damaged journal anew, with all that is committed. Throws ERR_JOURNAL_UNUSABLE; it is damaged then as before. */
export function mend(db: DatabaseSync): void {
  if (!damaged.has(db)) return
  guarded('write the journal anew', () => {
    const { busy } = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() ?? {}
    if (busy !== 0) throw unusable('the journal cannot be written anew while it is read')
  })
  damaged.delete(db)
}

/**
 * Runs a step that waits for the disk, and everything else with it: what is committed when it returns is durable. Only for what
 * is rare. Throws ERR_JOURNAL_UNUSABLE when a damaged journal cannot be mended.
 */
export function synced<T>(db: DatabaseSync, step: () => T): T {
  mend(db)
  db.exec('PRAGMA synchronous = FULL')
  try {
    return step()
  } catch (error) {
    // It may have been the sync of the commit, and with it all that was committed before.
    noteDamage(db)
    throw error
  } finally {
    db.exec('PRAGMA synchronous = NORMAL')
  }
}
