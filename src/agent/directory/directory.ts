// What the rest of the agent sees of a directory.
import type { WritebackError } from '../../errors/writeback-error.ts'
import type { Account } from '../decisions/account.ts'
import type { ClearBytes } from '../decisions/clear-bytes.ts'
import type { WriteAnswer } from '../decisions/write-answer.ts'

/** One reset as the directory is asked for it. The password is wiped by whoever opened it, not here. */
export interface PasswordWrite {
  /** objectGUID, lower case with dashes. */
  readonly anchor: string
  readonly password: ClearBytes
  readonly unlock: boolean
  readonly mustChange: boolean
  /** The marker as read; undefined: the entry has none. */
  readonly markerBefore: string | undefined
  readonly markerAfter: string
  /** Asked right before the first byte; `false` ends the write as `not_sent`. */
  readonly mayStart: () => boolean
}

/** A move of the marker and nothing else: once accepted, no earlier write can land any more. */
export interface Fence {
  readonly anchor: string
  readonly markerBefore: string | undefined
  readonly markerAfter: string
}

/** The writer domain controller of a directory. Stays with one server, whatever the address leads to later. */
export interface WriterSession {
  /** invocationId, lower case with dashes. */
  readonly server: string
  readonly url: string
  /** True when writes carry the policy hints control, so that history holds for a reset. */
  readonly policyHints: boolean
  readonly serviceAccount: { readonly objectGuid: string }
  /** The directory's clock, milliseconds since 1970; it shows whole seconds, so half a second is uncertain. */
  readonly directoryNowMs: () => number
  /** Throws WritebackError, to be tried again later, when the server does not answer. */
  readonly readAccount: (anchor: string) => Promise<Account | undefined>
  /** Throws ERR_PASSWORD_UNREPRESENTABLE, and ERR_DOCUMENT_INVALID for an anchor that is no GUID; all else is an answer. */
  readonly writePassword: (write: PasswordWrite) => Promise<WriteAnswer>
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
