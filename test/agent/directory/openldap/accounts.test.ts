// Which entries of a real slapd may be written, what their states are called, and what keeps a session from opening.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { findExclusion } from '../../../../src/agent/decisions/judge-protection.ts'
import type { OpenLdapOptions } from '../../../../src/agent/directory/directory-options.ts'
import { accountOf } from '../../../../src/agent/directory/openldap/read-account.ts'
import { systemClock } from '../../../../src/clock/clock.ts'
import { adminPassword, oldPassword } from '../../../servers/canaries.ts'
import { ldapClient, replaceAttribute } from '../../../servers/directory-admin.ts'
import { createGroup, createPolicy, dateOldPassword, readEntryUuid } from '../../../servers/slapd-admin.ts'
import { type SlapdServer, startSlapdServer } from '../../../servers/slapd-server.ts'
import { read, resetTo, slapdDirectories, writeTo } from './slapd-directories.ts'

let server: SlapdServer
const { open, closeAll } = slapdDirectories()
let count = 0

beforeAll(async () => {
  server = await startSlapdServer({ policyValues: { pwdLockout: 'TRUE', pwdMaxFailure: '3' } })
})
afterEach(closeAll)
afterAll(() => server.stop())

const user = (attributes: Readonly<Record<string, string>> = {}) => {
  count += 1
  return server.createUser({ name: `account ${count}`, accountName: `a${count}`, attributes })
}
async function entry(rdn: string, attributes: Readonly<Record<string, string | string[]>>) {
  const dn = `${rdn},${server.peopleDn}`
  await (await server.admin()).add(dn, attributes as Record<string, string>)
  return { dn, objectGuid: await readEntryUuid(await server.admin(), dn) }
}
async function exclusionOf(objectGuid: string, options: Partial<OpenLdapOptions> = {}) {
  const session = await open(server, options).writer()
  return findExclusion(await read(session, objectGuid), session.rules)
}

test.each<[string, string[], Record<string, string>, string | undefined]>([
  ['a person', ['person'], { cn: 'x', sn: 'x' }, undefined],
  ['a service', ['account', 'simpleSecurityObject'], { userPassword: 'x' }, 'account_protected'],
  [
    'a role',
    ['organizationalRole', 'simpleSecurityObject'],
    { cn: 'x', userPassword: 'x' },
    'account_protected',
  ],
  ['a device', ['device'], { cn: 'x' }, 'account_protected'],
])('%s: %j with %j is %s', async (_what, objectClass, attributes, expected) => {
  count += 1
  const rdn = objectClass.includes('account') ? `uid=kind${count}` : `cn=x+description=kind${count}`
  const { objectGuid } = await entry(rdn, { objectClass, ...attributes })
  expect(await exclusionOf(objectGuid)).toBe(expected)
})

test('the service account and configured entries are protected', async () => {
  const { dn, objectGuid } = await user()
  expect(await exclusionOf(objectGuid)).toBeUndefined()
  expect(await exclusionOf(objectGuid, { protection: { accounts: [dn.toUpperCase()] } })).toBe(
    'account_protected',
  )
  expect(await exclusionOf(objectGuid, { scope: { units: [`ou=Groups,${server.baseDn}`] } })).toBe(
    'account_out_of_scope',
  )
  const own = (await open(server).writer()).rules.serviceAccount
  expect(own).toBe(await readEntryUuid(await server.admin(), server.serviceAccountDn))
})

test('a protected entry is known however its name is written, and where it moves', async () => {
  const { dn, objectGuid } = await entry('cn=Ann \\2B Bob+uid=ann', {
    ...{ objectClass: 'inetOrgPerson', sn: 'x' },
  })
  const spelled = `UID=ann + commonName=Ann \\+ Bob,ou=People,${server.baseDn}`
  expect(await exclusionOf(objectGuid, { protection: { accounts: [spelled] } })).toBe('account_protected')
  const session = await open(server, { protection: { accounts: [spelled] } }).writer()
  await (await server.admin()).modifyDN(dn, `cn=Ann Smith,${server.peopleDn}`)
  expect(findExclusion(await read(session, objectGuid), session.rules)).toBe('account_protected')
})

