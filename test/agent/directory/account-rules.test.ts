// Scope, protection and groups on a real domain controller, read by the least-privileged service account.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { Attribute, Change } from 'ldapts'
import { sidText } from '../../../src/agent/directory/active-directory/sid.ts'
import type { ActiveDirectoryOptions } from '../../../src/agent/directory/directory-options.ts'
import { createManualClock } from '../../fakes/manual-clock.ts'
import { readEntry, readGuid, replaceAttribute } from '../../servers/directory-admin.ts'
import { type SambaDomain, startSambaDomain } from '../../servers/samba-domain.ts'
import { openedDirectories, readAccount } from './opened-directories.ts'

const directories = openedDirectories()
let domain: SambaDomain
beforeAll(async () => {
  domain = await startSambaDomain()
})
afterEach(() => directories.closeAll())
afterAll(() => domain?.stop())
const open = (changes: Partial<ActiveDirectoryOptions> = {}) => directories.open(domain, changes)

const DISTRIBUTION = '2'
const DOMAIN_LOCAL = '-2147483644'
/** Makes a group, global and security-enabled unless told otherwise; gives its DN and SID. */
async function createGroup(name: string, members: readonly string[], groupType?: string) {
  const dn = `CN=${name},OU=Outside,${domain.baseDn}`
  const admin = await domain.admin()
  await admin.add(dn, {
    objectClass: 'group',
    sAMAccountName: name,
    ...(members.length === 0 ? {} : { member: [...members] }),
    ...(groupType === undefined ? {} : { groupType }),
  })
  return { dn, sid: await sidOf(dn) }
}
async function sidOf(dn: string): Promise<string> {
  const { objectSid } = await readEntry(await domain.admin(), dn, ['objectSid'])
  return sidText(objectSid as Buffer) ?? ''
}
async function addMember(group: string, member: string): Promise<void> {
  const modification = new Attribute({ type: 'member', values: [member] })
  await (await domain.admin()).modify(group, new Change({ operation: 'add', modification }))
}

test('units come in the directory’s own spelling, and default to the base DN', async () => {
  const base = `dc=CORP, dc=Test`
  const plain = await open({ baseDn: base }).writer()
  expect(plain.rules).toMatchObject({ units: [domain.baseDn], groups: [], protectedGroups: [] })
  const admin = await domain.admin()
  await admin.add(`OU=Sales\\, East,${domain.peopleDn}`, { objectClass: 'organizationalUnit' })
  const units = [`ou=SALES\\2c east , ou=people,${base}`, domain.peopleDn.toLowerCase()]
  const scoped = await open({ baseDn: base, scope: { units } }).writer()
  expect(scoped.rules.units).toEqual([`OU=Sales\\, East,${domain.peopleDn}`, domain.peopleDn])
})

test('groups are known by SID, however they are named', async () => {
  const group = await createGroup('self service', [])
  const scope = { groups: [group.dn.toUpperCase(), group.sid] }
  const protection = { groups: ['S-1-5-32-544', `CN=Domain Admins,CN=Users,${domain.baseDn}`] }
  const { rules } = await open({ scope, protection }).writer()
  expect(rules.groups).toEqual([group.sid, group.sid])
  expect(rules.protectedGroups).toEqual(['S-1-5-32-544', expect.stringMatching(/^S-1-5-21-.*-512$/)])
})

const nowhere = () => `CN=nowhere,${domain.baseDn}`
const REFUSED: readonly (readonly [string, () => Partial<ActiveDirectoryOptions>, string])[] = [
  ['a unit that is not there', () => ({ scope: { units: [nowhere()] } }), 'scope.units names CN=nowhere'],
  [
    'a unit outside the base DN',
    () => ({ baseDn: domain.peopleDn, scope: { units: [`OU=Outside,${domain.baseDn}`] } }),
    'lies outside the baseDn OU=People',
  ],
  [
    'a unit of another domain',
    () => ({ scope: { units: ['DC=other,DC=test'] } }),
    'scope.units names DC=other',
  ],
  ['a unit that is no name', () => ({ scope: { units: ['People'] } }), 'does not take this name'],
  ['an empty unit', () => ({ scope: { units: [' '] } }), 'an empty name'],
  ['a base DN that is not there', () => ({ baseDn: nowhere() }), 'baseDn names CN=nowhere'],
  ['a group that is not there', () => ({ scope: { groups: [nowhere()] } }), 'scope.groups names CN=nowhere'],
  [
    'a SID that nobody has',
    () => ({ protection: { groups: ['S-1-5-21-1-2-3-4'] } }),
    'protection.groups names S-1-5-21-1-2-3-4: no such entry',
  ],
  ['a unit for a group', () => ({ scope: { groups: [domain.peopleDn] } }), 'it is no group'],
  ['a user for a group', () => ({ scope: { groups: [domain.serviceAccountDn] } }), 'it is no group'],
  [
    'a distribution group',
    () => ({ protection: { groups: [`CN=news,OU=Outside,${domain.baseDn}`] } }),
    'it is a distribution group; make it a security group',
  ],
]
test('a rule that names nothing keeps the session from opening, and says where', async () => {
  await createGroup('news', [], DISTRIBUTION)
  for (const [name, changes, words] of REFUSED) {
    const message = expect.stringContaining(words)
    const expected = { code: 'ERR_DIRECTORY_UNSUITABLE', retry: 'later', message }
    const opened = await open(changes())
      .writer()
      .then(String, (error: unknown) => error)
    expect([name, opened]).toEqual([name, expect.objectContaining(expected)])
  }
})

