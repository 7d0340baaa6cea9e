// The way to the directory below LDAP, which is one for both kinds of directory: connections are forgotten, it crawls, and
// somebody else is there.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { WriterSession } from '../../src/agent/directory/directory.ts'
import type { OpenLdapOptions } from '../../src/agent/directory/directory-options.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { read, resetTo, slapdDirectories, writeTo } from '../agent/directory/openldap/slapd-directories.ts'
import { newPassword, oldPassword } from '../servers/canaries.ts'
import type { CreatedUser } from '../servers/directory-admin.ts'
import { type LdapProxy, startLdapProxy } from '../servers/ldap-proxy.ts'
import { type SlapdServer, startSlapdServer } from '../servers/slapd-server.ts'
import { startTcpRelay, type TcpRelay } from '../servers/tcp-relay.ts'
import { testCa } from '../servers/test-ca.ts'

const PASSWORD = { operation: 'modify', attribute: 'userPassword' } as const
const directories = slapdDirectories()
let domain: SlapdServer
let proxy: LdapProxy
let relay: TcpRelay
let number = 0
beforeAll(async () => {
  domain = await startSlapdServer()
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

const open = (changes: Partial<OpenLdapOptions> = {}) =>
  directories.open(domain, { controllers: [`ldaps://${relay.address}`], ...changes })
const reset = async (writer: WriterSession, { objectGuid }: CreatedUser) =>
  writer.write(writeTo(await read(writer, objectGuid), resetTo()))
const newUser = (): Promise<CreatedUser> => {
  number += 1
  return domain.createUser({ name: `user ${number}` })
}

test('on a connection that something in between forgot, a write is lost, and the marker tells that it never came [half_open]', async () => {
  const user = await newUser()
  const directory = open({ operationTimeoutMs: 1_000 })
  const writer = await directory.writer()
  expect(await read(writer, user.objectGuid)).toMatchObject({ marker: undefined })
  // Opens the connection for writes, too.
  const other = await newUser()
  expect(await reset(writer, other)).toEqual({ kind: 'accepted' })
  const account = await read(writer, user.objectGuid)
  proxy.forget()
  relay.forgetOpen()
  const lost = await writer.write(writeTo(account, resetTo()))
  expect(lost).toMatchObject({ kind: 'lost', phase: 'written', cause: { code: 'ERR_DIRECTORY_TIMEOUT' } })
  const again = await directory.writer()
  expect(await read(again, user.objectGuid)).toMatchObject({ marker: undefined })
  expect(await domain.canBind(user.dn, oldPassword())).toBe(true)
  expect(await reset(again, user)).toEqual({ kind: 'accepted' })
  expect(proxy.count({ ...PASSWORD, direction: 'request' })).toBe(1)
})

test('on a forgotten connection a read ends in time, and the next one is bound anew [half_open]', async () => {
  const user = await newUser()
  const directory = open({ operationTimeoutMs: 1_000 })
  const writer = await directory.writer()
  await read(writer, user.objectGuid)
  proxy.forget()
  relay.forgetOpen()
  await expect(read(writer, user.objectGuid)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TIMEOUT' })
  expect((await read(await directory.writer(), user.objectGuid)).objectGuid).toBe(user.objectGuid)
  expect(proxy.messages().find(({ direction }) => direction === 'request')?.operation).toBe('bind')
})

test('at 1 KB a second a reset takes long and is done once; who cannot wait that long hears of a timeout [one_kilobyte_a_second]', async () => {
  const user = await newUser()
  const writer = await open({ operationTimeoutMs: 20_000 }).writer()
  await read(writer, user.objectGuid)
  relay.limitTo(1_024)
  const begun = performance.now()
  expect((await read(writer, user.objectGuid)).objectGuid).toBe(user.objectGuid)
  expect(performance.now() - begun).toBeGreaterThan(500)
  await expect(open({ connectTimeoutMs: 500 }).writer()).rejects.toMatchObject({
    code: 'ERR_DIRECTORY_TIMEOUT',
  })
  expect(await reset(writer, user)).toEqual({ kind: 'accepted' })
  expect(proxy.count({ ...PASSWORD, direction: 'request' })).toBe(1)
  expect(await domain.canBind(user.dn, newPassword())).toBe(true)
}, 60_000)

test('when a reconnect meets another certificate, it sees no byte of a bind or a write [certificate_swapped, certificate_expired]', async () => {
  const user = await newUser()
  const ca = await testCa()
  const directory = open()
  const writer = await directory.writer()
  const account = await read(writer, user.objectGuid)
  for (const certificate of [ca.stranger, ca.expired]) {
    await proxy.useCertificate(certificate)
    proxy.disconnectAll()
    await systemClock.sleep(50)
    proxy.forget()
    expect(await writer.write(writeTo(account, resetTo()))).toMatchObject({
      kind: 'not_sent',
      cause: { code: 'ERR_DIRECTORY_TLS', retry: 'later' },
    })
    await expect(directory.writer()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TLS' })
    expect(proxy.messages()).toEqual([])
  }
  await proxy.useCertificate(ca.server)
  expect(await reset(await directory.writer(), user)).toEqual({ kind: 'accepted' })
})

test('after idle connections were closed the next read and write are bound first [idle_connection_closed]', async () => {
  const user = await newUser()
  const directory = open()
  const writer = await directory.writer()
  expect(await reset(writer, user)).toEqual({ kind: 'accepted' })
  for (const next of ['second', 'third']) {
    proxy.disconnectAll()
    await systemClock.sleep(50)
    proxy.forget()
    const session = await directory.writer()
    const account = await read(session, user.objectGuid)
    const write = writeTo(account, resetTo(`Canary-Idle!${next}-aAaa`))
    expect(await session.write(write)).toEqual({ kind: 'accepted' })
    const firsts = new Map<number, string>()
    for (const { connection, direction, operation } of proxy.messages())
      if (direction === 'request' && !firsts.has(connection)) firsts.set(connection, operation)
    expect(new Set(firsts.values())).toEqual(new Set(['bind']))
  }
})
