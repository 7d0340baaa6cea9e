// A directory against a real domain controller: what it reads, writes, refuses, and never does twice.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { ActiveDirectoryOptions } from '../../../src/agent/directory/directory-options.ts'
import {
  laterPassword,
  newPassword,
  oldPassword,
  servicePassword,
  wrongPassword,
} from '../../servers/canaries.ts'
import { type SambaDomain, startSambaDomain } from '../../servers/samba-domain.ts'
import { clear, openedDirectories, readAccount, resetOf as write } from './opened-directories.ts'

const directories = openedDirectories()
let domain: SambaDomain
beforeAll(async () => {
  domain = await startSambaDomain({ policy: { lockoutThreshold: 3 } })
})
afterEach(() => directories.closeAll())
afterAll(() => domain?.stop())
const open = (changes: Partial<ActiveDirectoryOptions> = {}) => directories.open(domain, changes)

test('finds the writer, its identity, its clock, and who the service account is', async () => {
  for (const bindName of [domain.serviceAccountDn, domain.serviceAccountName]) {
    const directory = open({ bindName })
    const writer = await directory.writer()
    expect(writer.server).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(writer.history).toBe('not_enforced')
    expect(Math.abs(writer.directoryNowMs() - Date.now())).toBeLessThan(2500)
    expect(directory.status()).toMatchObject({ connected: true, server: writer.server, url: domain.url })
    const self = await readAccount(writer, writer.rules.serviceAccount)
    expect(self?.dn.toLowerCase()).toBe(domain.serviceAccountDn.toLowerCase())
  }
})

test('controllers may be known later, and change: a session goes on, and the next one is opened with those that are known then', async () => {
  let known: readonly string[] = []
  const directory = open({ controllers: () => known })
  await expect(directory.writer()).rejects.toMatchObject({
    code: 'ERR_DIRECTORY_UNDISCOVERED',
    retry: 'later',
  })
  known = [domain.url]
  const writer = await directory.writer()
  known = ['ldaps://127.0.0.1:1']
  expect(await directory.writer()).toBe(writer)
  const user = await domain.createUser({ name: 'discovered' })
  expect(await writer.write(write(user.objectGuid))).toEqual({ kind: 'accepted' })
})

test('a reset signs in, is counted by the directory, and leaves its marker', async () => {
  const user = await domain.createUser({ name: 'ann' })
  const writer = await open().writer()
  const before = await readAccount(writer, user.objectGuid)
  expect(before).toMatchObject({
    objectGuid: user.objectGuid,
    dn: user.dn,
    name: 'ann',
    adminCount: false,
    criticalSystemObject: false,
    disabled: false,
    locked: false,
    smartcardRequired: false,
    passwordNeverExpires: false,
    mustChange: false,
    expiresAtMs: undefined,
    marker: undefined,
  })
  expect(before?.objectClasses).toEqual(['top', 'person', 'organizationalperson', 'user'])
  expect(before?.sid).toMatch(/^S-1-5-21-\d+-\d+-\d+-\d{4}$/)
  expect(await writer.write(write(user.objectGuid))).toEqual({ kind: 'accepted' })
  const after = await readAccount(writer, user.objectGuid)
  expect(after?.marker).toBe('wb1:00000000:1:a')
  expect(after?.passwordVersion?.version).toBe((before?.passwordVersion?.version ?? 0) + 1)
  expect(Math.abs((after?.passwordVersion?.changedAtMs ?? 0) - Date.now())).toBeLessThan(2500)
  expect([after?.passwordVersion?.origin, after?.markerOrigin]).toEqual([writer.server, writer.server])
  expect(before?.markerOrigin).toBeUndefined()
  expect(await domain.canBind(user.dn, newPassword())).toBe(true)
})

test('reset, unlock and must-change are one modify', async () => {
  const user = await domain.createUser({ name: 'bert' })
  for (let i = 0; i < 3; i++) await domain.canBind(user.dn, wrongPassword())
  const writer = await open().writer()
  expect(await readAccount(writer, user.objectGuid)).toMatchObject({ locked: true })
  const answer = await writer.write(write(user.objectGuid, { unlock: true, mustChange: true }))
  expect(answer).toEqual({ kind: 'accepted' })
  expect(await readAccount(writer, user.objectGuid)).toMatchObject({ locked: false, mustChange: true })
})

