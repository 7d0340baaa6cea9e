// What tests do to a domain as its Administrator, over LDAPS with ldapts: make users, set policy, read the end state.
import { readFile } from 'node:fs/promises'
import { Attribute, Change, Client } from 'ldapts'
import { adminPassword, oldPassword } from './canaries.ts'
import { testCa } from './test-ca.ts'

/** A user to create. */
export interface NewUser {
  /** The common name; may hold any character. */
  readonly name: string
  /** Default: the name without what sAMAccountName forbids, 20 characters at most. */
  readonly accountName?: string
  /** Organisational unit below the base DN. Default `People`. */
  readonly ou?: string
  /** Default: the canary `oldPassword`. */
  readonly password?: Buffer
  readonly attributes?: Readonly<Record<string, string | string[] | Buffer>>
}

/** A user as created. */
export interface CreatedUser {
  readonly dn: string
  /** Lower case, with dashes. */
  readonly objectGuid: string
  readonly accountName: string
  /** user@realm, for binds and kinit. */
  readonly principal: string
}

/** Domain-wide password policy, written to the domain root. Domain defaults: 7 characters, history 24, 1 day, no lockout. */
export interface DomainPolicy {
  readonly minPasswordAgeMs?: number
  readonly minPasswordLength?: number
  readonly passwordHistoryLength?: number
  /** 0: accounts never lock. */
  readonly lockoutThreshold?: number
  readonly lockoutDurationMs?: number
  readonly lockoutWindowMs?: number
}

/** The state of an account that tests compare. */
export interface AccountState {
  readonly badPwdCount: number
  readonly lockoutTime: bigint
  readonly pwdLastSet: bigint
  /** The computed lockout bit. */
  readonly locked: boolean
  /** The agent's marker, wherever the directory keeps it. */
  readonly marker: string | undefined
  readonly mustChange: boolean
}

/** Where a domain is, as the functions of this file need it. */
export interface DirectoryPlace {
  readonly url: string
  readonly baseDn: string
  readonly realm: string
}

/** An ldapts client for `url` that checks the server's certificate against the test CA, not yet bound. */
export async function ldapClient(url: string, timeoutMs = 5_000): Promise<Client> {
  const ca = await readFile((await testCa()).caFile)
  return new Client({
    url,
    timeout: timeoutMs,
    connectTimeout: timeoutMs,
    tlsOptions: { ca, servername: 'dc1.corp.test' },
  })
}

/** A client bound as Administrator. The caller ends it with `unbind()`. */
export async function adminClient(place: DirectoryPlace): Promise<Client> {
  const client = await ldapClient(place.url, 15_000)
  await client.bind(adminDn(place.baseDn), adminPassword().toString())
  return client
}

/** DN of the Administrator below `baseDn`. */
export const adminDn = (baseDn: string): string => `CN=Administrator,CN=Users,${baseDn}`

/** True when `password` is accepted by a simple bind. A refusal (49) is false; any other failure is thrown. */
export const canBind = async (url: string, name: string, password: Buffer): Promise<boolean> =>
  (await signInCode(url, name, password)) === 'ok'

/**
 * What a simple bind is answered with: `ok`, or the directory's own code: 52e wrong password, 532 password expired, 533
 * disabled, 701 account expired, 773 must change, 775 locked. A wrong password hides 532, 533, 701 and 773.
 */
export async function signInCode(url: string, name: string, password: Buffer): Promise<string> {
  const client = await ldapClient(url)
  try {
    await client.bind(name, password.toString())
    return 'ok'
  } catch (error) {
    if ((error as { code?: unknown }).code !== 49) throw error
    return /data ([0-9a-f]+)/.exec(String(error))?.[1] ?? 'refused'
  } finally {
    await client.unbind().catch(() => undefined)
  }
}

/** The value of `unicodePwd` for a password: quoted, UTF-16 little endian. */
export const unicodePwd = (password: Buffer): Buffer => Buffer.from(`"${password.toString()}"`, 'utf16le')

