// A service account that lacks a right on a real slapd: the one to the marker is told apart from every other, and the effect
// can be written without it; hidden members of a group are noticed.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { adminPassword, newPassword } from '../../../servers/canaries.ts'
import { readEntry } from '../../../servers/directory-admin.ts'
import { createGroup, dateOldPassword } from '../../../servers/slapd-admin.ts'
import { type SlapdServer, startSlapdServer } from '../../../servers/slapd-server.ts'
import { changeTo, read, resetTo, slapdDirectories, writeTo } from './slapd-directories.ts'

let server: SlapdServer
const { open, closeAll } = slapdDirectories()

/** Takes a rule away: it then speaks of another attribute. */
async function withdrawRight(rule: string, instead: string): Promise<void> {
  await server.kill()
  const file = path.join(server.directory, 'conf/cn=config/olcDatabase={1}mdb.ldif')
  const rules = readFileSync(file, 'utf8').replaceAll('\n ', '')
  writeFileSync(file, rules.replace(rule, instead))
  await server.restart()
}

beforeAll(async () => {
  server = await startSlapdServer()
  await withdrawRight('attrs=writebackMarker', 'attrs=employeeNumber')
})
afterEach(closeAll)
afterAll(() => server.stop())

test('the missing right is told with the rules that give it, and the effect goes without the marker', async () => {
  const { dn, objectGuid } = await server.createUser({ name: 'unmarked', accountName: 'unmarked' })
  const session = await open(server).writer()
  const account = await read(session, objectGuid)
  expect(await session.write(writeTo(account, resetTo()))).toMatchObject({
    ...{ kind: 'refused', refusal: { kind: 'missing_right', code: 50 } },
  })
  const asked = await read(session, objectGuid, 'reset', true)
  expect(asked.markerRight).toEqual({
    held: false,
    grant: expect.stringContaining(`to attrs=writebackMarker by dn.exact="${server.serviceAccountDn}" write`),
  })
  expect(await session.write(writeTo(asked, resetTo(), { withoutMarker: true }))).toEqual({
    kind: 'accepted',
  })
  expect(await server.canBind(dn, newPassword())).toBe(true)
  const next = await read(session, objectGuid, 'change', true)
  expect(next).toMatchObject({ marker: undefined, markerRight: { held: false } })
  const change = writeTo(next, changeTo(newPassword(), 'Another-Heron-3'), { withoutMarker: true })
  expect(await session.write(change)).toEqual({ kind: 'accepted' })
})

test.each([
  ['memberUid', 'uniqueMember,memberUid,', 'uniqueMember,'],
  ['gidNumber', 'memberUid,gidNumber,', 'memberUid,'],
])(
  'a POSIX group whose %s is hidden keeps the session from opening, also an empty group',
  async (name, right, without) => {
    const group = `cn=posix ${name},ou=Groups,${server.baseDn}`
    await (await server.admin()).add(group, { objectClass: 'posixGroup', gidNumber: '4711' })
    const protection = { groups: [group] }
    expect((await open(server, { protection }).writer()).rules.protectedGroups).toEqual([group.toLowerCase()])
    await withdrawRight(right, without)
    await expect(open(server, { protection }).writer()).rejects.toMatchObject({
      ...{ code: 'ERR_DIRECTORY_UNSUITABLE', message: expect.stringMatching(/members cannot be searched/) },
    })
    await withdrawRight(without, right)
  },
)

test('an account whose primary group may not be read is unreadable where groups decide', async () => {
  const group = await createGroup(await server.admin(), 'some', [server.serviceAccountDn])
  const attributes = { uidNumber: '5001', gidNumber: '4712', homeDirectory: '/' }
  const { objectGuid } = await server.createUser({
    ...{ name: 'posix', accountName: 'posix' },
    attributes: { ...attributes, objectClass: ['inetOrgPerson', 'posixAccount'] as never },
  })
  const unreadable = async () =>
    (await read(await open(server, { protection: { groups: [group] } }).writer(), objectGuid)).unreadable
  expect(await unreadable()).toEqual([])
  await withdrawRight('uid,gidNumber,cn', 'uid,cn')
  expect(await unreadable()).toEqual(['gidNumber'])
})

test('a group whose members are hidden protects nobody, so it keeps the session from opening', async () => {
  const { dn } = await server.createUser({ name: 'hidden member', accountName: 'hidden' })
  const group = await createGroup(await server.admin(), 'hidden', [dn])
  const protection = { groups: [group] }
  expect((await open(server, { protection }).writer()).rules.protectedGroups).toEqual([group.toLowerCase()])
  await withdrawRight(',member,uniqueMember,', ',')
  await expect(open(server, { protection }).writer()).rejects.toMatchObject({
    ...{ code: 'ERR_DIRECTORY_UNSUITABLE', message: expect.stringMatching(/members cannot be searched/) },
  })
})

