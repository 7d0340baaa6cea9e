// What the rest of the agent sees of a directory.
import type { WritebackError } from '../../errors/writeback-error.ts'
import type { EffectivePolicy } from '../../protocol/account-state.ts'
import type { Operation } from '../../protocol/identifiers.ts'
import type { Account } from '../decisions/account.ts'
import type { AccountRules } from '../decisions/account-rules.ts'
import type { ClearBytes } from '../decisions/clear-bytes.ts'
import type { WriteAnswer } from '../decisions/write-answer.ts'

/** What a write does beside moving the marker. Passwords are wiped by whoever opened them, not here. */
export type Effect =
  | {
      readonly kind: 'reset'
      readonly password: ClearBytes
      readonly unlock: boolean
      readonly mustChange: boolean
    }
  | { readonly kind: 'change'; readonly oldPassword: ClearBytes; readonly newPassword: ClearBytes }
  | { readonly kind: 'unlock' }

/** One write: the effect and the marker in one modify. */
export interface Write extends Fence {
  readonly effect: Effect
  /** The effect goes alone: where the right to write the marker is missing. The markers then only name the attempt. */
  readonly withoutMarker?: boolean
}

/** A move of the marker and nothing else: once accepted, no earlier write can land any more. */
export interface Fence {
  readonly objectGuid: string
  /** The account as this session read it. OpenLDAP needs it: what was read is what the write is held to. */
  readonly account?: Account
  /** The marker as read; undefined: the entry has none. */
  readonly markerBefore: string | undefined
  readonly markerAfter: string
  /** Asked right before the first byte; `false` ends it as `not_sent`. */
  readonly mayStart: () => boolean
}

/** Whom a request is about: its anchor, and the entry that the store pinned to it. */
export interface Subject {
  readonly anchor: string
  readonly objectGuid: string | null
}

/** Which accounts a report asks for; times by the directory's clock, milliseconds since 1970. */
export interface NoteworthyWish {
  /** Passwords that expire from then. */
  readonly fromMs: number
  /** And until then. */
  readonly untilMs: number
  readonly most: number
}

/** What a read is asked for beside the usual. */
export interface ReadWish {
  /** Whether the marker may be written. The domain controller computes that anew for each read. */
  readonly markerRight?: boolean
}

/** `ambiguous`: several entries have this anchor. */
export type AccountReading = Account | 'ambiguous' | undefined

/** The password policy of an account, or what is missing to read it. */
export type PolicyReading =
  | {
      readonly kind: 'read'
      readonly policy: EffectivePolicy
      /** The minimum length counts bytes of UTF-8, as slapd does. */
      readonly countsBytes?: boolean
    }
  | { readonly kind: 'unreadable'; readonly name: string; readonly problem: string }

/** Every password policy of a directory, and those that cannot be read. */
export interface DirectoryPolicies {
  /** The domain's first, then the fine-grained ones by precedence. */
  readonly policies: readonly EffectivePolicy[]
  readonly problems: readonly { readonly name: string; readonly problem: string }[]
}

/** The writer of a directory. Stays with one server, whatever the address leads to later. */
export interface WriterSession {
  /** invocationId, or on OpenLDAP a UUID of its address; lower case with dashes. */
  readonly server: string
  readonly url: string
  /**
   * Whether password history holds for a reset, by the policy hints control. Where the server offers none:
   * `not_enforced` when the configuration takes that, `not_enforceable` when it does not: then a reset must not be written.
   */
  readonly history: 'enforced' | 'not_enforced' | 'not_enforceable'
  /** Why history is not enforced; default: the domain controller lacks the control. */
  readonly historyProblem?: string
  /** The directory's clock, carried on by this host's monotonic clock; milliseconds since 1970. */
  readonly directoryNowMs: () => number
  /** By how much that may be wrong to either side, milliseconds: its clock shows whole seconds, and the answer was on its way. */
  readonly directoryDoubtMs: () => number
  /** The configured scope and protection as the directory itself spells and numbers it. */
  readonly rules: AccountRules
  /**
   * ONE read of the account, everything a decision needs; only `inspect` by an anchor that is not objectGUID searches
   * before. A `change` of an account with failures asks for the server's clock as well: by one that was set back meanwhile
   * they would look lapsed, and the next one could lock the account. Throws WritebackError, to be tried again later, when
   * the server does not answer; ERR_DOCUMENT_INVALID for an anchor that is no GUID, and where another anchor than
   * objectGUID has no pinned entry yet.
   */
  readonly readAccount: (subject: Subject, operation: Operation, wish?: ReadWish) => Promise<AccountReading>
  /**
   * The password policy that applies to an account, read at most 60 s ago; with `isFresh`, read now. Throws
   * WritebackError, to be tried again later, when the server does not answer.
   */
  readonly readPolicy: (
    account: Pick<Account, 'policyDn'>,
    options?: { readonly isFresh?: boolean },
  ) => Promise<PolicyReading>
  /** Reads every password policy of the domain now. Throws as `readPolicy` does. */
  readonly readPolicies: () => Promise<DirectoryPolicies>
  /**
   * The accounts below the configured units that may be locked, or whose password may expire in that time: candidates, of which
   * `readAccount` tells what is true. Throws as `readPolicy` does.
   */
  readonly findNoteworthy: (wish: NoteworthyWish) => Promise<readonly Subject[]>
  /** Throws ERR_PASSWORD_UNREPRESENTABLE, and ERR_DOCUMENT_INVALID for what is no GUID; all else is an answer. */
  readonly write: (write: Write) => Promise<WriteAnswer>
  readonly fence: (fence: Fence) => Promise<WriteAnswer>
}

/** How a directory is doing. */
export interface DirectoryStatus {
  readonly connected: boolean
  readonly server?: string
  readonly url?: string
  readonly lastError?: WritebackError
  /** Directory clock minus this host's, milliseconds. */
  readonly clockOffsetMs?: number
}

/** One configured directory. */
export interface Directory {
  readonly name: string
  /** The writer in use; connects when needed. Throws WritebackError, to be tried again later, when it cannot be reached. */
  readonly writer: () => Promise<WriterSession>
  readonly status: () => DirectoryStatus
  /** Closes every connection: what is under way ends as lost. An earlier session's connection ends with its request. */
  readonly stop: () => Promise<void>
}
