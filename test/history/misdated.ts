// A change that the directory dated by another clock than the agent reads: one that was set meanwhile, or that of another domain
// controller. The contract compares times of one clock, and an agent asks its server for that clock once a minute.
import { CLOCK_UNCERTAINTY_MS } from '../../src/protocol/identifiers.ts'
import type { History } from './index-history.ts'

/** The directory keeps the time of a password change in whole seconds. */
export const DIRECTORY_TICK_MS = 1_000
/** An agent asks its server for the time so often, and when it signs in. */
export const LONGEST_UNASKED_MS = 60_000

/** A password change of somebody else beside a request, and when the request's agent read the account. */
export interface Dated {
  readonly server: string
  /** Where the change was made, and by whose clock it is dated. */
  readonly changedOn: string
  /** True time, as all of these. */
  readonly changedAt: number
  readonly issuedAt: number
  readonly readAt: number
}

/**
 * True when the date of the change is no later than the request by what the read server's clock said within the minute before the
 * read. By one clock that was not set, it is never so.
 */
export function isMisdated(history: History, change: Dated): boolean {
  const { server, changedOn, changedAt, issuedAt, readAt } = change
  const settings = settingsOf(history, server, readAt)
  const dated =
    changedAt + (settingsOf(history, changedOn, readAt).findLast(({ at }) => at <= changedAt)?.aheadMs ?? 0)
  const isOver = (index: number) => (settings[index + 1]?.at ?? readAt) <= readAt - LONGEST_UNASKED_MS
  return settings.some(
    ({ aheadMs }, index) =>
      !isOver(index) && dated <= issuedAt + aheadMs + CLOCK_UNCERTAINTY_MS + DIRECTORY_TICK_MS,
  )
}

/** What a server's clock said until then; a clock that nobody speaks of is true. */
function settingsOf({ supervisor }: History, server: string, until: number) {
  const told = supervisor.flatMap((event) =>
    event.kind === 'clock' && event.of === server && event.at <= until ? [event] : [],
  )
  return told.length > 0 ? told : [{ at: Number.NEGATIVE_INFINITY, aheadMs: 0 }]
}
