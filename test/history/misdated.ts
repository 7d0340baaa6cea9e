// A change that the directory dated by a clock that was set: the contract compares times of one clock, and an agent asks for
// that clock once a minute.
import { CLOCK_UNCERTAINTY_MS } from '../../src/protocol/identifiers.ts'
import type { History } from './index-history.ts'

/** The directory keeps the time of a password change in whole seconds. */
export const DIRECTORY_TICK_MS = 1_000
const LONGEST_UNASKED_MS = 60_000

/** A password change of somebody else beside a request, and when the request's agent read the account. */
export interface Dated {
  readonly server: string
  /** True time, as all of these. */
  readonly changedAt: number
  readonly issuedAt: number
  readonly readAt: number
}

/**
 * True when the server's clock was set less than a minute before the read, and by what the clock said before, the date of the
 * change is no later than the request. By the clock as it was when the change was made, it is never so.
 */
export function isMisdated({ supervisor }: History, { server, changedAt, issuedAt, readAt }: Dated): boolean {
  const settings = supervisor.flatMap((event) =>
    event.kind === 'clock' && event.of === server && event.at <= readAt ? [event] : [],
  )
  const dated = changedAt + (settings.findLast(({ at }) => at <= changedAt)?.aheadMs ?? 0)
  const isOver = (index: number) => (settings[index + 1]?.at ?? readAt) <= readAt - LONGEST_UNASKED_MS
  return settings.some(
    ({ aheadMs }, index) =>
      !isOver(index) && dated <= issuedAt + aheadMs + CLOCK_UNCERTAINTY_MS + DIRECTORY_TICK_MS,
  )
}