test('a replay is refused by the marker and changes nothing', async () => {
  const user = await domain.createUser({ name: 'carla' })
  const writer = await open().writer()
  const first = write(user.objectGuid)
  expect(await writer.write(first)).toEqual({ kind: 'accepted' })
  const next = { markerBefore: first.markerAfter, markerAfter: 'wb1:00000000:2:a' }
  const second = write(user.objectGuid, { password: clear(laterPassword()), ...next })
  expect(await writer.write(second)).toEqual({ kind: 'accepted' })
  expect(await writer.write(first)).toMatchObject({ refusal: { kind: 'compare_failed', code: 20 } })
  expect(await writer.write(write(user.objectGuid, next))).toMatchObject({
    kind: 'refused',
    refusal: { kind: 'compare_failed', code: 16 },
  })
  expect(await domain.canBind(user.dn, laterPassword())).toBe(true)
})

test('a fence closes the way for the write that came before it', async () => {
  const user = await domain.createUser({ name: 'doris' })
  const writer = await open().writer()
  const fence = {
    objectGuid: user.objectGuid,
    markerBefore: undefined,
    markerAfter: 'wb1:00000000:1:f',
    mayStart: () => true,
  }
  expect(await writer.fence(fence)).toEqual({ kind: 'accepted' })
  expect(await writer.write(write(user.objectGuid))).toMatchObject({
    refusal: { kind: 'compare_failed' },
  })
  expect(await domain.canBind(user.dn, oldPassword())).toBe(true)
})

test('refusals have a kind', async () => {
  const user = await domain.createUser({ name: 'emil' })
  const outside = await domain.createUser({ name: 'outside', ou: 'Outside' })
  const writer = await open().writer()
  expect(await writer.write(write(user.objectGuid, { password: clear('short') }))).toMatchObject({
    kind: 'refused',
    refusal: { kind: 'password_policy', code: 19, hex: '0000052D' },
  })
  expect(await readAccount(writer, user.objectGuid)).toMatchObject({ marker: undefined })
  expect(await writer.write(write(outside.objectGuid))).toMatchObject({
    refusal: { kind: 'missing_right', code: 50 },
  })
  const nobody = '00000000-0000-4000-8000-000000000000'
  expect(await readAccount(writer, nobody)).toBeUndefined()
  expect(await writer.write(write(nobody))).toMatchObject({ refusal: { kind: 'account_not_found' } })
})

const AWKWARD_NAMES = [
  'a, b',
  'plus + "quoted"',
  'back\\slash',
  '<angle> ; = / #',
  '#leading hash',
  ' leading space',
  'trailing space ',
  'ünï çødé 漢字',
]
test.each(AWKWARD_NAMES)('an account named [%s] is reset', async (name) => {
  const accountName = `awkward${AWKWARD_NAMES.indexOf(name)}`
  const user = await domain.createUser({ name, accountName })
  const writer = await open().writer()
  expect(await writer.write(write(user.objectGuid))).toEqual({ kind: 'accepted' })
  expect((await readAccount(writer, user.objectGuid))?.dn).toContain('OU=People,')
  expect(await domain.canBind(user.dn, newPassword())).toBe(true)
})

test('passwords arrive unchanged, whatever they are made of', async () => {
  const user = await domain.createUser({ name: 'frieda' })
  const writer = await open().writer()
  const passwords = [
    'Emoji 😀👩‍👩‍👧‍👦 Aa1!',
    '"Quoted" \\ \'Aa1!',
    '  spaces at the ends Aa1!  ',
    `Aa1!${'x'.repeat(252)}`,
    'Größe→漢字 Aa1!',
    'e\u0301 combining A1!a',
    'é composed A1!a',
  ]
  let markerBefore: string | undefined
  for (const [at, text] of passwords.entries()) {
    const markerAfter = `wb1:00000000:${at}:a`
    const answer = await writer.write(
      write(user.objectGuid, { password: clear(text), markerBefore, markerAfter }),
    )
    expect([text, answer]).toEqual([text, { kind: 'accepted' }])
    expect([text, await domain.canBind(user.dn, Buffer.from(text))]).toEqual([text, true])
    markerBefore = markerAfter
  }
})

test('an account is found by its anchor after it moved and was renamed', async () => {
  const user = await domain.createUser({ name: 'gerd' })
  const admin = await domain.admin()
  await admin.modifyDN(user.dn, `CN=gerda,${domain.peopleDn}`)
  const writer = await open().writer()
  expect(await writer.write(write(user.objectGuid))).toEqual({ kind: 'accepted' })
  expect((await readAccount(writer, user.objectGuid))?.dn).toBe(`CN=gerda,${domain.peopleDn}`)
})

test('a write that may not start any more is not sent', async () => {
  const user = await domain.createUser({ name: 'hanna' })
  const writer = await open().writer()
  const answer = await writer.write(write(user.objectGuid, { mayStart: () => false }))
  expect(answer.kind).toBe('not_sent')
  expect(await domain.canBind(user.dn, oldPassword())).toBe(true)
})

