// What operators see of an agent. Ids, counts and conditions; never a name, a password or a sealed value.
import type { Condition } from '../../telemetry/conditions.ts'

/** One directory as operators see it. */
export interface DirectoryView {
  readonly name: string
  readonly connected: boolean
  readonly server: string | null
  readonly url: string | null
  readonly clockOffsetMs: number | null
  /** Where its controllers are looked for in DNS; else null. URLs; times in milliseconds since 1970, by this host's clock. */
  readonly discovery: {
    readonly domain: string
    /** When DNS named them last, null: not yet. */
    readonly foundAt: number | null
    /** Why the last look found none, else null: then those that are known stay. */
    readonly problem: string | null
    readonly controllers: readonly string[]
    /** Known, and no longer named by DNS. */
    readonly vanished: readonly string[]
  } | null
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
  /** Requests that ended since the start of the process, newest first; `at` by the store's clock. */
  readonly lastOutcomes: readonly {
    readonly request: string
    readonly directory: string
    readonly operation: string
    readonly outcome: string
    readonly reason: string | null
    readonly at: number
  }[]
  /** When the certificates end that the agent depends on, as they were seen last; milliseconds since 1970. */
  readonly certificates: readonly {
    readonly kind: 'server' | 'authority' | 'client'
    readonly subject: string
    readonly endsAt: number
  }[]
  /** What the last report of each directory counted; empty where reports are not wanted, or none was written yet. */
  readonly reports: readonly {
    readonly directory: string
    readonly writtenAt: number
    readonly locked: number
    readonly expiring: number
    readonly isCut: boolean
  }[]
  /** How the probed account of each directory fared; empty where none is watched. Times by the store's clock. */
  readonly probes: readonly {
    readonly directory: string
    readonly expectEveryMs: number
    readonly last: {
      readonly request: string
      readonly outcome: string
      readonly reason: string | null
      readonly at: number
    } | null
    readonly lastAppliedAt: number | null
  }[]
  /** Housekeeping; times by this host's clock. */
  readonly jobs: readonly {
    readonly name: string
    readonly lastRunAt: number | null
    readonly lastResult: 'done' | 'failed' | null
    readonly lastDurationMs: number | null
    readonly problem: string | null
    readonly isRunning: boolean
    readonly nextRunAt: number | null
  }[]
}

/** One key as operators see it; times in milliseconds since 1970. Never a private part. */
export interface KeyView {
  /** `identity` and `sealing` are this agent's own, `store` is what requests are signed with. */
  readonly kind: 'identity' | 'sealing' | 'store'
  /** Its SHA-256 thumbprint, or the id that the store gave it. */
  readonly id: string
  /** Of the identity and the store's key: the enrolment. */
  readonly createdAt: number
  /** When the store accepted it; null: not yet, or by the enrolment. */
  readonly acceptedAt: number | null
  /** Until when it is used: of an old key at least; null: no end is set. */
  readonly validUntil: number | null
  /** `new`: not accepted by the store yet. `old`: opens what was sealed to it, nothing new is. */
  readonly state: 'current' | 'new' | 'old'
}

/** What a rotation came to. */
export interface RotationView {
  /** `full`: so many old keys are kept that no new one was made. */
  readonly state: 'rotated' | 'not_accepted' | 'full'
  readonly key: string | null
  /** Why the store has not accepted the new key yet, else null. */
  readonly problem: string | null
}

/** What an operator may have the agent do with itself. */
export interface AgentControls {
  /** Begins a stop, as a signal does. */
  readonly stop: () => StopAnswer
  /** Reads the configuration anew, as SIGHUP has it done. */
  readonly reload: () => unknown
}

/** The answer of a stop that has begun. */
export interface StopAnswer {
  readonly pid: number
  /** Longest time until the process has ended, milliseconds. */
  readonly deadlineMs: number
}

/** The questions an operator may ask. */
export interface AgentViews {
  readonly isReady: () => boolean
  readonly conditions: () => readonly Condition[]
  readonly view: () => Promise<AgentView>
  /** The metrics as they are now, in the text format of Prometheus. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>
  readonly keys: () => readonly KeyView[]
  /** Changes to a new sealing key. Throws ERR_KEYS_* when it cannot be made. */
  readonly rotateKey: () => Promise<RotationView>
  /** Lets writing go on after a burst; false: the breaker of this directory was not open. */
  readonly closeBreaker: (directory: string) => boolean
}
