// Keeps writes without a marker apart, because no fence excludes them: one at a time to an account, and after a lost
// answer none before the old connection is surely dead.
import type { Clock } from '../../clock/clock.ts'

/** The lanes of one directory. Forgotten at a restart: every quarantine then begins anew, which is the safe side. */
export interface Lanes {
  /** How long bytes of a write may still arrive after it began. */
  readonly quarantineMs: number
  /**
   * The rest of a quarantine, milliseconds; 0: it was over before the read that was just made began. It begins at the
   * first call with this key, so call it when the connection in doubt is closed and the server has just answered a read.
   */
  readonly remainingMs: (key: string) => number
  /** Takes the lane of an account; gives how to leave it, or undefined when another write is in it. */
  readonly enter: (account: string) => (() => void) | undefined
}

/**
 * How long bytes of a closed connection may still reach a server that answers, and be carried out by it, beside its
 * longest operation: Linux sends on for an ended program for about 100 s (tcp_orphan_retries), a domain controller waits
 * 120 s for the rest of a request (InitRecvTimeout, MS-ADTS §3.1.1.3.4.6).
 */
export const LATE_BYTES_MS = 120_000

const KEPT_MS = 86_400_000
const SOON_MS = 1

/** Makes the lanes. `quarantineMs`: the operation timeout and LATE_BYTES_MS. */
export function createLanes(clock: Clock, quarantineMs: number): Lanes {
  const quarantines = new Map<string, { readonly sinceMs: number; isOver: boolean }>()
  const taken = new Set<string>()
  const begin = (key: string, sinceMs: number): void => {
    for (const [old, quarantine] of quarantines)
      if (quarantine.sinceMs < sinceMs - KEPT_MS) quarantines.delete(old)
    quarantines.set(key, { sinceMs, isOver: false })
  }
  return {
    quarantineMs,
    remainingMs: (key) => {
      const nowMs = clock.monotonicMs()
      const known = quarantines.get(key)
      if (known === undefined) {
        begin(key, nowMs)
        return quarantineMs
      }
      const restMs = known.sinceMs + quarantineMs - nowMs
      if (restMs > 0) return restMs
      if (known.isOver) return 0
      // What was just read may have been read before the end: only the next read decides.
      known.isOver = true
      return SOON_MS
    },
    enter: (account) => {
      if (taken.has(account)) return undefined
      taken.add(account)
      return () => taken.delete(account)
    },
  }
}