/** Here nobody may write the marker. */
const UNMARKED = { withoutMarker: true }

test('an account with manage goes past the policy: its first reset proves that, and no more are written', async () => {
  const users = []
  for (const name of ['managed', 'managed next'])
    users.push(await server.createUser({ name, accountName: name.replace(' ', '') }))
  const own = `by dn.exact="${server.serviceAccountDn}"`
  await withdrawRight(`attrs=userPassword ${own} =w`, `attrs=userPassword ${own} manage`)
  try {
    for (const [index, history] of (['required', 'preferred'] as const).entries()) {
      const session = await open(server, { history }).writer()
      expect(session.history).toBe('enforced')
      const account = await read(session, users[index]?.objectGuid ?? '')
      // Shorter than the policy takes.
      expect(await session.write(writeTo(account, resetTo('short'), UNMARKED))).toEqual({ kind: 'accepted' })
      expect([session.history, session.historyProblem]).toEqual([
        history === 'required' ? 'not_enforceable' : 'not_enforced',
        expect.stringContaining('goes past the password policy'),
      ])
    }
    // Where the policy asks nobody for a change, nothing tells; only the agent's own look at the length is left.
    await server.setPolicy({}, { pwdMustChange: 'FALSE' })
    const untold = await open(server).writer()
    const last = writeTo(await read(untold, users[1]?.objectGuid ?? ''), resetTo('brief'), UNMARKED)
    expect(await untold.write(last)).toEqual({ kind: 'accepted' })
    expect(untold.history).toBe('enforced')
  } finally {
    await server.setPolicy({}, { pwdMustChange: 'TRUE' })
    await withdrawRight(`attrs=userPassword ${own} manage`, `attrs=userPassword ${own} =w`)
  }
  const session = await open(server).writer()
  const again = writeTo(await read(session, users[0]?.objectGuid ?? ''), resetTo('short2'), UNMARKED)
  expect(await session.write(again)).toMatchObject({ refusal: { brokenRule: 'password_too_short' } })
})

test('a ppolicy overlay that is not on the database of the accounts is noticed, though the server offers its control', async () => {
  const { dn, objectGuid } = await server.createUser({ name: 'unpoliced', accountName: 'unpoliced' })
  const asRoot = { bindName: server.adminDn, readBindPassword: async () => adminPassword() }
  await dateOldPassword(await server.admin(), dn)
  const dated = open(server, { ...asRoot, history: 'preferred' })
  const before = await dated.writer()
  expect(await before.write(writeTo(await read(before, objectGuid), resetTo()))).toEqual({ kind: 'accepted' })
  expect(before.history).not.toBe('not_enforceable')
  await dateOldPassword(await server.admin(), dn)

  await server.kill()
  const overlay = path.join(server.directory, 'conf/cn=config/olcDatabase={1}mdb/olcOverlay={1}ppolicy.ldif')
  const removed = readFileSync(overlay, 'utf8')
  rmSync(overlay)
  await server.restart()
  for (const history of ['required', 'preferred'] as const)
    await expect(open(server, { history }).writer()).rejects.toMatchObject({
      ...{ code: 'ERR_DIRECTORY_UNSUITABLE', message: expect.stringMatching(/has no ppolicy overlay/) },
    })
  // Whose bind tells nothing is told by the first write: slapd dates no password, and keeps it in clear.
  const session = await open(server, { ...asRoot, history: 'preferred' }).writer()
  expect(await session.write(writeTo(await read(session, objectGuid), resetTo('In-clear-Heron-1')))).toEqual({
    kind: 'accepted',
  })
  expect([session.history, session.historyProblem]).toEqual([
    'not_enforceable',
    expect.stringContaining('keeps passwords in clear'),
  ])
  expect(await readEntry(await server.admin(), dn, ['userPassword'])).toMatchObject({
    userPassword: 'In-clear-Heron-1',
  })
  await server.kill()
  writeFileSync(overlay, removed)
  await server.restart()
  await open(server).writer()
})

test('a server that does not show the control of ppolicy, which hashes what is written, is not served', async () => {
  await server.kill()
  const file = path.join(server.directory, 'conf/cn=config/olcDatabase={-1}frontend.ldif')
  const shown = 'to dn.base="" attrs=entry,objectClass,namingContexts,subschemaSubentry by'
  writeFileSync(file, readFileSync(file, 'utf8').replace('to dn.base="" by', shown))
  await server.restart()
  for (const history of ['required', 'preferred'] as const)
    await expect(open(server, { history }).writer()).rejects.toMatchObject({
      ...{ code: 'ERR_DIRECTORY_UNSUITABLE', message: expect.stringMatching(/load the overlay ppolicy/) },
    })
})
