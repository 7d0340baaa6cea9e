// The schema and the access rules of install/openldap on a real slapd: the service account can do what the agent must do,
// and nothing else; nobody writes the marker of his own entry.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { Attribute, Change, type Client } from 'ldapts'
import {
  laterPassword,
  newPassword,
  oldPassword,
  servicePassword,
  wrongPassword,
} from '../servers/canaries.ts'
import { runCommand } from '../servers/child-process.ts'
import { type CreatedUser, ldapClient, readEntry } from '../servers/directory-admin.ts'
import { createGroup } from '../servers/slapd-admin.ts'
import { type SlapdServer, startSlapdServer } from '../servers/slapd-server.ts'
import { slapdProgram, slapdTemplate } from '../servers/slapd-template.ts'

const INSTALL = path.resolve(import.meta.dirname, '../../install/openldap')
const MARKER = 'wb1:0a0b0c0d:1:00000000000040008000000000000000:a:1.1:1790000000'
let server: SlapdServer
let service: Client
let user: CreatedUser
let users = 0

beforeAll(async () => {
  server = await startSlapdServer({ policy: { lockoutThreshold: 3 } })
  service = await bound(server.serviceAccountDn, servicePassword())
}, 30_000)
beforeEach(async () => {
  users += 1
  user = await server.createUser({ name: `user${users}` })
})
afterAll(async () => {
  await service.unbind()
  await server.stop()
})

async function bound(dn: string, password: Buffer): Promise<Client> {
  const client = await ldapClient(server.url)
  await client.bind(dn, password.toString())
  return client
}

type Step = readonly ['add' | 'delete' | 'replace', string, ...(string | Buffer)[]]

/** One modify; gives the result code. */
const modify = (client: Client, dn: string, ...steps: Step[]): Promise<number> =>
  client
    .modify(
      dn,
      steps.map(
        ([operation, type, ...values]) =>
          new Change({ operation, modification: new Attribute({ type, values: values as string[] }) }),
      ),
    )
    .then(
      () => 0,
      (error: { code?: number }) => error.code ?? -1,
    )

const OK = 0
const NO_SUCH_ATTRIBUTE = 16
const CONSTRAINT_VIOLATION = 19
const INSUFFICIENT_ACCESS = 50
const MARKED = ['add', 'writebackMarker', MARKER] as const
const CLASS = ['add', 'objectClass', 'writebackAccount'] as const