test('a protected entry outside of the scope need not be seen', async () => {
  const protection = { accounts: [`cn=Nobody,ou=Hidden,${server.baseDn}`] }
  const session = await open(server, { protection, scope: { units: [server.peopleDn] } }).writer()
  expect(session.rules.protectedEntries).toEqual([])
})

test('members of a group count, direct and nested, also where memberOf was never kept', async () => {
  const [direct, nested, other] = [await user(), await user(), await user()]
  const inner = await createGroup(await server.admin(), 'inner', [nested.dn])
  const outer = await createGroup(await server.admin(), 'outer', [direct.dn, inner])
  for (const { objectGuid } of [direct, nested]) {
    expect(await exclusionOf(objectGuid, { protection: { groups: [outer] } })).toBe('account_protected')
    expect(await exclusionOf(objectGuid, { scope: { groups: [outer.toUpperCase()] } })).toBeUndefined()
  }
  expect(await exclusionOf(other.objectGuid, { protection: { groups: [outer] } })).toBeUndefined()
  expect(await exclusionOf(other.objectGuid, { scope: { groups: [outer] } })).toBe('account_out_of_scope')
})

test('members of a POSIX group count, by memberUid and as their primary group, also nested', async () => {
  const admin = await server.admin()
  const posix = (gidNumber: string) => ({
    ...{ uidNumber: gidNumber, gidNumber, homeDirectory: '/' },
    objectClass: ['inetOrgPerson', 'posixAccount'] as never,
  })
  const [byName, byNumber, other] = [await user(), await user(posix('4801')), await user(posix('4802'))]
  const group = `cn=posix,ou=Groups,${server.baseDn}`
  await admin.add(group, { objectClass: 'posixGroup', gidNumber: '4801', memberUid: `a${count - 2}` })
  const outer = await createGroup(admin, 'around posix', [group])
  for (const { objectGuid } of [byName, byNumber])
    for (const groups of [[group], [outer]])
      expect(await exclusionOf(objectGuid, { protection: { groups } })).toBe('account_protected')
  expect(await exclusionOf(other.objectGuid, { protection: { groups: [group] } })).toBeUndefined()
})

test('an account whose groups have no end within 16 levels is unreadable, and not unprotected', async () => {
  const { dn, objectGuid } = await user()
  const admin = await server.admin()
  let top = dn
  for (let depth = 1; depth <= 18; depth += 1) top = await createGroup(admin, `level ${depth}`, [top])
  expect(await exclusionOf(objectGuid, { protection: { groups: [top] } })).toBe('unreadable')
})

test.each<[string, Partial<OpenLdapOptions>, RegExp]>([
  [
    'a unit that is not there',
    { scope: { units: ['ou=Nobody,dc=corp,dc=test'] } },
    /scope\.units names .*no such entry/,
  ],
  [
    'a group that is none',
    { protection: { groups: ['ou=People,dc=corp,dc=test'] } },
    /protection\.groups .*no group/,
  ],
  [
    'a protected entry that is not there',
    { protection: { accounts: ['uid=nobody,ou=People,dc=corp,dc=test'] } },
    /protection\.accounts names .*no such entry within the scope/,
  ],
  ['a protected entry that is no DN', { protection: { accounts: ['nobody'] } }, /accounts .*no DN/],
  ['what is no name', { scope: { groups: ['nothing'] } }, /scope\.groups names nothing/],
  ['a base DN of another server', { baseDn: 'dc=other,dc=test' }, /serves dc=corp,dc=test/],
  ['an attribute that the schema has not', { markerAttribute: 'noMarker' }, /no attribute noMarker/],
  ['an attribute with several values', { markerAttribute: 'description' }, /may have several values/],
  ['an operational attribute', { markerAttribute: 'pwdChangedTime' }, /is operational/],
  ['a class that is not auxiliary', { markerClass: 'person' }, /no auxiliary class/],
])('%s keeps the session from opening', async (_what, options, expected) => {
  await expect(open(server, options).writer()).rejects.toMatchObject({
    ...{ code: 'ERR_DIRECTORY_UNSUITABLE', message: expect.stringMatching(expected) },
  })
})

