// The groups an entry is in: direct ones by memberOf, where the overlay keeps it, and all of them by asking upwards who has
// it as a member, which needs no overlay.
import { type Entry, EqualityFilter, OrFilter } from 'ldapts'
import { textsOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'

const MEMBER_ATTRIBUTES = ['member', 'uniqueMember']
const DEEPEST = 16
const MOST_GROUPS = 2_000

/** A DN as groups are compared by: lower case. */
export const groupKey = (dn: string): string => dn.toLowerCase()

/**
 * DNs of every group the entry is in, nested ones too, as `groupKey` spells them; groups of POSIX name it by uid. Throws what
 * a read throws.
 */
export async function findGroups(
  client: ReadClient,
  suffix: string,
  entry: Entry,
): Promise<readonly string[]> {
  const known = new Set(textsOf(entry, 'memberOf').map(groupKey))
  let asked: readonly string[] = [entry.dn, ...textsOf(entry, 'memberOf')]
  let names = textsOf(entry, 'uid')
  for (let depth = 0; depth < DEEPEST && asked.length > 0 && known.size < MOST_GROUPS; depth += 1) {
    const found = await client.search(suffix, {
      scope: 'sub',
      filter: new OrFilter({
        filters: [
          ...asked.flatMap((value) =>
            MEMBER_ATTRIBUTES.map((attribute) => new EqualityFilter({ attribute, value })),
          ),
          ...names.map((value) => new EqualityFilter({ attribute: 'memberUid', value })),
        ],
      }),
      attributes: ['1.1'],
    })
    names = []
    asked = found.map(({ dn }) => dn).filter((dn) => !known.has(groupKey(dn)))
    for (const dn of asked) known.add(groupKey(dn))
  }
  return [...known]
}
