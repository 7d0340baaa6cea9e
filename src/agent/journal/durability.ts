// Waits for the disk beside the event loop: a commit returns at once, and one sync of the write-ahead log makes durable what
// all requests have journaled until then.
import { close, fdatasync, open } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import type { Journal } from './journal.ts'
import { guarded, isDamaged, mend, noteDamage, unusable } from './transaction.ts'

/** Puts what SQLite has written on the disk. */
export interface LogSync {
  /** A moment in which others may write what the same sync shall hold. */
  readonly gather: () => Promise<void>
  readonly sync: () => Promise<void>
  readonly close: () => void
}

/** A journal in memory has no disk to wait for. */
export const NO_LOG: LogSync = { gather: async () => {}, sync: async () => {}, close: () => {} }

const openFile = promisify(open)
const syncFile = promisify(fdatasync)

/**
 * The write-ahead log of a database, which is open with `synchronous` NORMAL: a commit then leaves out the very sync that is
 * made here, and nothing else. SQLite locks the main file alone, so a second handle on this one takes no lock away.
 */
export function createLogSync(path: string): LogSync {
  let file: Promise<number> | undefined
  let last: Promise<unknown> = Promise.resolve()
  const sync = async () => {
    file ??= openFile(path, 'r+')
    const opened = await file.catch((error: unknown) => {
      file = undefined
      throw error
    })
    await syncFile(opened)
  }
  return {
    // What came in with the same turn of the event loop.
    gather: () => new Promise((resolve) => void setImmediate(resolve)),
    sync: () => {
      const syncing = sync()
      last = syncing.catch(() => {})
      return syncing
    },
    close: () => {
      const opened = file
      last.then(() => opened?.then((descriptor) => close(descriptor, () => {}))).catch(() => {})
    },
  }
}

/** What durability tells the rest of the journal. */
export interface DurabilityParts {
  readonly db: DatabaseSync
  readonly log: LogSync
  /** Gives what to do when everything that is committed now is on the disk. */
  readonly atCommit: () => () => void
}

/** Makes `durable` of the journal. Who asks while a sync runs waits for the next one, together with all who ask by then. */
export function createDurability({ db, log, atCommit }: DurabilityParts): Pick<Journal, 'durable'> {
  const changes = db.prepare('SELECT total_changes() AS number')
  const count = () => guarded('count the changes', () => Number(changes.get()?.['number']))
  // What an earlier process committed may have stood in memory alone when it was killed.
  let synced = -1
  // The changes that the sync which runs will hold; undefined while it still gathers them.
  let running: { upTo: number | undefined; readonly end: Promise<void> } | undefined
  let next: Promise<void> | undefined

  const sync = async (): Promise<void> => {
    await log.gather()
    const upTo = count()
    if (running) running.upTo = upTo
    const tell = atCommit()
    try {
      if (isDamaged(db)) mend(db)
      else await log.sync()
    } catch (cause) {
      noteDamage(db)
      throw unusable('the journal cannot be put on the disk', cause)
    }
    // By another sync, while this one ran: it may have taken the error that was this one's as well.
    if (isDamaged(db)) throw unusable('the journal cannot be put on the disk')
    synced = upTo
    tell()
  }
  const begin = (): Promise<void> => {
    const end = sync().finally(() => {
      running = undefined
    })
    running = { upTo: undefined, end }
    return end
  }
  return {
    durable: async () => {
      const upTo = count()
      if (!running) return upTo === synced && !isDamaged(db) ? undefined : begin()
      if (running.upTo === undefined || running.upTo === upTo) return running.end
      next ??= running.end
        .catch(() => {})
        .then(() => {
          next = undefined
          return begin()
        })
      return next
    },
  }
}
