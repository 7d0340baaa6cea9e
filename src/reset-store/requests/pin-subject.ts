// The pin: after an inspect the store knows which entry stands behind an anchor that an administrator could move to another.
import type { Outcome } from '../../protocol/outcome.ts'
import type { RequestRecord, Transaction } from '../database/repository.ts'

/** A pin that was set or changed. */
export interface Pin {
  readonly directory: string
  readonly anchor: string
  readonly before: string | null
  readonly after: string
}

/**
 * Pins the entry that an accepted inspect found, also where its objectGUID is the anchor: what attribute the anchor
 * comes from is known to the agent alone, and another one may well hold the same value. The inspect that was asked for
 * last decides, whichever answers last.
 */
export async function pinSubject(
  records: Transaction,
  { operation, directory, anchor, createdAt }: RequestRecord,
  { account }: Outcome,
): Promise<Pin | undefined> {
  if (operation !== 'inspect' || account === null) return undefined
  const user = await records.findUser(directory, anchor)
  const after = account.objectGuid
  const isPinned = await records.pinUser(directory, anchor, { objectGuid: after, askedAt: createdAt })
  if (!isPinned || !user || user.objectGuid === after) return undefined
  return { directory, anchor, before: user.objectGuid, after }
}
