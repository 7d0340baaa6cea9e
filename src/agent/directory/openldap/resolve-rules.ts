// Turns the configured scope and protection into what the directory itself says. A rule that names nothing is no rule, so
// whatever cannot be found keeps the session from opening.
import type { Entry } from 'ldapts'
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { AccountRules } from '../../decisions/account-rules.ts'
import { canonicalName, mayBeWithin } from '../../decisions/canonical-name.ts'
import { isWithin } from '../../decisions/distinguished-name.ts'
import { textOf, textsOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { unsuitable } from '../unsuitable.ts'
import { groupKey } from './group-membership.ts'
import { ACCOUNT_CLASSES } from './persons-account.ts'

/** Scope and protection as configured; all DNs. */
export interface ConfiguredRules {
  readonly baseDn: string
  readonly units?: readonly string[] | undefined
  readonly groups?: readonly string[] | undefined
  readonly protectedGroups?: readonly string[] | undefined
  readonly protectedAccounts?: readonly string[] | undefined
}

/** The rules, without the service account. */
export type ResolvedRules = Omit<AccountRules, 'serviceAccount'>

/**
 * Looks every configured unit, group and account up. Throws ERR_DIRECTORY_UNSUITABLE (later) with the key and the next step
 * for one that is not there, a unit outside the base DN, or a group that is none; and what a read throws.
 */
export async function resolveSlapdRules(
  client: ReadClient,
  url: string,
  configured: ConfiguredRules,
): Promise<ResolvedRules> {
  const readNamed = async (name: string, key: string): Promise<Entry> => {
    const entry = name.trim() === '' ? undefined : await readBase(client, url, name, key)
    if (entry !== undefined && textOf(entry, 'objectClass') !== undefined) return entry
    throw refuse(
      url,
      key,
      name,
      'no such entry, or it cannot be read; correct the configuration or grant read access',
    )
  }
  const base = (await readNamed(configured.baseDn, 'baseDn')).dn
  const units: string[] = []
  for (const name of configured.units ?? []) {
    const unit = (await readNamed(name, 'scope.units')).dn
    if (!isWithin(unit, base)) throw refuse(url, 'scope.units', name, `it lies outside the baseDn ${base}`)
    units.push(unit)
  }
  const readGroups = async (names: readonly string[] | undefined, key: string) => {
    const groups: string[] = []
    for (const name of names ?? []) {
      const entry = await readNamed(name, key)
      if (!isGroup(entry)) throw refuse(url, key, name, 'it is no group')
      if (await hidesMembers(client, entry))
        throw refuse(
          url,
          key,
          name,
          'its members cannot be searched; grant that right, or it protects nobody',
        )
      groups.push(groupKey(entry.dn))
    }
    return groups
  }
  const scope = configured.units === undefined ? [base] : units
  return {
    units: scope,
    groups: await readGroups(configured.groups, 'scope.groups'),
    protectedGroups: await readGroups(configured.protectedGroups, 'protection.groups'),
    protectedAccounts: configured.protectedAccounts ?? [],
    protectedEntries: await findProtected(client, url, configured.protectedAccounts ?? [], scope),
    accountClasses: ACCOUNT_CLASSES,
  }
}

/** entryUUIDs of the protected entries that could be written: a name alone may be another spelling of theirs. */
async function findProtected(
  client: ReadClient,
  url: string,
  names: readonly string[],
  scope: readonly string[],
): Promise<readonly string[]> {
  const key = 'protection.accounts'
  const found: string[] = []
  for (const name of names) {
    if (canonicalName(name) === undefined)
      throw refuse(url, key, name, 'it is no DN; correct the configuration')
    const entry = await readBase(client, url, name, key)
    const entryUuid = entry && textOf(entry, 'entryUUID')
    if (entryUuid !== undefined) found.push(entryUuid)
    else if (scope.some((unit) => mayBeWithin(name, unit)))
      throw refuse(
        url,
        key,
        name,
        'no such entry within the scope, or its entryUUID cannot be read; correct the name, grant read access, or narrow scope.units',
      )
  }
  return found
}

// Which attributes tell the members of each class of groups. The first two classes are never empty (RFC 4519 §3.5).
const MEMBERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['groupofnames', ['member']],
  ['groupofuniquenames', ['uniqueMember']],
  ['groupofmembers', ['member']],
  ['posixgroup', ['memberUid', 'gidNumber']],
])
const NEVER_EMPTY = ['groupofnames', 'groupofuniquenames']

const classesOf = (entry: Entry): readonly string[] =>
  textsOf(entry, 'objectClass').map((name) => name.toLowerCase())
const isGroup = (entry: Entry): boolean => classesOf(entry).some((name) => MEMBERS.has(name))

/**
 * A right to search can be seen in an empty group too: without it neither "has members" nor "has none" is true, because slapd
 * then knows neither (RFC 4511 §4.5.1.7: Undefined).
 */
async function hidesMembers(client: ReadClient, entry: Entry): Promise<boolean> {
  const asked = classesOf(entry).flatMap((name) =>
    (MEMBERS.get(name) ?? []).map((attribute) =>
      NEVER_EMPTY.includes(name) ? `(${attribute}=*)` : `(|(${attribute}=*)(!(${attribute}=*)))`,
    ),
  )
  const filter = `(&${asked.join('')})`
  const found = await client.search(entry.dn, { scope: 'base', filter, attributes: ['1.1'] })
  return found.length === 0
}

async function readBase(
  client: ReadClient,
  url: string,
  name: string,
  key: string,
): Promise<Entry | undefined> {
  try {
    const [entry] = await client.search(name, { scope: 'base', attributes: ['objectClass', 'entryUUID'] })
    return entry
  } catch (cause) {
    if (!(cause instanceof WritebackError) || cause.code !== 'ERR_DIRECTORY_REFUSED') throw cause
    throw refuse(url, key, name, 'the directory does not take this name; correct the configuration', cause)
  }
}

const refuse = (url: string, key: string, name: string, why: string, cause?: unknown): WritebackError =>
  unsuitable(url, `${key} names ${name || 'nothing'}: ${why}`, cause)