/** Creates an enabled user. */
export async function createUser(client: Client, place: DirectoryPlace, user: NewUser): Promise<CreatedUser> {
  const accountName = user.accountName ?? user.name.replace(/["/\\[\]:;|=,+*?<>@#\s]/g, '').slice(0, 20)
  const dn = `CN=${escapeRdn(user.name)},OU=${user.ou ?? 'People'},${place.baseDn}`
  const principal = `${accountName}@${place.realm.toLowerCase()}`
  await client.add(dn, {
    objectClass: 'user',
    sAMAccountName: accountName,
    userPrincipalName: principal,
    userAccountControl: '512',
    ...user.attributes,
    unicodePwd: unicodePwd(user.password ?? oldPassword()),
  } as unknown as Record<string, string>)
  return { dn, accountName, principal, objectGuid: await readGuid(client, dn) }
}

/** The objectGUID of an entry, lower case with dashes. */
export async function readGuid(client: Client, dn: string): Promise<string> {
  const { objectGUID } = await readEntry(client, dn, ['objectGUID'])
  return formatGuid(objectGUID as Buffer)
}

/** Sets a password as an administrator does, past the agent. */
export const setPassword = (client: Client, dn: string, password: Buffer): Promise<void> =>
  client.modify(
    dn,
    new Change({
      operation: 'replace',
      modification: new Attribute({ type: 'unicodePwd', values: [unicodePwd(password)] }),
    }),
  )

/** Reads attributes of one entry; missing ones are `[]`, binary ones (objectGUID, objectSid) are Buffers. */
export async function readEntry(
  client: Client,
  dn: string,
  attributes: string[],
): Promise<Record<string, Buffer | Buffer[] | string[] | string>> {
  const explicitBufferAttributes = ['objectGUID', 'objectSid', 'replPropertyMetaData', 'nTSecurityDescriptor']
  const { searchEntries } = await client.search(dn, { scope: 'base', attributes, explicitBufferAttributes })
  const [entry] = searchEntries
  if (!entry) throw new Error(`no entry ${dn}`)
  return entry
}

/** Reads what a reset, an unlock or a bad bind changes. */
export async function readAccountState(client: Client, dn: string): Promise<AccountState> {
  const computed = 'msDS-User-Account-Control-Computed'
  const names = ['badPwdCount', 'lockoutTime', 'pwdLastSet', computed, 'adminDisplayName']
  const entry = await readEntry(client, dn, names)
  const text = (name: string) => (typeof entry[name] === 'string' ? entry[name] : undefined)
  return {
    badPwdCount: Number(text('badPwdCount') ?? 0),
    lockoutTime: BigInt(text('lockoutTime') ?? 0),
    pwdLastSet: BigInt(text('pwdLastSet') ?? 0),
    locked: (Number(text(computed) ?? 0) & 0x10) !== 0,
    marker: text('adminDisplayName'),
    mustChange: text('pwdLastSet') === '0',
  }
}

/** Replaces one attribute of an entry. */
export const replaceAttribute = (
  client: Client,
  dn: string,
  type: string,
  values: string[] | Buffer[],
): Promise<void> =>
  client.modify(dn, new Change({ operation: 'replace', modification: new Attribute({ type, values }) }))

/** Writes the given parts of the policy to the domain root (2 ms). */
export async function setDomainPolicy(client: Client, baseDn: string, policy: DomainPolicy): Promise<void> {
  const ticks = (ms: number | undefined) => (ms === undefined ? undefined : String(BigInt(ms) * -10_000n))
  const values: Record<string, string | undefined> = {
    minPwdAge: ticks(policy.minPasswordAgeMs),
    minPwdLength: policy.minPasswordLength?.toString(),
    pwdHistoryLength: policy.passwordHistoryLength?.toString(),
    lockoutThreshold: policy.lockoutThreshold?.toString(),
    lockoutDuration: ticks(policy.lockoutDurationMs),
    lockOutObservationWindow: ticks(policy.lockoutWindowMs),
  }
  const changes = Object.entries(values).flatMap(([type, value]) =>
    value === undefined
      ? []
      : [new Change({ operation: 'replace', modification: new Attribute({ type, values: [value] }) })],
  )
  if (changes.length > 0) await client.modify(baseDn, changes)
}

/** objectGUID bytes as text: the first three groups are little endian. */
export function formatGuid(bytes: Buffer): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
  const hex = Buffer.from(order.map((at) => bytes[at] as number)).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** Escapes a value for use in a DN (RFC 4514 section 2.4). */
export const escapeRdn = (value: string): string =>
  value
    .replace(/[",+;<>\\=]/g, '\\$&')
    .replace(/^[ #]/, '\\$&')
    .replace(/ $/, '\\ ')

/** True when an anonymous read of the root entry is answered over verified TLS. */
export async function answersRootRead(url: string): Promise<boolean> {
  const client = await ldapClient(url, 500)
  try {
    await client.search('', { scope: 'base', attributes: ['dnsHostName'] })
    return true
  } catch {
    return false
  } finally {
    await client.unbind().catch(() => undefined)
  }
}