test('the rootdn is refused as service account, unless the configuration takes what that means', async () => {
  const asRoot: Partial<OpenLdapOptions> = {
    bindName: server.adminDn,
    readBindPassword: async () => adminPassword(),
  }
  await expect(open(server, asRoot).writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNSUITABLE' })
  const session = await open(server, { ...asRoot, history: 'preferred' }).writer()
  const { objectGuid } = await user()
  await server.setPolicy({}, { pwdMustChange: 'TRUE', pwdMinLength: '7' })
  expect(session.history).toBe('enforced')
  expect(await session.write(writeTo(await read(session, objectGuid), resetTo('short')))).toEqual({
    kind: 'accepted',
  })
  // slapd held this password to no policy, and asks for a change as after an administrator's reset.
  expect(session.history).toBe('not_enforced')
})

test('a rootdn with an entry of its own is known by its bind, which no policy answers', async () => {
  const admin = await server.admin()
  await admin.add(server.adminDn, { objectClass: 'organizationalRole', cn: 'admin' })
  try {
    const asRoot = { bindName: server.adminDn, readBindPassword: async () => adminPassword() }
    for (const history of ['required', 'preferred'] as const)
      await expect(open(server, { ...asRoot, history }).writer()).rejects.toMatchObject({
        ...{ code: 'ERR_DIRECTORY_UNSUITABLE', message: expect.stringMatching(/the account is the rootdn/) },
      })
  } finally {
    await admin.del(server.adminDn)
  }
})

test('a service account that is locked, or whose password expired, is named as such, and no failure is counted', async () => {
  const { dn } = await user()
  const impatient = { bindBackoff: { firstMs: 20, longestMs: 20 } }
  const refusedWith = async (words: string) => {
    const directory = open(server, {
      bindName: dn,
      readBindPassword: async () => oldPassword(),
      ...impatient,
    })
    for (let round = 0; round < 3; round += 1) {
      await expect(directory.writer()).rejects.toMatchObject({
        ...{ code: 'ERR_DIRECTORY_BIND_REFUSED', retry: 'later' },
        message: expect.stringContaining(words),
      })
      await systemClock.sleep(30)
    }
    expect(await server.readAccount(dn)).toMatchObject({ badPwdCount: 0 })
  }
  const admin = await server.admin()
  await replaceAttribute(admin, dn, 'pwdAccountLockedTime', ['000001010000Z'])
  await refusedWith('the account is locked (49)')
  await replaceAttribute(admin, dn, 'pwdAccountLockedTime', [])
  await createPolicy(admin, 'brief', { pwdMaxAge: '60' }, [dn])
  await dateOldPassword(admin, dn)
  await refusedWith('its password expired (49)')
})

test('what the size limit of the server cuts off is told: an account in too many groups, a report of too many accounts', async () => {
  const { dn, objectGuid } = await server.createUser({ name: 'in many', accountName: 'inmany' })
  const admin = await server.admin()
  const groups: string[] = []
  for (let count = 0; count < 7; count += 1) groups.push(await createGroup(admin, `many ${count}`, [dn]))
  for (let count = 0; count < 7; count += 1) {
    const user = await server.createUser({ name: `noted ${count}`, accountName: `noted${count}` })
    await replaceAttribute(admin, user.dn, 'pwdAccountLockedTime', ['000001010000Z'])
  }
  const config = await ldapClient(server.url)
  await config.bind('cn=config', adminPassword().toString())
  const database = 'olcDatabase={1}mdb,cn=config'
  await replaceAttribute(config, database, 'olcSizeLimit', ['5'])
  const protection = { groups: [groups[0] as string] }
  const everything = { fromMs: 0, untilMs: 1, most: 100 }
  // The limits of install/openldap go further.
  const session = await open(server, { protection }).writer()
  expect((await read(session, objectGuid)).unreadable).toEqual([])
  expect((await session.findNoteworthy(everything)).length).toBeGreaterThanOrEqual(7)
  await replaceAttribute(config, database, 'olcLimits', [])
  const limited = await open(server, { protection }).writer()
  expect((await read(limited, objectGuid)).unreadable).toEqual([expect.stringContaining('size limit')])
  await expect(limited.findNoteworthy(everything)).rejects.toMatchObject({
    ...{ code: 'ERR_DIRECTORY_REFUSED', retry: 'later' },
    message: expect.stringContaining('olcLimits size.prtotal=unlimited'),
  })
  await replaceAttribute(config, database, 'olcSizeLimit', [])
  await config.unbind()
})

test('times and policies make the state: expired, not yet begun, a lock of a policy that locks nobody', async () => {
  const session = await open(server).writer()
  const ended = await user({ pwdEndTime: '20200101000000Z' })
  expect((await read(session, ended.objectGuid)).expiresAtMs).toBe(Date.UTC(2020, 0, 1))
  const later = await user({ pwdStartTime: '20990101000000Z' })
  expect((await read(session, later.objectGuid)).disabled).toBe(true)
  const { dn, objectGuid } = await user()
  const policy = await createPolicy(
    await server.admin(),
    'lenient',
    { pwdLockout: 'FALSE', pwdMaxAge: '60', pwdMustChange: 'FALSE', pwdAllowUserChange: 'FALSE' },
    [dn],
  )
  await replaceAttribute(await server.admin(), dn, 'pwdAccountLockedTime', ['000001010000Z'])
  const account = await read(session, objectGuid, 'inspect')
  expect(account).toMatchObject({
    locked: false,
    disabled: false,
    mustChangeIsIdle: true,
    changeDenied: true,
  })
  expect(account.policyDn).toBe(policy)
  expect(account.passwordExpiresAtMs).toBe((account.passwordSetAtMs ?? 0) + 60_000)
  expect(await session.readPolicy(account)).toMatchObject({
    policy: { name: 'lenient', source: 'fine_grained', maximumAgeMs: 60_000, lockoutThreshold: 0 },
  })
})

test.each([
  ['000001010000Z', { disabled: true, locked: false, unreadable: [] }],
  ['00000101000000Z', { disabled: true, locked: false, unreadable: [] }],
  [
    '209901010000+0100',
    { disabled: false, locked: true, unreadable: [], lockedAtMs: Date.UTC(2098, 11, 31, 23) },
  ],
])('a lock of %s is told as what it is', async (time, expected) => {
  const { dn, objectGuid } = await user()
  await replaceAttribute(await server.admin(), dn, 'pwdAccountLockedTime', [time])
  expect(await read(await open(server).writer(), objectGuid)).toMatchObject(expected)
})

test('an entry with a time that is none is unreadable, and not unlocked', () => {
  const strange = { dn: 'uid=x', objectClass: 'person', pwdAccountLockedTime: 'for ever', pwdEndTime: '2026' }
  const account = accountOf(strange, {
    ...{ place: { suffix: '', markerAttribute: 'm', markerClass: 'c' }, policyDn: undefined, nowMs: 0 },
    ...{ policy: { kind: 'unreadable', name: '', problem: '' }, membership: { groups: [], unreadable: [] } },
  })
  expect(account.unreadable).toEqual(['pwdAccountLockedTime', 'pwdEndTime'])
})

test('an account whose policy nobody names has one that cannot be read, and that is said', async () => {
  const session = await open(server, { policyDn: undefined }).writer()
  const { objectGuid } = await user()
  const account = await read(session, objectGuid)
  expect(await session.readPolicy(account)).toMatchObject({
    kind: 'unreadable',
    problem: expect.stringContaining('policy'),
  })
  const policies = await session.readPolicies()
  expect(policies.policies.map(({ name }) => name)).toContain('writeback-service')
})

test('an entryUUID is the only anchor, and nothing else gets to the server', async () => {
  const session = await open(server).writer()
  for (const anchor of ['*', 'uid=x', '{x}'])
    await expect(session.readAccount({ anchor, objectGuid: null }, 'reset')).rejects.toMatchObject({
      code: 'ERR_DOCUMENT_INVALID',
    })
  expect(session.server).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/)
})
