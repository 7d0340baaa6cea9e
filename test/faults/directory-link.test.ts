// The way to the directory below LDAP: nothing answers, connections are forgotten, it crawls, and somebody else is there.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { ActiveDirectoryOptions } from '../../src/agent/directory/directory-options.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { openedDirectories, readAccount, resetOf } from '../agent/directory/opened-directories.ts'
import { newPassword, oldPassword } from '../servers/canaries.ts'
import { bareEnvironment } from '../servers/child-process.ts'
import type { CreatedUser } from '../servers/directory-admin.ts'
import { type LdapProxy, startLdapProxy } from '../servers/ldap-proxy.ts'
import { takeLoopbackAddress } from '../servers/loopback-address.ts'
import { type SambaDomain, startSambaDomain } from '../servers/samba-domain.ts'
import { startTcpRelay, type TcpRelay } from '../servers/tcp-relay.ts'
import { testCa } from '../servers/test-ca.ts'

const PASSWORD = { operation: 'modify', attribute: 'unicodePwd' } as const
const directories = openedDirectories()
let domain: SambaDomain
let proxy: LdapProxy
let relay: TcpRelay
let number = 0
beforeAll(async () => {
  domain = await startSambaDomain()
  proxy = await startLdapProxy({ target: domain.url })
  relay = await startTcpRelay({ host: proxy.address, port: proxy.port })
})
afterEach(async () => {
  await directories.closeAll()
  relay.limitTo(undefined)
  proxy.forget()
})
afterAll(async () => {
  await relay.stop()
  await proxy.stop()
  await domain.stop()
})

const open = (changes: Partial<ActiveDirectoryOptions> = {}) =>
  directories.open(domain, { controllers: [`ldaps://${relay.address}`], ...changes })
const newUser = (): Promise<CreatedUser> => {
  number += 1
  return domain.createUser({ name: `user ${number}` })
}

// A listener whose queue is full drops each new SYN, as a firewall does.
const BLACKHOLE = `
import socket, sys, time
listener = socket.socket()
listener.bind((sys.argv[1], 636))
listener.listen(0)
waiting = []
for _ in range(4):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex((sys.argv[1], 636))
    waiting.append(one)
time.sleep(0.3)
print('full', flush=True)
time.sleep(60)
`

async function startBlackhole(): Promise<{ url: string; stop: () => Promise<void> }> {
  const loopback = await takeLoopbackAddress()
  const child: ChildProcess = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', '/usr/bin/python3', '-c', BLACKHOLE, loopback.address],
    { env: bareEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data')
  return {
    url: `ldaps://${loopback.address}`,
    stop: async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
      await loopback.release()
    },
  }
}

