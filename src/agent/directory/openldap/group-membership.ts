// The groups an entry is in: direct ones by memberOf, where the overlay keeps it, and all of them by asking upwards who has
// it as a member, which needs no overlay. Groups of POSIX name members by uid, and a primary group by number.
import { AndFilter, type Entry, EqualityFilter, type Filter, OrFilter } from 'ldapts'
import { textsOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { isSizeLimit } from './size-limit.ts'

const MEMBER_ATTRIBUTES = ['member', 'uniqueMember']
const DEEPEST = 16
const MOST_GROUPS = 2_000

/** A DN as groups are compared by: lower case. */
export const groupKey = (dn: string): string => dn.toLowerCase()

/** What is known of the groups of an entry. */
export interface Membership {
  /** DNs of every group, nested ones too, as `groupKey` spells them. */
  readonly groups: readonly string[]
  /** What keeps that from being all of them; none: it is all. */
  readonly unreadable: readonly string[]
}

/** Finds every group the entry is in. Throws what a read throws. */
export async function findGroups(client: ReadClient, suffix: string, entry: Entry): Promise<Membership> {
  const known = new Set(textsOf(entry, 'memberOf').map(groupKey))
  let asked: readonly string[] = [entry.dn, ...textsOf(entry, 'memberOf')]
  let byNumberOrName = posixFilters(entry)
  for (let depth = 0; depth < DEEPEST && asked.length > 0 && known.size < MOST_GROUPS; depth += 1) {
    const filters = [...asked.flatMap(memberFilters), ...byNumberOrName]
    const found = await client
      .search(suffix, { scope: 'sub', filter: new OrFilter({ filters }), attributes: ['1.1'] })
      .catch((error: unknown) => {
        if (isSizeLimit(error)) return undefined
        throw error
      })
    if (found === undefined) return { groups: [...known], unreadable: [...hiddenNames(entry), CUT_OFF] }
    byNumberOrName = []
    asked = found.map(({ dn }) => dn).filter((dn) => !known.has(groupKey(dn)))
    for (const dn of asked) known.add(groupKey(dn))
  }
  const unreadable = asked.length === 0 ? [] : [TOO_MANY]
  return { groups: [...known], unreadable: [...hiddenNames(entry), ...unreadable] }
}

const CUT_OFF = 'all of its groups (more than the size limit of the server shows)'
const TOO_MANY = `all of its groups (nested in more than ${DEEPEST - 1} levels, or ${MOST_GROUPS} or more)`

const memberFilters = (value: string): readonly Filter[] =>
  MEMBER_ATTRIBUTES.map((attribute) => new EqualityFilter({ attribute, value }))

const posixFilters = (entry: Entry): readonly Filter[] => [
  ...textsOf(entry, 'uid').map((value) => new EqualityFilter({ attribute: 'memberUid', value })),
  ...textsOf(entry, 'gidNumber').map(
    (value) =>
      new AndFilter({
        filters: [
          new EqualityFilter({ attribute: 'objectClass', value: 'posixGroup' }),
          new EqualityFilter({ attribute: 'gidNumber', value }),
        ],
      }),
  ),
]

// A posixAccount always has both (RFC 2307 §4): one that is not there is hidden.
const hiddenNames = (entry: Entry): readonly string[] =>
  textsOf(entry, 'objectClass').some((name) => name.toLowerCase() === 'posixaccount')
    ? ['uid', 'gidNumber'].filter((attribute) => textsOf(entry, attribute).length === 0)
    : []
