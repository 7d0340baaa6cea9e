// What the journal tells of the writes of a request: the one the directory confirmed, and those of which nobody knows.
import type { AnsweredIntent } from '../journal/journal.ts'

/** The writes of a request that matter to its end. Fences have no effect and are none of them. */
export interface PastWrites {
  /** Confirmed by the directory; the process ended before the outcome was kept. */
  readonly landed: AnsweredIntent | undefined
  /** Sent, perhaps, and never answered. */
  readonly unanswered: readonly AnsweredIntent[]
}

/** Sorts the journaled attempts of one request. */
export function readPastWrites(tried: readonly AnsweredIntent[]): PastWrites {
  const writes = tried.filter(({ kind }) => kind === 'write')
  return {
    landed: writes.find(({ answer }) => answer === 'accepted'),
    unanswered: writes.filter(({ answer }) => answer === undefined || answer === 'lost'),
  }
}
