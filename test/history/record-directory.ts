// The observer of the directory itself: looks at bad password counts and lockouts while the run goes on, and at its end
// finds out by binds of its own which password each account has.
import type { SearchResult } from 'ldapts'
import { v5 } from 'uuid'
import { formatGuid, replaceAttribute, signInCode } from '../servers/directory-admin.ts'
import type { TestDomain } from '../servers/directory-kinds.ts'
import type { SambaDomain } from '../servers/samba-domain.ts'
import type { WorldUser } from '../servers/writeback-world.ts'
import type { SecretName } from './event.ts'
import type { Recorder } from './record-run.ts'

/** A password that an account may have had. */
export interface KnownSecret {
  readonly name: SecretName
  readonly secret: Buffer
}

const COMPUTED = 'msDS-User-Account-Control-Computed'
const LOCKED_BIT = 0x10
// The password is right; only a sign-in would want more.
const RIGHT_PASSWORD = new Set(['ok', '532', '773', '533', '701'])

/** The id by which store and agents know the one server of a domain: its invocationId, or made of the name of an OpenLDAP server. */
export async function readServerId(domain: TestDomain): Promise<string> {
  if (domain.kind === 'openldap') return v5(`ldaps://${domain.serverName}:${domain.port}`, v5.URL)
  const client = await domain.admin()
  const root = await client.search('', { scope: 'base', attributes: ['dsServiceName'] })
  const settings = String(root.searchEntries[0]?.['dsServiceName'])
  const { searchEntries } = await client.search(settings, {
    scope: 'base',
    attributes: ['invocationId'],
    explicitBufferAttributes: ['invocationId'],
  })
  return formatGuid(searchEntries[0]?.['invocationId'] as Buffer)
}

/** Looks at all accounts once; a server that is away shows nothing. */
export async function sampleAccounts(
  domain: TestDomain,
  users: ReadonlyMap<string, WorldUser>,
  recorder: Recorder,
): Promise<void> {
  for (const { user, badPasswordCount, isLocked } of await lookAt(domain, users).catch(() => []))
    recorder.add({
      at: recorder.now(),
      observer: 'directory',
      kind: 'sample',
      account: user.anchor,
      ...{ badPasswordCount, isLocked },
    })
}

/** How an account stands. */
interface Look {
  readonly user: WorldUser
  readonly badPasswordCount: number
  readonly isLocked: boolean
  readonly marker: string | undefined
}

async function lookAt(domain: TestDomain, users: ReadonlyMap<string, WorldUser>): Promise<readonly Look[]> {
  if (domain.kind === 'openldap')
    return Promise.all(
      [...users.values()].map(async (user) => {
        const { badPwdCount, locked, marker } = await domain.readAccount(user.dn)
        return { user, badPasswordCount: badPwdCount, isLocked: locked, marker }
      }),
    )
  return (await readAccounts(domain)).flatMap((entry) => {
    const user = users.get(String(entry.dn).toLowerCase())
    const marker = entry['adminDisplayName']
    const found = typeof marker === 'string' && marker !== '' ? marker : undefined
    const badPasswordCount = Number(entry['badPwdCount'] ?? 0)
    return user ? [{ user, badPasswordCount, isLocked: isLocked(entry), marker: found }] : []
  })
}

type Entry = SearchResult['searchEntries'][number]

const isLocked = (entry: Entry): boolean => (Number(entry[COMPUTED] ?? 0) & LOCKED_BIT) !== 0

// A connection of its own each time: what was open before a restart of the server tells nothing.
async function readAccounts(domain: SambaDomain): Promise<readonly Entry[]> {
  const client = await domain.admin()
  const attributes = ['badPwdCount', 'lockoutTime', COMPUTED, 'adminDisplayName']
  const { searchEntries } = await client.search(domain.peopleDn, {
    scope: 'one',
    filter: '(objectClass=user)',
    attributes,
  })
  return searchEntries
}

/**
 * Records the end state of every account. Each of its passwords is tried, the likeliest first; nothing can lock out
 * any more by then.
 */
export async function recordEndState(
  domain: TestDomain,
  users: ReadonlyMap<string, WorldUser>,
  secretsOf: (account: string) => readonly KnownSecret[],
  recorder: Recorder,
): Promise<void> {
  await domain.setPolicy({ lockoutThreshold: 0 })
  const admin = await domain.admin()
  for (const { user, isLocked, marker = null } of await lookAt(domain, users)) {
    if (isLocked) await replaceAttribute(admin, user.dn, ...UNLOCKED[domain.kind])
    const password = await findPassword(domain, user, secretsOf(user.anchor))
    recorder.add({
      at: recorder.now(),
      observer: 'directory',
      kind: 'end',
      account: user.anchor,
      password,
      ...{ marker, isLocked },
    })
  }
}

const UNLOCKED: Readonly<Record<TestDomain['kind'], [string, string[]]>> = {
  'active-directory': ['lockoutTime', ['0']],
  openldap: ['pwdAccountLockedTime', []],
}

async function findPassword(
  domain: TestDomain,
  user: WorldUser,
  secrets: readonly KnownSecret[],
): Promise<SecretName | null> {
  for (const { name, secret } of secrets)
    if (RIGHT_PASSWORD.has(await signInCode(domain.url, user.principal, secret))) return name
  return null
}
