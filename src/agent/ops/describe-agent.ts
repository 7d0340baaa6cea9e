// What operators see of an agent. Ids, counts and conditions; never a name, a password or a sealed value.
import type { Condition } from '../../telemetry/conditions.ts'

/** One directory as operators see it. */
export interface DirectoryView {
  readonly name: string
  readonly connected: boolean
  readonly server: string | null
  readonly url: string | null
  readonly clockOffsetMs: number | null
}

/** The answer of /status. */
export interface AgentView {
  readonly version: string
  readonly agent: string
  readonly ready: boolean
  readonly paused: boolean
  readonly startedAt: number
  readonly storeOffsetMs: number | null
  /** `oldestOpenAt`, `oldestUndeliveredAt`: store time, milliseconds since 1970; null without one. */
  readonly requests: {
    readonly open: number
    readonly undelivered: number
    readonly finished: number
    readonly oldestOpenAt: number | null
    readonly oldestUndeliveredAt: number | null
  }
  readonly queues: Readonly<
    Record<string, { readonly waiting: number; readonly active: number; readonly delayed: number } | null>
  >
  readonly directories: readonly DirectoryView[]
  readonly conditions: readonly Condition[]
}

/** The questions an operator may ask. */
export interface AgentViews {
  readonly isReady: () => boolean
  readonly conditions: () => readonly Condition[]
  readonly view: () => Promise<AgentView>
  /** The metrics as they are now, in the text format of Prometheus. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>
  /** Lets writing go on after a burst; false: the breaker of this directory was not open. */
  readonly closeBreaker: (directory: string) => boolean
}