test('rules are looked up again after a minute, and a group that lost its meaning ends the session', async () => {
  const clock = createManualClock(Date.now())
  const group = await createGroup('changing', [])
  const unit = `OU=Moving,${domain.peopleDn}`
  const admin = await domain.admin()
  await admin.add(unit, { objectClass: 'organizationalUnit' })
  const byGuid = `<GUID=${await readGuid(admin, unit)}>`
  const directory = open({ clock, scope: { units: [byGuid], groups: [group.sid] } })
  const writer = await directory.writer()
  expect(writer.rules.units).toEqual([unit])
  await admin.modifyDN(unit, `OU=Moved,${domain.peopleDn}`)
  expect((await directory.writer()).rules.units).toEqual([unit])
  clock.pass(60_000)
  expect(await directory.writer()).toBe(writer)
  expect(writer.rules.units).toEqual([`OU=Moved,${domain.peopleDn}`])
  await replaceAttribute(admin, group.dn, 'groupType', [DISTRIBUTION])
  clock.pass(60_000)
  await expect(directory.writer()).rejects.toMatchObject({
    code: 'ERR_DIRECTORY_UNSUITABLE',
    message: expect.stringContaining('scope.groups'),
  })
  await replaceAttribute(admin, group.dn, 'groupType', ['-2147483646'])
  expect((await directory.writer()).rules.groups).toEqual([group.sid])
})

test('the groups of an account are direct, nested, primary and builtin ones', async () => {
  const user = await domain.createUser({ name: 'nora' })
  const inner = await createGroup('inner', [user.dn])
  const middle = await createGroup('middle', [inner.dn], DOMAIN_LOCAL)
  const outer = await createGroup('outer local', [middle.dn], DOMAIN_LOCAL)
  const news = await createGroup('mailing', [user.dn], DISTRIBUTION)
  const admins = `CN=Domain Admins,CN=Users,${domain.baseDn}`
  const writer = await open().writer()
  const groups = async () => (await readAccount(writer, user.objectGuid))?.groups
  const plain = await groups()
  expect(plain).toEqual(expect.arrayContaining([inner.sid, middle.sid, outer.sid]))
  // Domain Users, the primary group, and what it is a member of: Users.
  expect(plain).toEqual(expect.arrayContaining([expect.stringMatching(/-513$/), 'S-1-5-32-545']))
  expect(plain).not.toContain(news.sid)
  expect(plain).not.toContain('S-1-5-32-544')
  await addMember(admins, inner.dn)
  expect(await groups()).toEqual(expect.arrayContaining([expect.stringMatching(/-512$/), 'S-1-5-32-544']))
})

test('a primary group counts with everything above it', async () => {
  const user = await domain.createUser({ name: 'olaf' })
  const primary = await createGroup('primary', [user.dn])
  const above = await createGroup('above', [primary.dn])
  const admin = await domain.admin()
  await replaceAttribute(admin, user.dn, 'primaryGroupID', [primary.sid.split('-').at(-1) ?? ''])
  const writer = await open().writer()
  const account = await readAccount(writer, user.objectGuid)
  expect(account?.groups).toEqual(expect.arrayContaining([primary.sid, above.sid]))
  expect(account).toMatchObject({ ordinary: true, sidHistory: [] })
})

test('SIDs of former domains are told', async () => {
  const user = await domain.createUser({ name: 'paul' })
  const sids = ['S-1-5-21-1-2-3-512', 'S-1-5-21-1-2-3-1104']
  await domain.edit({ edit: 'sid_history', dn: user.dn, sids })
  const writer = await open().writer()
  const account = await readAccount(writer, user.objectGuid)
  expect(new Set(account?.sidHistory)).toEqual(new Set(sids))
})

test('machines, trusts and the keys of a read-only controller are not ordinary', async () => {
  const admin = await domain.admin()
  const machine = `CN=pc1,${domain.peopleDn}`
  await admin.add(machine, { objectClass: 'computer', sAMAccountName: 'pc1$', userAccountControl: '4096' })
  const writer = await open().writer()
  const ordinary = async (dn: string) => {
    return (await readAccount(writer, await readGuid(admin, dn)))?.ordinary
  }
  expect(await ordinary(machine)).toBe(false)
  expect(await ordinary(`CN=DC1,OU=Domain Controllers,${domain.baseDn}`)).toBe(false)
  expect(await ordinary(domain.serviceAccountDn)).toBe(true)
  const [trust, keys] = [
    await domain.createUser({ name: 'OTHER$' }),
    await domain.createUser({ name: 'krbtgt_1' }),
  ]
  expect([await ordinary(trust.dn), await ordinary(keys.dn)]).toEqual([true, true])
  await domain.edit(
    { edit: 'overwrite', dn: trust.dn, values: { userAccountControl: '2048' } },
    { edit: 'overwrite', dn: keys.dn, values: { 'msDS-SecondaryKrbTgtNumber': '65536' } },
  )
  expect([await ordinary(trust.dn), await ordinary(keys.dn)]).toEqual([false, false])
})

test('what every account has and the service account cannot read is named, and taken for nothing', async () => {
  const user = await domain.createUser({ name: 'hidden' })
  const writer = await open().writer()
  expect((await readAccount(writer, user.objectGuid, 'change'))?.unreadable).toEqual([])
  const attributes = [
    'userAccountControl',
    'badPwdCount',
    'msDS-User-Account-Control-Computed',
    'tokenGroups',
  ]
  await domain.edit({ edit: 'deny_read', account: domain.serviceAccountDn, dn: user.dn, attributes })
  const hidden = ['userAccountControl', 'msDS-User-Account-Control-Computed', 'tokenGroups']
  expect((await readAccount(writer, user.objectGuid, 'change'))?.unreadable).toEqual([
    ...hidden,
    'badPwdCount',
  ])
  expect((await readAccount(writer, user.objectGuid))?.unreadable).toEqual(hidden)
})
