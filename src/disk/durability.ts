// Waits for the disk: one sync for all whose changes were committed when it began.
import type { LogSync } from './log-sync.ts'

/** What is waited for. */
export interface DurabilityParts {
  readonly log: LogSync
  /** Counts what was committed so far; never goes back. */
  readonly count: () => number
  /** Gives what to do when everything that is committed now is on the disk. */
  readonly atCommit?: () => () => void
  /** Puts everything on the disk that a sync which failed may have lost: nobody syncs such pages again. */
  readonly writeAnew: () => void
}

/**
 * Makes the wait: it resolves when everything that was committed before the call is on the disk. Who asks while a sync runs
 * that began earlier waits for the next one, together with all who ask by then. Throws what `log` and `writeAnew` throw.
 */
export function createDurability(parts: DurabilityParts): () => Promise<void> {
  const { log, count, atCommit = () => () => {} } = parts
  // What an earlier process committed may have stood in memory alone when it was killed.
  let synced = -1
  let isDamaged = false
  // What the sync that runs will hold; undefined while it still gathers.
  let running: { upTo: number | undefined; readonly end: Promise<void> } | undefined
  let next: Promise<void> | undefined

  const sync = async (): Promise<void> => {
    await log.gather()
    const upTo = count()
    if (running) running.upTo = upTo
    const tell = atCommit()
    try {
      if (isDamaged) parts.writeAnew()
      else await log.sync()
    } catch (cause) {
      isDamaged = true
      throw cause
    }
    isDamaged = false
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
  return async () => {
    const upTo = count()
    if (!running) return upTo === synced && !isDamaged ? undefined : begin()
    if (running.upTo === undefined || running.upTo === upTo) return running.end
    next ??= running.end
      .catch(() => {})
      .then(() => {
        next = undefined
        return begin()
      })
    return next
  }
}
