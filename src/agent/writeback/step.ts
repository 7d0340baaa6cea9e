// What one stretch of work on a request leads to.
import type { Rule } from '../../policy/rule.ts'
import type { AccountState, EffectivePolicy } from '../../protocol/account-state.ts'
import type { FailureReason, Notice, RefusalReason } from '../../protocol/codes.ts'

/** What is known when a request ends: where, with which marker, and what is worth saying. */
export interface Circumstances {
  readonly server?: string
  readonly marker?: string | undefined
  readonly notices?: readonly Notice[]
  readonly detail?: string | undefined
  readonly account?: AccountState
  readonly rule?: Rule | undefined
  readonly policy?: EffectivePolicy | undefined
}

/** How a request ends. */
export type Ending =
  | { readonly outcome: 'applied' | 'superseded' | 'expired' | 'unknown' }
  | { readonly outcome: 'refused'; readonly reason: RefusalReason }
  | { readonly outcome: 'failed'; readonly reason: FailureReason }

/**
 * `end`: the request has its outcome. `wait`: it rests for a while. `again`: look anew, from the start.
 * `give_up`: the lease is another's; nothing is reported.
 */
export type Step =
  | { readonly kind: 'end'; readonly ending: Ending; readonly circumstances: Circumstances }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'again' }
  | { readonly kind: 'give_up' }

/** Ends the request. */
export const end = (ending: Ending, circumstances: Circumstances = {}): Step => ({
  kind: 'end',
  ending,
  circumstances,
})
/** Adds to an end where it was found out, and with which marker; what it says itself stays. */
export const atServer = (step: Step, found: Pick<Circumstances, 'server' | 'marker'>): Step =>
  step.kind === 'end' ? { ...step, circumstances: { ...found, ...step.circumstances } } : step
/** Rests for `ms` milliseconds. */
export const wait = (ms: number): Step => ({ kind: 'wait', ms })
/** Looks anew. */
export const AGAIN: Step = { kind: 'again' }
/** Leaves the request to whoever holds its lease now. */
export const GIVE_UP: Step = { kind: 'give_up' }
