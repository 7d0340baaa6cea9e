// What five independent observers write down of a run, as JSON lines with one clock. The checker believes the agent's own
// words (observer `audit`) only where another observer agrees.
import type { Operation } from '../../src/protocol/identifiers.ts'

/** Milliseconds of the run, on its one clock: true time, whatever the clocks of agents, store and directory say. */
interface At {
  readonly at: number
}

/** A secret by name, never itself: `new:<request id>`, `old:<request id>`, `first:<account>`, `foreign:<n>`, `?`. */
export type SecretName = string

/** The reset store's side: what was asked, handed out, promised and told. */
export type StoreEvent = At & { readonly observer: 'store' } & (
    | {
        readonly kind: 'requested'
        readonly request: string
        readonly operation: Operation
        readonly directory: string
        /** The subject's immutable anchor, also the name of the account in every other event. */
        readonly account: string
        /** 0 for an inspect. */
        readonly sequence: number
        /** On the run's clock, like every `at`. */
        readonly issuedAt: number
        readonly expiresAt: number
        readonly unlock: boolean
        readonly mustChange: boolean
        /** Characters of the new password; left out where nobody looked. */
        readonly passwordLength?: number
      }
    | {
        readonly kind: 'handed_out'
        readonly request: string
        readonly agent: string
        readonly lease: number
      }
    | {
        readonly kind: 'receipt'
        readonly request: string
        readonly agent: string
        readonly lease: number
        readonly server: string
        readonly answer: string
      }
    | {
        /** One delivery of an outcome; `digest`: SHA-256 of the signed bytes. */
        readonly kind: 'reported'
        readonly request: string
        readonly agent: string
        readonly lease: number
        readonly outcome: string
        readonly reason: string | null
        readonly notices: readonly string[]
        readonly server: string | null
        readonly digest: string
        readonly isSigned: boolean
        readonly answer: string
      }
    | { readonly kind: 'pause'; readonly on: boolean }
    | {
        /** The store's word on a pause has come to the agent's process; only where it is another one than before. */
        readonly kind: 'pause_heard'
        readonly agent: string
        readonly on: boolean
      }
    | {
        /** What the user is told in the end; null: nothing yet. Once per request, at the end of the run. */
        readonly kind: 'verdict'
        readonly request: string
        readonly outcome: string | null
        readonly reason: string | null
        /** When the store closed the request; left out: at the first accepted delivery. */
        readonly closedAt?: number | null
      }
  )

/** One change inside of a modify. `value`: the text of a marker or number; the name of a secret for a password. */
export interface SeenChange {
  readonly operation: 'add' | 'delete' | 'replace'
  readonly attribute: string
  readonly values: readonly string[]
}

/** What passes the door of a directory server, decoded behind TLS. */
export type ProxyEvent = At & { readonly observer: 'proxy'; readonly server: string } & (
    | {
        readonly kind: 'bind'
        /** null: who it was is not known. */
        readonly agent: string | null
        /** `service`: the agent's own account. */
        readonly who: 'service' | 'user' | 'anonymous'
        readonly accepted: boolean
        /** Carried over verified TLS. */
        readonly isSecure: boolean
      }
    | {
        /** The directory answered a read of one account. */
        readonly kind: 'read'
        readonly agent: string | null
        readonly account: string
        /** What stood on this server then, looked at by the harness; left out where nobody looked. */
        readonly password?: SecretName
        readonly marker?: string | null
      }
    | {
        /** Arrived at the directory server: this is when it takes effect, however long it was on the way. */
        readonly kind: 'modify'
        readonly id: number
        readonly agent: string | null
        /** When the agent sent it, on the run's clock. */
        readonly sentAt: number
        /** By objectGUID or entryUUID; `?` for an entry that is no known account. */
        readonly account: string
        readonly changes: readonly SeenChange[]
        readonly controls: readonly { readonly oid: string; readonly critical: boolean }[]
        readonly isSecure: boolean
      }
    | {
        readonly kind: 'answered'
        readonly id: number
        readonly code: number
        /** The leading hex digits of the directory's text, upper case. */
        readonly hex?: string
      }
    | { readonly kind: 'other_operation'; readonly agent: string | null; readonly operation: string }
  )

/** What is true in the directory, looked at by the harness itself. */
export type DirectoryEvent = At & { readonly observer: 'directory' } & (
    | {
        /** Before anything else is said of the account. */
        readonly kind: 'account'
        readonly account: string
        readonly directory: string
        readonly mayBeWritten: boolean
        /** 0: no lockout. */
        readonly lockoutThreshold: number
        /** Of the password policy that applies; 0: none. */
        readonly minimumLength: number
      }
    | {
        /** Somebody else's doing. `password`: a new password was set, `server` where. */
        readonly kind: 'foreign'
        readonly account: string
        readonly what:
          | 'password'
          | 'marker'
          | 'locked'
          | 'bad_password'
          | 'excluded'
          | 'renamed'
          | 'deleted'
          | 'recreated'
        readonly server: string | null
        /** When it was begun, if that was not at once; it took effect somewhere between. */
        readonly since?: number
        /** Of `password`: the new one's name. */
        readonly secret?: SecretName
      }
    | {
        readonly kind: 'sample'
        readonly account: string
        readonly badPasswordCount: number
        readonly isLocked: boolean
      }
    | {
        /** At the end, found out by binds of the harness. null: none of the known passwords. */
        readonly kind: 'end'
        readonly account: string
        readonly password: SecretName | null
        readonly marker: string | null
        readonly isLocked: boolean
      }
  )

