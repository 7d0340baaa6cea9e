// Forgets what nobody needs any more: requests closed long ago, and enrolment codes that no longer serve.
import type { PurgePlace, Transaction } from '../database/repository.ts'

const KEPT_MS = 30 * 86_400_000
const PURGE_EVERY_MS = 3_600_000
const BATCH = 100

/** One step of purging, within the sweeper's transaction. */
export type PurgeStep = (records: Transaction, nowMs: number) => Promise<void>

/**
 * Makes the steps of one store. Once an hour a walk over old requests begins; each step looks at a hundred of them, so
 * that no call waits long. `monotonicMs` is the clock of the hour.
 */
export function createPurge(monotonicMs: () => number): PurgeStep {
  let nextWalkAt = monotonicMs()
  let place: PurgePlace | undefined
  return async (records, nowMs) => {
    if (place === undefined) {
      if (monotonicMs() < nextWalkAt) return
      nextWalkAt = monotonicMs() + PURGE_EVERY_MS
      await records.forgetEnrolmentCodes(nowMs)
    }
    place = await records.purgeRequests({ closedUntil: nowMs - KEPT_MS, after: place, most: BATCH })
  }
}
