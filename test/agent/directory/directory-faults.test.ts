// A directory through a proxy that plays faults: every end of a write is told as it was, and nothing unbound is served.
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { ActiveDirectoryOptions } from '../../../src/agent/directory/directory-options.ts'
import { keyPin } from '../../../src/agent/directory/tls-trust.ts'
import { type Clock, systemClock } from '../../../src/clock/clock.ts'
import { startBlackhole } from '../../servers/blackhole.ts'
import { laterPassword, newPassword, oldPassword } from '../../servers/canaries.ts'
import { type CreatedUser, replaceAttribute } from '../../servers/directory-admin.ts'
import type { RecordedMessage, RequestFault } from '../../servers/ldap-faults.ts'
import { type LdapProxy, startLdapProxy } from '../../servers/ldap-proxy.ts'
import { type SambaDomain, startSambaDomain } from '../../servers/samba-domain.ts'
import { testCa } from '../../servers/test-ca.ts'
import { clear, openedDirectories, readAccount, resetOf } from './opened-directories.ts'

const directories = openedDirectories()
let domain: SambaDomain
let proxy: LdapProxy
let number = 0
beforeAll(async () => {
  domain = await startSambaDomain()
  proxy = await startLdapProxy({ target: domain.url })
})
afterEach(async () => {
  await directories.closeAll()
  const messages = proxy.messages()
  proxy.forget()
  expectNothingUnbound(messages)
})
afterAll(async () => {
  await proxy.stop()
  await domain.stop()
})

const open = (changes: Partial<ActiveDirectoryOptions> = {}) =>
  directories.open(domain, { controllers: [proxy.url], ...changes })
/** For what is expected to time out; the ordinary limit is generous, because a busy machine is slow. */
const impatient = { operationTimeoutMs: 1000 }
const newUser = (): Promise<CreatedUser> => {
  number += 1
  return domain.createUser({ name: `user ${number}` })
}
const PASSWORD = { operation: 'modify', attribute: 'unicodePwd' } as const

/** On every connection the first request is a bind. A good-bye alone belongs to a connection of the test before. */
function expectNothingUnbound(messages: readonly RecordedMessage[]): void {
  const first = new Map<number, string>()
  for (const { connection, direction, operation } of messages) {
    if (direction === 'request' && !first.has(connection)) first.set(connection, operation)
  }
  expect([...first.values()].filter((operation) => operation !== 'bind' && operation !== 'unbind')).toEqual(
    [],
  )
}

test('a swallowed answer is lost, written, and the marker tells the truth', async () => {
  const user = await newUser()
  const directory = open(impatient)
  const writer = await directory.writer()
  proxy.onRequest(PASSWORD, { kind: 'swallow-response' })
  expect(await writer.write(resetOf(user.objectGuid))).toMatchObject({
    kind: 'lost',
    phase: 'written',
    cause: { code: 'ERR_DIRECTORY_TIMEOUT', retry: 'later' },
  })
  expect(directory.status().connected).toBe(false)
  const again = await directory.writer()
  expect(again.server).toBe(writer.server)
  expect((await readAccount(again, user.objectGuid))?.marker).toBe('wb1:00000000:1:a')
  expect(proxy.count(PASSWORD)).toBe(1)
})

test('a write that is delivered late is refused once the fence stands', async () => {
  const user = await newUser()
  const directory = open(impatient)
  const late = proxy.onRequest(PASSWORD, { kind: 'hold' })
  const write = resetOf(user.objectGuid)
  expect((await (await directory.writer()).write(write)).kind).toBe('lost')
  const writer = await directory.writer()
  const fence = {
    objectGuid: user.objectGuid,
    markerBefore: undefined,
    markerAfter: 'wb1:00000000:1:f',
    mayStart: () => true,
  }
  expect(await writer.fence(fence)).toEqual({ kind: 'accepted' })
  const later = { markerBefore: fence.markerAfter, password: clear(laterPassword()) }
  const second = resetOf(user.objectGuid, later)
  expect(await writer.write(second)).toEqual({ kind: 'accepted' })
  await late.release()
  expect(proxy.messages().at(-1)).toMatchObject({ operation: 'modifyResponse', resultCode: 20 })
  expect(await domain.canBind(user.dn, laterPassword())).toBe(true)
  expect(await domain.canBind(user.dn, newPassword())).toBe(false)
})

