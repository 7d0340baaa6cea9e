// Waits for the disk: one sync for all whose changes were committed when it began.
import type { LogSync } from './log-sync.ts'

/** Whether a sync failed since all was last put on the disk: nobody syncs again what it may have lost. */
export interface Damage {
  readonly isNoted: () => boolean
  readonly note: () => void
  /** Writes everything anew, and then it is none any more. Throws where that fails; it stays noted then. */
  readonly mend: () => void
}

/** Makes it; `writeAnew` puts everything on the disk that a sync which failed may have lost. */
export function createDamage(writeAnew: () => void): Damage {
  let isNoted = false
  return {
    isNoted: () => isNoted,
    note: () => {
      isNoted = true
    },
    mend: () => {
      writeAnew()
      isNoted = false
    },
  }
}

/** What is waited for. */
export interface DurabilityParts {
  readonly log: LogSync
  /** Counts what was committed so far; never goes back. */
  readonly count: () => number
  /** Gives what to do when everything that is committed now is on the disk. */
  readonly atCommit?: () => () => void
  readonly damage: Damage
}

/**
 * Makes the wait: it resolves when everything that was committed before the call is on the disk. Who asks while a sync runs
 * that began earlier waits for the next one, together with all who ask by then. Throws what `log` and the
 * mending throw.
 */
export function createDurability(parts: DurabilityParts): () => Promise<void> {
  const { log, count, damage, atCommit = () => () => {} } = parts
  // What an earlier process committed may have stood in memory alone when it was killed.
  let synced = -1
  // What the sync that runs will hold; undefined while it still gathers.
  let running: { upTo: number | undefined; readonly end: Promise<void> } | undefined
  let next: Promise<void> | undefined

  const sync = async (): Promise<void> => {
    await log.gather()
    const upTo = count()
    if (running) running.upTo = upTo
    const tell = atCommit()
    try {
      if (damage.isNoted()) damage.mend()
      else await log.sync()
    } catch (cause) {
      damage.note()
      throw cause
    }
    // By another sync, while this one ran: it may have taken the error that was this one's as well.
    if (damage.isNoted()) throw new Error('another sync failed meanwhile')
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
    if (!running) return upTo === synced && !damage.isNoted() ? undefined : begin()
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
