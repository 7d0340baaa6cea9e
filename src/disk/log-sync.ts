// Puts the write-ahead log of a SQLite database on the disk, beside the event loop. The database is open with `synchronous`
// NORMAL: its commits leave out the very sync that is made here, and nothing else.
import { close, fdatasync, open } from 'node:fs'
import { promisify } from 'node:util'

/** Puts what SQLite has written on the disk. */
export interface LogSync {
  /** A moment in which others may write what the same sync shall hold. */
  readonly gather: () => Promise<void>
  /** Throws what the file system says. */
  readonly sync: () => Promise<void>
  readonly close: () => void
}

/** A database in memory has no disk to wait for. */
export const NO_LOG: LogSync = { gather: async () => {}, sync: async () => {}, close: () => {} }

const openFile = promisify(open)
const syncFile = promisify(fdatasync)

/** Makes it for the log at `path`. SQLite locks the main file alone, so a second handle on this one takes no lock away. */
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
