// Opens the journal's file for this process alone, with the durability the rest of the agent builds on.
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { WritebackError } from '../../errors/writeback-error.ts'
import { MIGRATIONS } from './migrations.ts'
import { guarded, isBusy, transaction, unusable } from './transaction.ts'

/**
 * Opens `journal.sqlite` in `directory`, making both when missing (0600 in 0700), and brings its tables up to date.
 * Throws ERR_JOURNAL_IN_USE when another process has it open, else ERR_JOURNAL_UNUSABLE.
 */
export function openDatabase(directory: string): DatabaseSync {
  const path = join(directory, 'journal.sqlite')
  const db = openPrivateFile(directory, path)
  try {
    lock(db, directory)
    guarded('set up the journal', () => configure(db))
    migrate(db, path)
    // From here on who needs the disk waits for it himself.
    guarded('set up the journal', () => db.exec('PRAGMA synchronous = NORMAL'))
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function openPrivateFile(directory: string, path: string): DatabaseSync {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    chmodSync(directory, 0o700)
    // Made here and not by SQLite: its files take over the mode of the main one.
    closeSync(openSync(path, 'a', 0o600))
    chmodSync(path, 0o600)
    return new DatabaseSync(path, { enableForeignKeyConstraints: true })
  } catch (cause) {
    throw unusable(`cannot open ${path}`, cause)
  }
}

/**
 * The lock is SQLite's own on the file, held from the first transaction to the end of the process, so the system
 * frees it after kill -9. Set before WAL is entered: SQLite then keeps the index in memory and needs no -shm file.
 */
function lock(db: DatabaseSync, directory: string): void {
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT')
  } catch (cause) {
    if (isBusy(cause))
      throw new WritebackError('ERR_JOURNAL_IN_USE', `${directory} is in use by another process`, { cause })
    throw unusable(`cannot read the journal in ${directory}`, cause)
  }
}

// 16 MB. A request changes some thirty pages, most of them the same as the one before it: the more requests lie between two
// checkpoints, the fewer pages each of them writes twice.
const PAGES_BETWEEN_CHECKPOINTS = 4000

function configure(db: DatabaseSync): void {
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = ${PAGES_BETWEEN_CHECKPOINTS};
  `)
}

/** Brings the tables of a journal up to date. `path` names it in messages. Throws ERR_JOURNAL_UNUSABLE. */
export function migrate(db: DatabaseSync, path: string): void {
  const version = guarded('read the version of the journal', () =>
    Number(db.prepare('PRAGMA user_version').get()?.['user_version']),
  )
  if (version > MIGRATIONS.length)
    throw unusable(
      `${path} was written by a newer release (version ${version}, this one knows ${MIGRATIONS.length})`,
    )
  MIGRATIONS.slice(version).forEach((sql, index) => {
    transaction(db, 'bring the journal up to date', () => {
      db.exec(`${sql}; PRAGMA user_version = ${version + index + 1}`)
    })
  })
}
