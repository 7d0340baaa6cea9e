// Opens the database file: durable, for this process alone, and at the newest step of the schema.
import { chmodSync, closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { WritebackError } from '../../errors/writeback-error.ts'
import { MIGRATIONS } from './schema.ts'

/**
 * Opens or creates the database, mode 0600. Throws ERR_DATABASE_UNUSABLE: not a database, no right, in use by another
 * store, or written by a newer version.
 */
export function openDatabase(path: string): DatabaseSync {
  try {
    // Created here so that the file never exists with a wider mode.
    closeSync(openSync(path, 'a', 0o600))
    chmodSync(path, 0o600)
    const database = new DatabaseSync(path, { timeout: 1000 })
    // Exclusive before the first access: a second store on the same directory fails at once.
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = FULL')
    database.exec('PRAGMA foreign_keys = ON')
    migrate(database)
    // From here on the disk is waited for beside the event loop, before anything is answered.
    database.exec('PRAGMA synchronous = NORMAL')
    return database
  } catch (cause) {
    if (cause instanceof WritebackError) throw cause
    throw new WritebackError('ERR_DATABASE_UNUSABLE', `database ${path} cannot be opened`, { cause })
  }
}

/** Brings the tables up to date. Throws ERR_DATABASE_UNUSABLE for what a newer version wrote. */
export function migrate(database: DatabaseSync): void {
  const taken = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
  if (taken > MIGRATIONS.length)
    throw new WritebackError('ERR_DATABASE_UNUSABLE', 'the database was written by a newer version')
  // Taken also when nothing changes, so that the exclusive lock is held from here on.
  database.exec('BEGIN IMMEDIATE')
  for (const step of MIGRATIONS.slice(taken)) database.exec(step)
  database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
  database.exec('COMMIT')
}
