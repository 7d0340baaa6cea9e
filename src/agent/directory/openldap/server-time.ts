// What time it is at slapd, whose root entry does not tell: by its monitor database where the service account may read that,
// and by what its own writes were dated. Until then the host's clock stands in.
import type { Clock } from '../../../clock/clock.ts'
import type { RemoteReading } from '../../../clock/remote-time.ts'
import { createDirectoryTime } from '../directory-time.ts'
import { textOf } from '../entry-values.ts'
import { momentOfGeneralizedTime } from '../generalized-time.ts'
import type { ReadClient } from '../read-client.ts'

/** The server's clock as this agent knows it. */
export interface ServerTime {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  /** By how much that may be wrong to either side, milliseconds, as far as is known. */
  readonly doubtMs: () => number
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
// The monitor shows whole seconds.
const MONITOR_RESOLUTION_MS = 1_000

/** Starts with the host's clock. */
export function createServerTime(clock: Clock, monitorDn: string | undefined): ServerTime {
  const time = createDirectoryTime(clock, undefined)
  const readMonitor = async (client: ReadClient): Promise<RemoteReading | undefined> => {
    if (monitorDn === undefined) return undefined
    const sentMs = clock.monotonicMs()
    const base = `cn=Current,cn=Time,${monitorDn}`
    const [entry] = await client.search(base, { scope: 'base', attributes: ['monitorTimestamp'] })
    const timeMs = entry && momentOfGeneralizedTime(textOf(entry, 'monitorTimestamp') ?? '')
    if (timeMs === undefined) return undefined
    return { sentMs, answeredMs: clock.monotonicMs(), timeMs, resolutionMs: MONITOR_RESOLUTION_MS }
  }
  return {
    nowMs: time.nowMs,
    doubtMs: time.doubtMs,
    isOld: time.isOld,
    refresh: async (client) => time.asked(await readMonitor(client)),
    learn: ({ writtenAtMs: timeMs, sentMs, answeredMs }) => {
      if (answeredMs - sentMs <= LONGEST_WRITE_MS) time.learn({ sentMs, answeredMs, timeMs })
    },
  }
}