const notLdap = () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')
const BROKEN: readonly (readonly [name: string, fault: RequestFault, code: string, applied: boolean])[] = [
  ['a reset before it is passed on', { kind: 'reset', when: 'before' }, 'ERR_DIRECTORY_CLOSED', false],
  ['a reset when it was answered', { kind: 'reset', when: 'answered' }, 'ERR_DIRECTORY_CLOSED', true],
  ['a cut before the first byte', { kind: 'cut', bytes: 0 }, 'ERR_DIRECTORY_CLOSED', false],
  ['a cut after the first byte', { kind: 'cut', bytes: 1 }, 'ERR_DIRECTORY_CLOSED', false],
  ['a cut half-way', { kind: 'cut', bytes: 100 }, 'ERR_DIRECTORY_CLOSED', false],
  ['an answer that is not LDAP', { kind: 'raw', bytes: notLdap }, 'ERR_LDAP_MALFORMED', false],
  [
    'an answer that is cut',
    { kind: 'raw', bytes: () => Buffer.of(0x30, 0x0c, 2, 1) },
    'ERR_DIRECTORY_TIMEOUT',
    false,
  ],
  [
    'an answer of over 1 MiB',
    { kind: 'raw', bytes: () => Buffer.of(0x30, 0x84, 0x7f, 0xff, 0xff, 0xff) },
    'ERR_LDAP_MALFORMED',
    false,
  ],
  [
    'an answer to another request',
    { kind: 'raw', bytes: () => Buffer.from('300c02016367070a010004000400', 'hex') },
    'ERR_LDAP_MALFORMED',
    false,
  ],
  [
    'an answer of another kind',
    {
      kind: 'raw',
      bytes: ({ messageId }) => Buffer.from([0x30, 12, 2, 1, messageId, 0x69, 7, 10, 1, 0, 4, 0, 4, 0]),
    },
    'ERR_LDAP_MALFORMED',
    false,
  ],
  ['no answer at all', { kind: 'swallow-request' }, 'ERR_DIRECTORY_TIMEOUT', false],
]
test.each(BROKEN)(
  '%s ends in lost, and the next write connects and binds again',
  async (_name, fault, code, applied) => {
    const user = await newUser()
    const directory = open(code === 'ERR_DIRECTORY_TIMEOUT' ? impatient : {})
    const writer = await directory.writer()
    proxy.onRequest(PASSWORD, fault)
    const answer = await writer.write(resetOf(user.objectGuid))
    expect(answer).toMatchObject({ kind: 'lost', cause: { code, retry: 'later' } })
    const again = await directory.writer()
    const account = await readAccount(again, user.objectGuid)
    expect(account?.marker !== undefined).toBe(applied)
    expect(await domain.canBind(user.dn, applied ? newPassword() : oldPassword())).toBe(true)
    const next = resetOf(user.objectGuid, { markerBefore: account?.marker, markerAfter: 'next' })
    expect(await again.write(next)).toEqual({ kind: 'accepted' })
  },
)

test('single bytes on the wire change nothing [single_bytes]', async () => {
  const user = await newUser()
  const writer = await open().writer()
  proxy.onRequest({ operation: 'modify' }, { kind: 'slice' })
  expect(await writer.write(resetOf(user.objectGuid))).toEqual({ kind: 'accepted' })
})

test('a notice of disconnection ends the session, and the next one is bound [disconnect_notice]', async () => {
  const user = await newUser()
  const directory = open()
  const writer = await directory.writer()
  expect(await writer.write(resetOf(user.objectGuid))).toEqual({ kind: 'accepted' })
  proxy.disconnectAll({ code: 52, diagnostic: 'shutting down' })
  await systemClock.sleep(50)
  expect(directory.status().connected).toBe(false)
  expect((await readAccount(await directory.writer(), user.objectGuid))?.marker).toBe('wb1:00000000:1:a')
})

