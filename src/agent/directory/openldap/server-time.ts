// What time it is at slapd, whose root entry does not tell: by its monitor database where the service account may read that,
// else by what its own writes were dated. Until then the host's clock stands in.
import type { Clock } from '../../../clock/clock.ts'
import { createDirectoryTime } from '../directory-time.ts'
import { textOf } from '../entry-values.ts'
import { momentOfGeneralizedTime } from '../generalized-time.ts'
import type { ReadClient } from '../read-client.ts'

/** The server's clock as this agent knows it. */
export interface ServerTime {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  /** True when the session must look again: at the clock, and at what else is looked at with it. */
  readonly isOld: () => boolean
  /** Looks at the server's clock where it can be read; a host clock that was set makes what was learned worth nothing. */
  readonly refresh: (client: ReadClient) => Promise<void>
  /** Learns from a write of our own: it was dated so between these two moments, monotonic milliseconds. */
  readonly learn: (dated: {
    readonly writtenAtMs: number
    readonly sentMs: number
    readonly answeredMs: number
  }) => void
}

// A slow write says little about the moment within it when it was dated.
const LONGEST_WRITE_MS = 1_000
// The monitor shows whole seconds: what agrees with them is not made worse.
const WHOLE_SECOND_MS = 1_000

/** Starts with the host's clock. */
export function createServerTime(clock: Clock, monitorDn: string | undefined): ServerTime {
  const time = createDirectoryTime(clock, clock.wallMs())
  const readMonitor = async (client: ReadClient): Promise<number | undefined> => {
    if (monitorDn === undefined) return undefined
    const base = `cn=Current,cn=Time,${monitorDn}`
    const [entry] = await client.search(base, { scope: 'base', attributes: ['monitorTimestamp'] })
    return entry && momentOfGeneralizedTime(textOf(entry, 'monitorTimestamp') ?? '')
  }
  return {
    nowMs: time.nowMs,
    isOld: time.isOld,
    refresh: async (client) => {
      const shownMs = await readMonitor(client)
      const knownMs = time.nowMs()
      if (shownMs === undefined) time.set(time.hasParted() ? clock.wallMs() : knownMs)
      else {
        const isAgreed = knownMs >= shownMs - WHOLE_SECOND_MS && knownMs <= shownMs + 2 * WHOLE_SECOND_MS
        time.set(isAgreed && !time.hasParted() ? knownMs : shownMs + WHOLE_SECOND_MS / 2)
      }
    },
    learn: ({ writtenAtMs, sentMs, answeredMs }) => {
      const tookMs = answeredMs - sentMs
      if (tookMs <= LONGEST_WRITE_MS) time.set(writtenAtMs + tookMs / 2 + clock.monotonicMs() - answeredMs)
    },
  }
}
