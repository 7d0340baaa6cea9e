// The accounts that a report is about: one search for whoever may be locked, or whose password may expire soon. What is true of
// each the read of the account tells.
import { WritebackError } from '../../../errors/writeback-error.ts'
import { isGuid } from '../dashed-guid.ts'
import type { NoteworthyWish, Subject } from '../directory.ts'
import { textOf } from '../entry-values.ts'
import { generalizedTimeOf } from '../generalized-time.ts'
import type { ReadClient } from '../read-client.ts'
import { isSizeLimit } from './size-limit.ts'

const PAGE = 500
const CUT_OFF =
  'the server shows the service account fewer accounts than there are to report: give it olcLimits size.prtotal=unlimited'

/** Finds them, at most so many. Throws what a read throws. */
export async function findNoteworthySlapd(
  client: ReadClient,
  { fromMs, untilMs, most }: NoteworthyWish,
  { units, maximumAgesMs }: { readonly units: readonly string[]; readonly maximumAgesMs: readonly number[] },
): Promise<readonly Subject[]> {
  const expiring = maximumAgesMs.map(
    (ageMs) =>
      `(&(pwdChangedTime>=${generalizedTimeOf(fromMs - ageMs)})(pwdChangedTime<=${generalizedTimeOf(untilMs - ageMs)}))`,
  )
  const filter = `(|(pwdAccountLockedTime=*)${expiring.join('')})`
  const found = new Set<string>()
  for (const unit of units) {
    const entries = await client
      .search(unit, { scope: 'sub', filter, attributes: ['entryUUID'], paged: { pageSize: PAGE } })
      .catch((cause: unknown) => {
        throw isSizeLimit(cause)
          ? new WritebackError('ERR_DIRECTORY_REFUSED', CUT_OFF, { retry: 'later', cause })
          : cause
      })
    for (const entry of entries) {
      const uuid = textOf(entry, 'entryUUID')?.toLowerCase()
      if (uuid !== undefined && isGuid(uuid) && found.size < most) found.add(uuid)
    }
  }
  return [...found].map((uuid) => ({ anchor: uuid, objectGuid: uuid }))
}
