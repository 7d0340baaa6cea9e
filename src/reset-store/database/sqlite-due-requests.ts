// Requests that end by time, looked for only when one may be due.
import type { DatabaseSync } from 'node:sqlite'
import type { OnUndone } from './group-commit.ts'
import type { RequestRecord } from './repository.ts'
import { type RequestRow, requestOf } from './request-row.ts'

/** Which requests have come to their end by time. */
export interface DueRequests {
  /** Those that are overdue, the earliest first. */
  readonly find: (now: number) => RequestRecord[]
  /** Notes that one more ends at this moment. */
  readonly added: (at: number) => void
}

/**
 * Prepares the statements once. Asked in every transaction, and next to never is anything overdue, so the next moment is remembered:
 * a request that is there never becomes due earlier.
 */
export function createDueRequests(database: DatabaseSync, onUndone: OnUndone): DueRequests {
  const overdue = database.prepare('SELECT * FROM requests WHERE due_at <= ? ORDER BY due_at')
  const first = database.prepare('SELECT min(due_at) AS at FROM requests WHERE due_at IS NOT NULL')
  // Nothing is due before.
  let earliest = Number.NEGATIVE_INFINITY
  onUndone(() => {
    earliest = Number.NEGATIVE_INFINITY
  })
  return {
    find: (now) => {
      if (now < earliest) return []
      const found = (overdue.all(now) as unknown as RequestRow[]).map(requestOf)
      if (found.length === 0) earliest = Number(first.get()?.['at'] ?? Number.POSITIVE_INFINITY)
      return found
    },
    added: (at) => {
      earliest = Math.min(earliest, at)
    },
  }
}
