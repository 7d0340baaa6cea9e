// What the audit record says of one write and of one request. Never a secret, and no name beyond what the directory's own events
// carry: the account's sAMAccountName and SID, and who asked.
import type { Actor } from '../../protocol/request-document.ts'

/** The account that was written, as the directory's own events name it. */
export interface AuditedAccount {
  /** As the store knows it. */
  readonly anchor: string
  readonly objectGuid: string
  readonly sid: string | null
  /** sAMAccountName. */
  readonly name: string
}

/** Which attempt of which request. */
interface AuditedAttempt {
  readonly request: string
  readonly attempt: number
  readonly lease: number
  readonly directory: string
  /** A fence moves the marker and nothing else. */
  readonly action: 'reset' | 'change' | 'unlock' | 'fence'
  /** invocationId of the domain controller. */
  readonly server: string
  /** As it is written; null: the write carries none. */
  readonly marker: string | null
}

/** Before the first byte of a write or a fence. Times are ISO 8601, UTC. */
export interface IntentEntry extends AuditedAttempt {
  readonly kind: 'intent'
  readonly time: string
  readonly url: string
  /** The clock of the domain controller, which its own events are stamped with. */
  readonly directoryTime: string
  readonly account: AuditedAccount
  readonly actor: Actor
  /** Events that the domain controller logs when it accepts this write. */
  readonly events: readonly number[]
}

/**
 * What became of it: `accepted`, `refused:…`, `not_sent`, `lost`, or `unanswered` when the process ended before it knew. Each
 * intent has exactly one.
 */
export interface ResultEntry extends AuditedAttempt {
  readonly kind: 'result'
  readonly time: string
  readonly answer: string
}

/** How the request ended. Each request of which this agent decided has exactly one. */
export interface OutcomeEntry {
  readonly kind: 'outcome'
  readonly time: string
  readonly request: string
  readonly lease: number
  readonly directory: string | null
  readonly outcome: string
  readonly reason: string | null
  readonly server: string | null
  readonly marker: string | null
  readonly notices: readonly string[]
  /** SHA-256 of the signed outcome as it is reported, hex. */
  readonly signed: string
}

/** What an operator did at the agent itself. */
export interface OperatorEntry {
  readonly kind: 'operator'
  readonly time: string
  readonly action: 'pause' | 'resume' | 'drop'
  /** As the operator's command names the user who typed it. */
  readonly actor: { readonly kind: 'operator'; readonly name: string }
  /** Of a drop. */
  readonly request: string | null
}

/** One record, before it has its place in the chain. */
export type AuditEntry = IntentEntry | ResultEntry | OutcomeEntry | OperatorEntry

/** The result that belongs to an intent. */
export const resultOf = (attempt: AuditedAttempt, answer: string, timeMs: number): ResultEntry => ({
  kind: 'result',
  time: new Date(timeMs).toISOString(),
  request: attempt.request,
  attempt: attempt.attempt,
  lease: attempt.lease,
  directory: attempt.directory,
  action: attempt.action,
  server: attempt.server,
  marker: attempt.marker,
  answer,
})

/** Events of Windows for an accepted write: 4724 a reset, 4723 a change, 4767 an unlock. A fence shows as 4738 at most. */
export function eventsOf(action: AuditedAttempt['action'], unlocks: boolean): readonly number[] {
  if (action === 'reset') return unlocks ? [4724, 4767] : [4724]
  if (action === 'change') return [4723]
  return action === 'unlock' ? [4767] : []
}