describe('the service account', () => {
  test('writes the password, the marker and the class that allows it in one modify', async () => {
    expect(await modify(service, user.dn, CLASS, MARKED, ['replace', 'userPassword', newPassword()])).toBe(OK)
    expect(await server.canBind(user.dn, newPassword())).toBe(true)
    expect((await server.readAccount(user.dn)).marker).toBe(MARKER)
  })

  test('moves the marker by compare-and-set: a value that is not there any more is refused', async () => {
    expect(await modify(service, user.dn, CLASS, MARKED)).toBe(OK)
    const move = (from: string, to: string) =>
      modify(service, user.dn, ['delete', 'writebackMarker', from], ['add', 'writebackMarker', to])
    expect(await move(MARKER, `${MARKER}1`)).toBe(OK)
    expect(await move(MARKER, `${MARKER}2`)).toBe(NO_SUCH_ATTRIBUTE)
    expect(await move(`${MARKER}1`.toUpperCase(), `${MARKER}2`)).toBe(NO_SUCH_ATTRIBUTE)
    expect(await modify(service, user.dn, MARKED)).toBe(CONSTRAINT_VIOLATION)
    expect((await server.readAccount(user.dn)).marker).toBe(`${MARKER}1`)
  })

  test('makes the password to be changed at the next sign-in', async () => {
    const reset: Step = ['replace', 'userPassword', newPassword()]
    expect(await modify(service, user.dn, reset, ['replace', 'pwdReset', 'TRUE'])).toBe(OK)
    expect((await server.readAccount(user.dn)).mustChange).toBe(true)
  })

  test('unlocks, and the failures are forgotten', async () => {
    for (let count = 0; count < 3; count += 1) await server.canBind(user.dn, wrongPassword())
    expect(await server.readAccount(user.dn)).toMatchObject({ locked: true, badPwdCount: 3 })
    expect(await modify(service, user.dn, ['delete', 'pwdAccountLockedTime'])).toBe(OK)
    expect(await server.readAccount(user.dn)).toMatchObject({ locked: false, badPwdCount: 0 })
    expect(await modify(service, user.dn, ['replace', 'pwdAccountLockedTime'])).toBe(OK)
  })

  test('changes a password of which it knows the old one', async () => {
    const change = (old: Buffer, next: Buffer) =>
      modify(service, user.dn, ['delete', 'userPassword', old], ['add', 'userPassword', next])
    expect(await change(wrongPassword(), newPassword())).not.toBe(OK)
    expect(await change(oldPassword(), newPassword())).toBe(OK)
    expect(await server.canBind(user.dn, newPassword())).toBe(true)
  })

  test('reads what the agent reads, policies and groups included, and finds accounts by entryUUID', async () => {
    const group = await createGroup(await server.admin(), `group${users}`, [user.dn])
    const { searchEntries } = await service.search(server.baseDn, {
      filter: `(entryUUID=${user.objectGuid})`,
      attributes: ['objectClass', 'entryUUID', 'uid', 'cn', 'memberOf', 'pwdChangedTime'],
    })
    expect(searchEntries).toMatchObject([
      {
        ...{ dn: user.dn, objectClass: 'inetOrgPerson', entryUUID: user.objectGuid, memberOf: group },
        pwdChangedTime: expect.stringMatching(/^\d{14}Z$/),
      },
    ])
    expect(await readEntry(service, group, ['member'])).toMatchObject({ member: user.dn })
    expect(await readEntry(service, server.policyDn, ['pwdMinLength'])).toMatchObject({ pwdMinLength: '7' })
  })

  test('reads the clock of the server, and nothing else of its monitor', async () => {
    const clock = await readEntry(service, 'cn=Current,cn=Time,cn=Monitor', ['monitorTimestamp'])
    expect(clock).toMatchObject({ monitorTimestamp: expect.stringMatching(/^\d{14}Z$/) })
    await expect(readEntry(service, 'cn=Monitor', ['*'])).rejects.toThrow()
  })

  test('reads no password, no history, and nothing that the agent does not need', async () => {
    await modify(service, user.dn, ['replace', 'userPassword', newPassword()])
    const wish = ['userPassword', 'pwdHistory', 'sn', 'modifyTimestamp', 'creatorsName']
    const entry = await readEntry(await server.admin(), user.dn, wish)
    for (const name of wish) expect(entry[name]).not.toEqual([])
    const seen = await readEntry(service, user.dn, wish)
    for (const name of wish) expect(seen[name]).toEqual([])
    const found = await service.search(server.baseDn, { filter: '(|(userPassword=*)(sn=*))' })
    expect(found.searchEntries).toEqual([])
    const own = await readEntry(service, server.serviceAccountDn, ['uid', 'pwdPolicySubentry'])
    expect(own).toMatchObject({ uid: [], pwdPolicySubentry: expect.stringMatching(/^cn=writeback-service,/) })
    await expect(service.compare(user.dn, 'userPassword', 'x')).rejects.toMatchObject({ code: 50 })
  })

  test.each<[string, Step]>([
    ['another class', ['add', 'objectClass', 'labeledURIObject']],
    ['the class away', ['delete', 'objectClass', 'writebackAccount']],
    ['the name', ['replace', 'cn', 'other']],
    ['the mail address', ['replace', 'mail', 'other@corp.test']],
    ['the policy', ['replace', 'pwdPolicySubentry', 'cn=writeback-service,ou=Policies,dc=corp,dc=test']],
    ['the history away', ['delete', 'pwdHistory']],
  ])('does not write %s', async (_, step) => {
    await modify(service, user.dn, CLASS, MARKED, ['replace', 'userPassword', newPassword()])
    // The history is no attribute that anybody writes.
    expect([INSUFFICIENT_ACCESS, CONSTRAINT_VIOLATION]).toContain(await modify(service, user.dn, step))
  })

  test('makes, moves and removes no entry', async () => {
    const entry = { objectClass: 'inetOrgPerson', cn: 'new', sn: 'new' }
    const made = service.add(`uid=new,${server.peopleDn}`, entry)
    await expect(made).rejects.toMatchObject({ code: INSUFFICIENT_ACCESS })
    await expect(service.del(user.dn)).rejects.toMatchObject({ code: INSUFFICIENT_ACCESS })
    const moved = service.modifyDN(user.dn, `uid=moved${users}`)
    await expect(moved).rejects.toMatchObject({ code: INSUFFICIENT_ACCESS })
  })

  test('writes nobody outside of the people, itself included, and no policy and no group', async () => {
    const outside = await server.createUser({ name: `outside${users}`, ou: 'Outside' })
    const group = await createGroup(await server.admin(), `fixed${users}`, [user.dn])
    const password: Step = ['replace', 'userPassword', newPassword()]
    const codes = await Promise.all([
      modify(service, outside.dn, password),
      modify(service, server.serviceAccountDn, password),
      modify(service, server.policyDn, ['replace', 'pwdMinLength', '1']),
      modify(service, group, ['add', 'member', server.serviceAccountDn]),
    ])
    // Where it may not even see the entry, there is none for it.
    for (const code of codes) expect([32, INSUFFICIENT_ACCESS]).toContain(code)
    expect(await server.canBind(outside.dn, oldPassword())).toBe(true)
  })

  test('is held to the password policy, and is not locked out by wrong binds', async () => {
    expect(await modify(service, user.dn, ['replace', 'userPassword', 'short'])).toBe(CONSTRAINT_VIOLATION)
    for (let count = 0; count < 5; count += 1) await server.canBind(server.serviceAccountDn, wrongPassword())
    expect(await server.canBind(server.serviceAccountDn, servicePassword())).toBe(true)
  })
})

