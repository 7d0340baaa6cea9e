// The observer of the directory itself: looks at bad password counts and lockouts while the run goes on, and at its end
// finds out by binds of its own which password each account has.
import type { Client, SearchResult } from 'ldapts'
import { formatGuid, replaceAttribute, signInCode } from '../servers/directory-admin.ts'
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

/** The id by which store and agents know the one server of a domain: its invocationId. */
export async function readServerId(domain: SambaDomain): Promise<string> {
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
  domain: SambaDomain,
  users: ReadonlyMap<string, WorldUser>,
  recorder: Recorder,
): Promise<void> {
  const entries = await readAccounts(domain).catch(() => [])
  for (const entry of entries) {
    const user = users.get(String(entry.dn).toLowerCase())
    if (!user) continue
    recorder.add({
      at: recorder.now(),
      observer: 'directory',
      kind: 'sample',
      account: user.anchor,
      badPasswordCount: Number(entry['badPwdCount'] ?? 0),
      isLocked: isLocked(entry),
    })
  }
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
  domain: SambaDomain,
  users: ReadonlyMap<string, WorldUser>,
  secretsOf: (account: string) => readonly KnownSecret[],
  recorder: Recorder,
): Promise<void> {
  await domain.setPolicy({ lockoutThreshold: 0 })
  const admin = await domain.admin()
  for (const entry of await readAccounts(domain)) {
    const user = users.get(String(entry.dn).toLowerCase())
    if (!user) continue
    if (isLocked(entry)) await replaceAttribute(admin as Client, user.dn, 'lockoutTime', ['0'])
    const password = await findPassword(domain, user, secretsOf(user.anchor))
    const marker = entry['adminDisplayName']
    recorder.add({
      at: recorder.now(),
      observer: 'directory',
      kind: 'end',
      account: user.anchor,
      password,
      marker: typeof marker === 'string' && marker !== '' ? marker : null,
      isLocked: isLocked(entry),
    })
  }
}

async function findPassword(
  domain: SambaDomain,
  user: WorldUser,
  secrets: readonly KnownSecret[],
): Promise<SecretName | null> {
  for (const { name, secret } of secrets)
    if (RIGHT_PASSWORD.has(await signInCode(domain.url, user.principal, secret))) return name
  return null
}