/** What the agent wrote down of itself, read from its journal (`intent`, `outcome`) and from its audit record (the others). */
export type AuditEvent = At & {
  readonly observer: 'audit'
  readonly agent: string
} & (
    | {
        readonly kind: 'intent'
        readonly request: string
        readonly n: number
        readonly effect: 'reset' | 'change' | 'unlock' | 'fence'
        readonly server: string
        readonly markerBefore: string | null
        readonly markerAfter: string
        /** null: never learnt. */
        readonly answer: string | null
      }
    | { readonly kind: 'outcome'; readonly request: string; readonly outcome: string }
    | {
        /** One line of the audit record; `n`: 0 for an outcome. */
        readonly kind: 'told'
        readonly request: string
        readonly what: 'intent' | 'result' | 'outcome'
        readonly n: number
        readonly marker: string | null
        readonly answer: string | null
      }
    | {
        /** The audit record as a whole, read when its agent has ended. */
        readonly kind: 'chain'
        readonly records: number
        readonly faults: readonly string[]
        /** Its last line is that of an orderly stop: nothing is still to be told. */
        readonly isClosed: boolean
      }
  )

/** What the harness did to the processes and to the world between them. */
export type SupervisorEvent = At & { readonly observer: 'supervisor' } & (
    | {
        /** The first event of every history. */
        readonly kind: 'run'
        readonly name: string
        readonly seed: number
        /** Every request must have its verdict so long after `faults_over`, or after its expiry and the time to settle. */
        readonly drainMs: number
        /** A directory whose policy says that a reset must be held to history. */
        readonly historyRequired: boolean
        /** The dialect tells which attributes a write may name. */
        readonly dialect: 'active-directory' | 'openldap'
        /** How far the times of different observers may be apart. Left out: not at all. */
        readonly stampErrorMs?: number
        /** How far the agents' own times may be off, which stand in their journals. Left out: not at all. */
        readonly journalErrorMs?: number
        /** The service account may not write the marker: the documented way without it. */
        readonly withoutMarker?: boolean
      }
    | {
        readonly kind: 'process'
        readonly agent: string
        readonly what: 'started' | 'killed' | 'stopped' | 'continued' | 'asked_to_end' | 'exited'
        /** Of `exited`: the status, or the signal's name. */
        readonly status?: number | string
      }
    | {
        readonly kind: 'fault'
        readonly name: string
        readonly phase: 'begin' | 'end' | 'once'
        readonly target: string
        /** `store_forgot`: what the store took from this moment on is lost. */
        readonly since?: number
      }
    | { readonly kind: 'server'; readonly server: string; readonly isReachable: boolean }
    | { readonly kind: 'clock'; readonly of: string; readonly aheadMs: number }
    /** An operator has paused writing on an agent's own host, or resumed it. It outlives the process. */
    | { readonly kind: 'paused_here'; readonly agent: string; readonly on: boolean }
    | {
        /** An operator asks an agent to drop a request; then its answer, if any came. */
        readonly kind: 'drop'
        readonly agent: string
        readonly request: string
        readonly result: string
      }
    /** The agent's process opened a connection to somebody; `isAllowed`: store or configured controller. */
    | { readonly kind: 'contact'; readonly agent: string; readonly host: string; readonly isAllowed: boolean }
    | {
        readonly kind: 'held'
        readonly agent: string
        readonly when: 'before' | 'after'
        readonly files: number
        readonly queueKeys: number
        readonly heapBytes: number
      }
    | { readonly kind: 'leak'; readonly sink: string; readonly secret: string; readonly form: string }
    /** The searched bytes of all sinks: nothing searched proves nothing. */
    | { readonly kind: 'searched'; readonly sinks: number; readonly bytes: number }
    | { readonly kind: 'faults_over' }
  )

/** One observation. A history is a list of them in the order of `at`. */
export type HistoryEvent = StoreEvent | ProxyEvent | DirectoryEvent | AuditEvent | SupervisorEvent

/** One broken promise. */
export interface Violation {
  /** `I1` to `I26`. */
  readonly invariant: string
  readonly at: number
  /** One sentence with the ids that matter. */
  readonly what: string
}

/** What the checker says of one history. */
export interface Verdict {
  readonly violations: readonly Violation[]
  /** How many cases of each invariant the history held: 0 means that nothing was decided. */
  readonly decided: Readonly<Record<string, number>>
  /** How many cases were left undecided because the world stood in the way, of the invariants that know such. */
  readonly excused: Readonly<Record<string, number>>
  /** The largest value of what the rules measure, by a name that ends in its unit. */
  readonly measured: Readonly<Record<string, number>>
}