test('a user reads the own marker, cannot write it, and changes the own password as before', async () => {
  const own = await bound(user.dn, oldPassword())
  expect(await modify(own, user.dn, CLASS, MARKED)).toBe(INSUFFICIENT_ACCESS)
  expect(await modify(service, user.dn, CLASS, MARKED)).toBe(OK)
  expect(await modify(own, user.dn, ['delete', 'writebackMarker'])).toBe(INSUFFICIENT_ACCESS)
  expect(await modify(own, user.dn, ['replace', 'writebackMarker', `${MARKER}1`])).toBe(INSUFFICIENT_ACCESS)
  expect(await readEntry(own, user.dn, ['writebackMarker'])).toMatchObject({ writebackMarker: MARKER })
  expect(await modify(own, user.dn, ['replace', 'userPassword', laterPassword()])).toBe(OK)
  await own.unbind()
})

test('the schema for slapd.conf is the one for cn=config', async () => {
  const words = (text: string) =>
    text
      .replace(/^#.*\n/gm, '')
      .replace(/olcAttributeTypes:|attributetype/, 'A')
      .replace(/olcObjectClasses:|objectclass/, 'C')
      .replace(/^(dn|objectClass|cn):.*\n/gm, '')
      .split(/\s+/)
      .filter(Boolean)
  const file = path.join(INSTALL, 'writeback.schema')
  expect(words(await readFile(file, 'utf8'))).toEqual(
    words(await readFile(path.join(INSTALL, 'schema.ldif'), 'utf8')),
  )
  const config = path.join(server.directory, 'slapd.conf')
  await writeFile(config, `include /etc/ldap/schema/core.schema\ninclude ${file}\n`)
  await runCommand(slapdProgram(await slapdTemplate('{SSHA}')), ['-T', 'test', '-f', config, '-u'])
})