test('a controller that lets every SYN vanish costs one connect timeout, and the next one is taken [syn_blackhole]', async () => {
  const user = await newUser()
  const blackhole = await startBlackhole()
  try {
    const begun = performance.now()
    const alone = open({ controllers: [blackhole.url], connectTimeoutMs: 400 })
    await expect(alone.writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TIMEOUT', retry: 'later' })
    expect(performance.now() - begun).toBeGreaterThan(390)
    expect(performance.now() - begun).toBeLessThan(2_000)
    const both = open({ controllers: [blackhole.url, `ldaps://${relay.address}`], connectTimeoutMs: 1_500 })
    const writer = await both.writer()
    expect(await writer.write(resetOf(user.objectGuid))).toEqual({ kind: 'accepted' })
  } finally {
    await blackhole.stop()
  }
})

test('on a connection that something in between forgot, a write is lost, and the marker tells that it never came [half_open]', async () => {
  const user = await newUser()
  const directory = open({ operationTimeoutMs: 1_000 })
  const writer = await directory.writer()
  expect(await readAccount(writer, user.objectGuid)).toMatchObject({ marker: undefined })
  // Opens the connection for writes, too.
  const other = await newUser()
  expect(await writer.write(resetOf(other.objectGuid))).toEqual({ kind: 'accepted' })
  proxy.forget()
  relay.forgetOpen()
  const lost = await writer.write(resetOf(user.objectGuid))
  expect(lost).toMatchObject({ kind: 'lost', phase: 'written', cause: { code: 'ERR_DIRECTORY_TIMEOUT' } })
  const again = await directory.writer()
  expect(await readAccount(again, user.objectGuid)).toMatchObject({ marker: undefined })
  expect(await domain.canBind(user.dn, oldPassword())).toBe(true)
  expect(await again.write(resetOf(user.objectGuid))).toEqual({ kind: 'accepted' })
  expect(proxy.count({ ...PASSWORD, direction: 'request' })).toBe(1)
})

test('on a forgotten connection a read ends in time, and the next one is bound anew [half_open]', async () => {
  const user = await newUser()
  const directory = open({ operationTimeoutMs: 1_000 })
  const writer = await directory.writer()
  await readAccount(writer, user.objectGuid)
  proxy.forget()
  relay.forgetOpen()
  await expect(readAccount(writer, user.objectGuid)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TIMEOUT' })
  expect((await readAccount(await directory.writer(), user.objectGuid))?.objectGuid).toBe(user.objectGuid)
  expect(proxy.messages().find(({ direction }) => direction === 'request')?.operation).toBe('bind')
})

test('at 1 KB a second a reset takes long and is done once; who cannot wait that long hears of a timeout [one_kilobyte_a_second]', async () => {
  const user = await newUser()
  const writer = await open({ operationTimeoutMs: 20_000 }).writer()
  await readAccount(writer, user.objectGuid)
  relay.limitTo(1_024)
  const begun = performance.now()
  expect((await readAccount(writer, user.objectGuid))?.objectGuid).toBe(user.objectGuid)
  expect(performance.now() - begun).toBeGreaterThan(500)
  await expect(open({ connectTimeoutMs: 500 }).writer()).rejects.toMatchObject({
    code: 'ERR_DIRECTORY_TIMEOUT',
  })
  expect(await writer.write(resetOf(user.objectGuid))).toEqual({ kind: 'accepted' })
  expect(proxy.count({ ...PASSWORD, direction: 'request' })).toBe(1)
  expect(await domain.canBind(user.dn, newPassword())).toBe(true)
}, 60_000)

test('when a reconnect meets another certificate, it sees no byte of a bind or a write [certificate_swapped, certificate_expired]', async () => {
  const user = await newUser()
  const ca = await testCa()
  const directory = open()
  const writer = await directory.writer()
  await readAccount(writer, user.objectGuid)
  for (const certificate of [ca.stranger, ca.expired]) {
    await proxy.useCertificate(certificate)
    proxy.disconnectAll()
    await systemClock.sleep(50)
    proxy.forget()
    expect(await writer.write(resetOf(user.objectGuid))).toMatchObject({
      kind: 'not_sent',
      cause: { code: 'ERR_DIRECTORY_TLS', retry: 'later' },
    })
    await expect(directory.writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TLS' })
    expect(proxy.messages()).toEqual([])
  }
  await proxy.useCertificate(ca.server)
  expect(await (await directory.writer()).write(resetOf(user.objectGuid))).toEqual({ kind: 'accepted' })
})

test('after idle connections were closed the next read and write are bound first [idle_connection_closed]', async () => {
  const user = await newUser()
  const directory = open()
  const writer = await directory.writer()
  expect(await writer.write(resetOf(user.objectGuid))).toEqual({ kind: 'accepted' })
  for (const next of ['second', 'third']) {
    proxy.disconnectAll()
    await systemClock.sleep(50)
    proxy.forget()
    const session = await directory.writer()
    const account = await readAccount(session, user.objectGuid)
    const write = resetOf(user.objectGuid, { markerBefore: account?.marker, markerAfter: next })
    expect(await session.write(write)).toEqual({ kind: 'accepted' })
    const firsts = new Map<number, string>()
    for (const { connection, direction, operation } of proxy.messages())
      if (direction === 'request' && !firsts.has(connection)) firsts.set(connection, operation)
    expect(new Set(firsts.values())).toEqual(new Set(['bind']))
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
  const { Attribute, Change } = await import('ldapts')
  const set = (type: string, value: string) =>
    admin.modify(
      domain.serviceAccountDn,
      new Change({ operation: 'replace', modification: new Attribute({ type, values: [value] }) }),
    )
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