test('what cannot connect is not sent [connection_refused]', async () => {
  const user = await newUser()
  const directory = open()
  const writer = await directory.writer()
  await proxy.refuseConnections()
  try {
    expect(await writer.write(resetOf(user.objectGuid))).toMatchObject({
      kind: 'not_sent',
      cause: { code: 'ERR_DIRECTORY_UNREACHABLE' },
    })
    await expect(directory.writer()).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_UNREACHABLE',
      retry: 'later',
    })
    expect(directory.status()).toMatchObject({
      connected: false,
      lastError: { code: 'ERR_DIRECTORY_UNREACHABLE' },
    })
  } finally {
    await proxy.acceptConnections()
  }
  expect(await (await directory.writer()).write(resetOf(user.objectGuid))).toEqual({
    kind: 'accepted',
  })
})

test('a read that loses its connection fails, and never goes on without a bind', async () => {
  const user = await newUser()
  const directory = open(impatient)
  const writer = await directory.writer()
  proxy.onRequest({ operation: 'search', dn: `<GUID=${user.objectGuid}>` }, { kind: 'reset', when: 'before' })
  await expect(readAccount(writer, user.objectGuid)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_CLOSED' })
  expect((await readAccount(writer, user.objectGuid))?.objectGuid).toBe(user.objectGuid)
  proxy.onRequest({ operation: 'search', dn: `<GUID=${user.objectGuid}>` }, { kind: 'swallow-response' })
  await expect(readAccount(writer, user.objectGuid)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TIMEOUT' })
  proxy.onRequest({ operation: 'search', dn: `<GUID=${user.objectGuid}>` }, { kind: 'raw', bytes: notLdap })
  await expect(readAccount(writer, user.objectGuid)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_CLOSED' })
  expect((await readAccount(writer, user.objectGuid))?.objectGuid).toBe(user.objectGuid)
})

test('certificates that do not verify see no byte of a bind [certificate_expired]', async () => {
  const ca = await testCa()
  const trusted = [readFileSync(ca.caFile, 'utf8')]
  const wrong: readonly ActiveDirectoryOptions['tls'][] = [
    { ca: [readFileSync(ca.strangerCaFile, 'utf8')], serverName: 'dc1.corp.test' },
    { ca: trusted, serverName: 'other.example' },
    { ca: trusted, serverName: '10.9.8.7' },
    { ca: trusted, serverName: 'dc1.corp.test', pinSha256: Buffer.alloc(32).toString('base64') },
    { serverName: 'dc1.corp.test' },
  ]
  for (const tls of wrong) {
    await expect(open({ tls }).writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TLS', retry: 'later' })
  }
  for (const certificate of [ca.expired, ca.stranger]) {
    await proxy.useCertificate(certificate)
    await expect(open().writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TLS' })
  }
  await proxy.useCertificate(ca.server)
  expect(proxy.messages()).toEqual([])
  const pinSha256 = keyPin(readFileSync(ca.server.certFile))
  await open({ tls: { ca: trusted, serverName: 'dc1.corp.test', pinSha256 } }).writer()
  await open({ tls: { ca: trusted, pinSha256 } }).writer()
})

const SUB_CODES = [
  ['525', 'no such account'],
  ['532', 'its password expired'],
  ['533', 'the account is disabled'],
  ['701', 'the account expired'],
  ['773', 'its password must be changed first'],
  ['775', 'the account is locked'],
  ['abc', 'no known reason'],
] as const
test.each(SUB_CODES)('a bind refused with data %s says: %s', async (subCode, words) => {
  const diagnostic = `80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data ${subCode}, v1db1`
  proxy.onRequest({ operation: 'bind' }, { kind: 'answer', result: { code: 49, diagnostic } })
  const directory = open({ bindBackoff: { firstMs: 100, longestMs: 100 } })
  await expect(directory.writer()).rejects.toMatchObject({
    code: 'ERR_DIRECTORY_BIND_REFUSED',
    message: expect.stringContaining(`${words} (49, data ${subCode})`),
  })
  await expect(directory.writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_BIND_REFUSED' })
  expect(proxy.count({ operation: 'bind' })).toBe(1)
  await systemClock.sleep(110)
  await directory.writer()
})

test('a server that does not answer the bind is a timeout, not a refusal', async () => {
  proxy.onRequest({ operation: 'bind' }, { kind: 'swallow-request' })
  const directory = open(impatient)
  await expect(directory.writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TIMEOUT' })
  await directory.writer()
})

const replaceBytes = (from: string, to: string): RequestFault & { kind: 'edit-response' } => ({
  kind: 'edit-response',
  edit: (pdu) => {
    const at = pdu.indexOf(from)
    if (at < 0) return pdu
    const edited = Buffer.from(pdu)
    edited.write(to, at)
    return edited
  },
})
const rootRead = (message: RecordedMessage) => message.operation === 'search' && message.dn === ''

test.each([
  ['is no domain controller', '1.2.840.113556.1.4.800', '1.2.840.113556.1.4.801', 'no Active Directory'],
  ['is read-only', '1.2.840.113556.1.4.1791', '1.2.840.113556.1.4.1920', 'read-only'],
  ['is not the PDC emulator', 'CN=NTDS Settings,CN=DC1', 'CN=NTDS Settings,CN=DC9', 'PDC emulator'],
])('a server that %s is refused [controller_read_only]', async (_name, from, to, words) => {
  const rule = proxy.onRequest(rootRead, replaceBytes(from, to), 100)
  await expect(open().writer()).rejects.toMatchObject({
    code: 'ERR_DIRECTORY_UNSUITABLE',
    retry: 'later',
    message: expect.stringContaining(words),
  })
  rule.remove()
})

test('a write never goes to another server than the session is with', async () => {
  const user = await newUser()
  const directory = open()
  const writer = await directory.writer()
  const rule = proxy.onRequest(
    rootRead,
    replaceBytes('CN=NTDS Settings,CN=DC1', 'CN=NTDS Settings,CN=DC9'),
    100,
  )
  expect(await writer.write(resetOf(user.objectGuid))).toMatchObject({
    kind: 'not_sent',
    cause: { code: 'ERR_DIRECTORY_UNSUITABLE' },
  })
  rule.remove()
  expect(proxy.count(PASSWORD)).toBe(0)
})

test('policy hints are sent critical where the server offers them', async () => {
  const user = await newUser()
  const hints = '1.2.840.113556.1.4.2239'
  proxy.onRequest(rootRead, replaceBytes('1.2.840.113556.1.4.1413', hints))
  const writer = await open().writer()
  expect(writer.history).toBe('enforced')
  expect(await writer.write(resetOf(user.objectGuid))).toMatchObject({
    kind: 'refused',
    refusal: { kind: 'control_unavailable', code: 12 },
  })
  expect(proxy.messages().find((message) => message.operation === 'modify')?.controls).toEqual([hints])
  const fence = {
    objectGuid: user.objectGuid,
    markerBefore: undefined,
    markerAfter: 'x',
    mayStart: () => true,
  }
  expect(await writer.fence(fence)).toEqual({ kind: 'accepted' })
})

/** Plays a Windows domain controller: another vendor, and the control with this number when there is one. */
const asWindows = (hints?: string): RequestFault & { kind: 'edit-response' } => ({
  kind: 'edit-response',
  edit: (pdu) => {
    const edited = Buffer.from(pdu)
    const vendor = pdu.indexOf('Samba Team')
    if (vendor >= 0) edited.write('Maker Team', vendor)
    const control = pdu.indexOf('1.2.840.113556.1.4.1413')
    if (hints !== undefined && control >= 0) edited.write(hints, control)
    return edited
  },
})

test('a Windows server without policy hints cannot enforce history, unless that is only preferred [policy_hints_missing]', async () => {
  const histories: (readonly [ActiveDirectoryOptions['history'], string])[] = [
    [undefined, 'not_enforceable'],
    ['required', 'not_enforceable'],
    ['preferred', 'not_enforced'],
  ]
  for (const [history, expected] of histories) {
    const rule = proxy.onRequest(rootRead, asWindows(), 100)
    const writer = await open(history === undefined ? {} : { history }).writer()
    expect([history, writer.history]).toEqual([history, expected])
    rule.remove()
  }
  expect((await open({ history: 'required' }).writer()).history).toBe('not_enforceable')
  const user = await newUser()
  const preferred = await open({ history: 'preferred' }).writer()
  expect(await preferred.write(resetOf(user.objectGuid))).toEqual({ kind: 'accepted' })
  expect(proxy.messages().find((message) => message.operation === 'modify')?.controls).toEqual([])
})

test('the older number of policy hints is sent where the server knows no other', async () => {
  const user = await newUser()
  const older = '1.2.840.113556.1.4.2066'
  const rule = proxy.onRequest(rootRead, asWindows(older), 100)
  const writer = await open().writer()
  expect(writer.history).toBe('enforced')
  // Samba does not know the control: only a critical one is refused.
  expect(await writer.write(resetOf(user.objectGuid))).toMatchObject({
    refusal: { kind: 'control_unavailable', code: 12 },
  })
  expect(proxy.messages().find((message) => message.operation === 'modify')?.controls).toEqual([older])
  rule.remove()
})

test('clock and role are read again after a minute, not on every request', async () => {
  let aheadMs = 0
  const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs }
  const directory = open({ clock })
  const writer = await directory.writer()
  const roots = () => proxy.count({ operation: 'search', dn: '' })
  const before = roots()
  expect(await directory.writer()).toBe(writer)
  expect(roots()).toBe(before)
  aheadMs = 61_000
  expect(Math.abs(writer.directoryNowMs() - Date.now() - 61_000)).toBeLessThan(2500)
  expect(await Promise.all([directory.writer(), directory.writer()])).toEqual([writer, writer])
  expect(roots()).toBe(before + 1)
  expect(Math.abs(writer.directoryNowMs() - Date.now())).toBeLessThan(2500)
  aheadMs = 122_000
  const role = replaceBytes('CN=NTDS Settings,CN=DC1', 'CN=NTDS Settings,CN=DC9')
  const rule = proxy.onRequest({ operation: 'search', dn: domain.baseDn }, role, 100)
  await expect(directory.writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNSUITABLE' })
  rule.remove()
  expect(await directory.writer()).not.toBe(writer)
})

test('a directory that stops leaves nothing open: what is under way is lost, what comes later is not sent', async () => {
  const user = await newUser()
  const directory = open({ connections: 1 })
  const writer = await directory.writer()
  const held = proxy.onRequest(PASSWORD, { kind: 'swallow-request' })
  const underWay = writer.write(resetOf(user.objectGuid))
  const waiting = writer.write(resetOf(user.objectGuid))
  await held.hit
  await directory.stop()
  expect(await underWay).toMatchObject({ kind: 'lost', cause: { code: 'ERR_DIRECTORY_CLOSED' } })
  expect(await waiting).toMatchObject({ kind: 'not_sent', cause: { code: 'ERR_DIRECTORY_CLOSED' } })
  expect(directory.status()).toEqual({ connected: false })
  await expect(readAccount(writer, user.objectGuid)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_CLOSED' })
  expect(proxy.count(PASSWORD)).toBe(1)
})

test('a writer that is slow to introduce itself does not make its clock look late', async () => {
  // Every read after the first: the clock was told before them.
  const slow = proxy.onRequest(
    { operation: 'search', dn: domain.baseDn },
    { kind: 'delay-response', ms: 1_800 },
    100,
  )
  const writer = await open().writer()
  slow.remove()
  expect(Math.abs(writer.directoryNowMs() - Date.now())).toBeLessThan(1_000)
})

test('writes of a session that was replaced are finished, and its connections closed', async () => {
  const user = await newUser()
  const other = await newUser()
  const directory = open(impatient)
  const before = await directory.writer()
  proxy.onRequest(PASSWORD, { kind: 'delay-response', ms: 600 })
  const slow = before.write(resetOf(user.objectGuid))
  await proxy.seen(PASSWORD)
  proxy.onRequest(
    { operation: 'search', dn: `<GUID=${other.objectGuid}>` },
    { kind: 'reset', when: 'before' },
  )
  await expect(readAccount(before, other.objectGuid)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_CLOSED' })
  const after = await directory.writer()
  expect(after).not.toBe(before)
  expect(await slow).toEqual({ kind: 'accepted' })
  expect((await readAccount(before, other.objectGuid))?.objectGuid).toBe(other.objectGuid)
  expect((await readAccount(after, user.objectGuid))?.marker).toBe('wb1:00000000:1:a')
})

test('the last writer is asked first, and a controller that does not answer is named before one without the role', async () => {
  const silent = await startLdapProxy({ target: domain.url })
  try {
    const directory = open({ controllers: [silent.url, proxy.url], connectTimeoutMs: 2000 })
    silent.onRequest({ operation: 'bind' }, { kind: 'reset', when: 'before' })
    expect((await directory.writer()).url).toBe(proxy.url)
    silent.forget()
    proxy.disconnectAll()
    await systemClock.sleep(50)
    expect((await directory.writer()).url).toBe(proxy.url)
    expect(silent.messages()).toEqual([])
    const role = replaceBytes('CN=NTDS Settings,CN=DC1', 'CN=NTDS Settings,CN=DC9')
    const rule = proxy.onRequest({ operation: 'search', dn: domain.baseDn }, role, 100)
    await silent.refuseConnections()
    const unlucky = open({ controllers: [proxy.url, silent.url] })
    await expect(unlucky.writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' })
    rule.remove()
  } finally {
    await silent.stop()
  }
})

test('a controller that lets every SYN vanish costs one connect timeout, and the next one is taken [syn_blackhole]', async () => {
  const user = await newUser()
  const blackhole = await startBlackhole()
  try {
    const begun = performance.now()
    const alone = open({ controllers: [blackhole.url], connectTimeoutMs: 400 })
    await expect(alone.writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TIMEOUT', retry: 'later' })
    expect(performance.now() - begun).toBeGreaterThan(390)
    expect(performance.now() - begun).toBeLessThan(2_000)
    const both = open({ controllers: [blackhole.url, proxy.url], connectTimeoutMs: 1_500 })
    const writer = await both.writer()
    expect(await writer.write(resetOf(user.objectGuid))).toEqual({ kind: 'accepted' })
  } finally {
    await blackhole.stop()
  }
})

test('where the marker may not be written, the password is not written either [marker_not_writable]', async () => {
  const [helper, user] = [await newUser(), await newUser()]
  const rights = ['resetPassword', 'lockoutTime', 'pwdLastSet'] as const
  await domain.edit({ edit: 'delegate', account: helper.dn, ou: domain.peopleDn, rights: [...rights] })
  const as = { bindName: helper.principal, readBindPassword: async () => oldPassword() }
  const writer = await open(as).writer()
  expect(await writer.write(resetOf(user.objectGuid))).toMatchObject({
    kind: 'refused',
    refusal: { kind: 'missing_right', code: 50 },
  })
  expect(await domain.canBind(user.dn, oldPassword())).toBe(true)
  expect(await domain.readAccount(user.dn)).toMatchObject({ marker: undefined })
})

test('a service account that is locked or has expired is named, and served again when that is over [service_account_locked, service_account_expired]', async () => {
  const admin = await domain.admin()
  const set = (type: string, value: string) => replaceAttribute(admin, domain.serviceAccountDn, type, [value])
  const impatient = { bindBackoff: { firstMs: 100, longestMs: 100 } }
  const refusedWith = async (words: string) => {
    const before = (await domain.readAccount(domain.serviceAccountDn)).badPwdCount
    const directory = open(impatient)
    for (let round = 0; round < 2; round += 1) {
      await expect(directory.writer()).rejects.toMatchObject({
        code: 'ERR_DIRECTORY_BIND_REFUSED',
        retry: 'later',
        message: expect.stringContaining(words),
      })
      await systemClock.sleep(110)
    }
    expect((await domain.readAccount(domain.serviceAccountDn)).badPwdCount).toBe(before)
    return directory
  }
  await set('accountExpires', '130000000000000000')
  const expired = await refusedWith('the account expired (49, data 701)')
  await set('accountExpires', '0')
  await systemClock.sleep(110)
  await expired.writer()
  await domain.setPolicy({ lockoutThreshold: 2, lockoutDurationMs: 1_800_000, lockoutWindowMs: 1_800_000 })
  for (let tries = 0; tries < 2; tries += 1)
    await domain.canBind(domain.serviceAccountDn, Buffer.from('not this one'))
  expect(await domain.readAccount(domain.serviceAccountDn)).toMatchObject({ locked: true })
  const locked = await refusedWith('the account is locked (49, data 775)')
  await set('lockoutTime', '0')
  await systemClock.sleep(110)
  await locked.writer()
  await domain.setPolicy({ lockoutThreshold: 0 })
})
