// The accounts that a report is about: one search for whoever may be locked, or whose password may expire soon. What is true of
// each the read of the account tells.
import type { NoteworthyWish, Subject } from '../directory.ts'
import { bytesOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { fileTimeOfMoment } from './file-time.ts'
import type { AnchorAttribute } from './find-subject.ts'
import { guidText } from './guid.ts'

// Persons that are not disabled (userAccountControl bit 2, by the bitwise rule of MS-ADTS section 3.1.1.3.4.4.1).
const ENABLED_PERSON =
  '(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2))'
const PAGE = 500

/** Where to look, and by what accounts are known. */
export interface NoteworthyPlace {
  readonly units: readonly string[]
  readonly anchor: AnchorAttribute
  /** Of every policy under which passwords expire. */
  readonly maximumAgesMs: readonly number[]
}

/** Finds them, at most so many. Throws what a read throws. */
export async function findNoteworthy(
  client: ReadClient,
  { fromMs, untilMs, most }: NoteworthyWish,
  { units, anchor, maximumAgesMs }: NoteworthyPlace,
): Promise<readonly Subject[]> {
  const expiring = maximumAgesMs.map(
    (ageMs) =>
      `(&(pwdLastSet>=${fileTimeOfMoment(fromMs - ageMs)})(pwdLastSet<=${fileTimeOfMoment(untilMs - ageMs)}))`,
  )
  const filter = `(&${ENABLED_PERSON}(|(lockoutTime>=1)${expiring.join('')}))`
  const found = new Map<string, Subject>()
  for (const unit of units) {
    const attributes = ['objectGUID', ...(anchor === 'objectGUID' ? [] : [anchor])]
    const entries = await client.search(unit, {
      ...{ scope: 'sub', filter, attributes, explicitBufferAttributes: attributes },
      paged: { pageSize: PAGE },
    })
    for (const entry of entries) {
      const guid = (name: string) => guidText(bytesOf(entry, name) ?? Buffer.alloc(0))
      const [objectGuid, anchorValue] = [guid('objectGUID'), guid(anchor)]
      // Without its anchor the store knows no such account.
      if (objectGuid !== undefined && anchorValue !== undefined && found.size < most)
        found.set(objectGuid, { anchor: anchorValue, objectGuid })
    }
  }
  return [...found.values()]
}