test('many writes at once share few connections', async () => {
  const user = await domain.createUser({ name: 'ida' })
  const writer = await open({ connections: 2 }).writer()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, at) => writer.write(write(user.objectGuid, { markerAfter: `m${at}` }))),
  )
  expect(answers.filter((answer) => answer.kind === 'accepted')).toHaveLength(1)
  expect(answers.filter((answer) => answer.kind === 'refused')).toHaveLength(19)
})

test('the caller keeps its password, and it is never written into the answer', async () => {
  const user = await domain.createUser({ name: 'jan' })
  const writer = await open().writer()
  const password = clear(newPassword())
  await writer.write(write(user.objectGuid, { password }))
  expect(password.equals(newPassword())).toBe(true)
})

test('a wrong service password is tried once, whoever asks, and the account is not locked [service_password_changed]', async () => {
  const directory = open({ readBindPassword: async () => wrongPassword() })
  const answers = await Promise.allSettled(Array.from({ length: 50 }, () => directory.writer()))
  answers.push(...(await Promise.allSettled([directory.writer(), directory.writer()])))
  for (const answer of answers) {
    expect(answer).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'ERR_DIRECTORY_BIND_REFUSED',
        retry: 'later',
        message: expect.stringContaining('wrong name or password (49, data 52e)'),
      },
    })
  }
  const service = await domain.readAccount(domain.serviceAccountDn)
  expect(service).toMatchObject({ badPwdCount: 1, locked: false })
  expect(directory.status()).toMatchObject({
    connected: false,
    lastError: { code: 'ERR_DIRECTORY_BIND_REFUSED' },
  })
  await open().writer()
})

test('an empty service password or name is refused before anything is sent', async () => {
  const before = await domain.readAccount(domain.serviceAccountDn)
  for (const changes of [{ readBindPassword: async () => Buffer.alloc(0) }, { bindName: '' }]) {
    await expect(open(changes).writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_BIND_REFUSED' })
  }
  expect(await domain.readAccount(domain.serviceAccountDn)).toEqual(before)
})

test('the bind password is wiped', async () => {
  const given: Buffer[] = []
  const readBindPassword = async () => {
    const password = servicePassword()
    given.push(password)
    return password
  }
  await open({ readBindPassword }).writer()
  expect(given.length).toBeGreaterThan(0)
  for (const password of given) expect(password.every((byte) => byte === 0)).toBe(true)
})

test('a server of another domain, a closed port and a silent one have their codes', async () => {
  await expect(open({ baseDn: 'DC=other,DC=test' }).writer()).rejects.toMatchObject({
    code: 'ERR_DIRECTORY_UNSUITABLE',
    retry: 'later',
  })
  await expect(open({ controllers: [`${domain.url}:1`] }).writer()).rejects.toMatchObject({
    code: 'ERR_DIRECTORY_UNREACHABLE',
    retry: 'later',
  })
  domain.pause()
  try {
    await expect(open({ connectTimeoutMs: 200 }).writer()).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_TIMEOUT',
    })
  } finally {
    domain.resume()
  }
})

test('the first reachable controller that holds the role is taken', async () => {
  const writer = await open({ controllers: [`${domain.url}:1`, domain.url] }).writer()
  expect(writer.url).toBe(domain.url)
  const named = await open({ controllers: [`${domain.url}:1`], writer: domain.url }).writer()
  expect(named.server).toBe(writer.server)
})

test('after a restart of the domain controller the next call connects again, with a bind [controller_restarts]', async () => {
  const user = await domain.createUser({ name: 'karl' })
  const directory = open()
  const before = await directory.writer()
  await readAccount(before, user.objectGuid)
  await domain.restart()
  const after = await directory.writer()
  expect(after.server).toBe(before.server)
  expect(await after.write(write(user.objectGuid))).toEqual({ kind: 'accepted' })
  await directory.stop()
  await expect(directory.writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_CLOSED' })
})

test.each([
  ['description', 'several values'],
  ['msDS-cloudExtensionAttribute1', 'Personal-Information'],
  ['info', 'Personal-Information'],
  ['employeeNumber)(cn=*', 'no attribute name'],
  ['noSuchAttribute', 'no such attribute'],
  ['c', 'characters'],
])('the attribute %s cannot carry the marker', async (markerAttribute, words) => {
  await expect(open({ markerAttribute }).writer()).rejects.toMatchObject({
    code: 'ERR_DIRECTORY_UNSUITABLE',
    message: expect.stringContaining(words),
  })
})
