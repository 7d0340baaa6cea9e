// The proxy's faults, each against a real domain controller with an ordinary LDAP client.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import tls from 'node:tls'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { Attribute, Change, type Client, EqualityFilter } from 'ldapts'
import { adminPassword, allCanaries, newPassword, oldPassword } from './canaries.ts'
import { type CreatedUser, ldapClient, readEntry, unicodePwd } from './directory-admin.ts'
import { readLdapMessage } from './ldap-message.ts'
import { type LdapProxy, startLdapProxy } from './ldap-proxy.ts'
import { type SambaDomain, startSambaDomain } from './samba-domain.ts'
import { testCa } from './test-ca.ts'

let domain: SambaDomain
let proxy: LdapProxy
let user: CreatedUser
let number = 0
const clients: Client[] = []
const wire: Buffer[] = []

beforeAll(async () => {
  domain = await startSambaDomain()
  proxy = await startLdapProxy({ target: domain.url, onPdu: (_, pdu) => wire.push(Buffer.from(pdu)) })
})
beforeEach(async () => {
  number += 1
  user = await domain.createUser({ name: `user ${number}`, attributes: { description: 'before' } })
  proxy.forget()
})
afterAll(async () => {
  for (const client of clients) await client.unbind().catch(() => undefined)
  await proxy.stop()
  await domain.stop()
})

async function connect(timeoutMs = 3_000): Promise<Client> {
  const client = await ldapClient(proxy.url, timeoutMs)
  clients.push(client)
  await client.bind(domain.adminDn, adminPassword().toString())
  return client
}
const replace = (type: string, value: string | Buffer): Change =>
  new Change({ operation: 'replace', modification: new Attribute({ type, values: [value] as string[] }) })
const write = (client: Client, value: string) => client.modify(user.dn, replace('description', value))
async function description(): Promise<unknown> {
  const { description: value } = await readEntry(await domain.admin(), user.dn, ['description'])
  return value
}

test('records every message with its entry, attributes and result, and no password', async () => {
  const client = await connect()
  await client.modify(user.dn, [
    replace('unicodePwd', unicodePwd(newPassword())),
    replace('adminDisplayName', 'w1'),
  ])
  await client.search(domain.peopleDn, {
    filter: new EqualityFilter({ attribute: 'cn', value: user.accountName }),
  })
  expect(proxy.messages().map(({ operation }) => operation)).toEqual([
    'bind',
    'bindResponse',
    'modify',
    'modifyResponse',
    'search',
    'searchDone',
  ])
  expect(proxy.messages()[2]).toMatchObject({
    dn: user.dn,
    direction: 'request',
    changes: [
      { kind: 'replace', attribute: 'unicodePwd', count: 1, values: undefined },
      { kind: 'replace', attribute: 'adminDisplayName', count: 1, values: ['w1'] },
    ],
  })
  expect(proxy.messages()[3]).toMatchObject({ resultCode: 0, direction: 'response' })
  const recorded = JSON.stringify(proxy.messages())
  for (const canary of Object.values(allCanaries())) expect(recorded).not.toContain(canary.toString())
  expect(Buffer.concat(wire).includes(unicodePwd(newPassword()))).toBe(true)
  expect(await domain.canBind(user.dn, newPassword())).toBe(true)
})

test('a swallowed answer leaves the write done and the client waiting', async () => {
  const client = await connect(300)
  const rule = proxy.onRequest({ operation: 'modify' }, { kind: 'swallow-response' })
  await expect(write(client, 'after')).rejects.toThrow(/timed out/)
  expect(rule.hits()).toBe(1)
  expect(proxy.count({ operation: 'modifyResponse', resultCode: 0 })).toBe(1)
  expect(await description()).toBe('after')
})

test('a swallowed request is never done', async () => {
  const client = await connect(300)
  proxy.onRequest({ attribute: 'description' }, { kind: 'swallow-request' })
  await expect(write(client, 'after')).rejects.toThrow(/timed out/)
  expect(await description()).toBe('before')
})

test('a held request is done when it is released, long after its client has gone', async () => {
  const client = await connect(200)
  const rule = proxy.onRequest({ operation: 'modify' }, { kind: 'hold' })
  await expect(write(client, 'late')).rejects.toThrow(/timed out/)
  await client.unbind().catch(() => undefined)
  expect(await description()).toBe('before')
  await rule.release()
  expect(await description()).toBe('late')
})

test('a duplicated request is done twice and answered once', async () => {
  const client = await connect()
  proxy.onRequest({ operation: 'modify' }, { kind: 'duplicate' })
  const usn = async () => {
    const { uSNChanged } = await readEntry(await domain.admin(), user.dn, ['uSNChanged'])
    return Number(uSNChanged)
  }
  const before = await usn()
  await client.modify(user.dn, replace('unicodePwd', unicodePwd(newPassword())))
  await proxy.seen({ operation: 'modifyResponse' }, 2)
  expect((await usn()) - before).toBe(2)
  await write(client, 'connection still in step')
  expect(await description()).toBe('connection still in step')
})

test.each([0, 1, 20])('a request cut after %d bytes is not done', async (bytes) => {
  const client = await connect()
  proxy.onRequest({ operation: 'modify' }, { kind: 'cut', bytes })
  await expect(write(client, 'after')).rejects.toThrow()
  expect(await description()).toBe('before')
})

test.each([
  ['before', 'before'],
  ['forwarded', 'after'],
  ['answered', 'after'],
] as const)('a reset when %s leaves the description %s', async (when, expected) => {
  const client = await connect()
  proxy.onRequest({ operation: 'modify' }, { kind: 'reset', when })
  await expect(write(client, 'after')).rejects.toThrow(/reset|ECONNRESET|closed/i)
  if (when !== 'before') await proxy.seen({ operation: 'modifyResponse' })
  expect(await description()).toBe(expected)
})

test('a delayed request and a delayed answer arrive after their time', async () => {
  const client = await connect()
  for (const kind of ['delay-request', 'delay-response'] as const) {
    proxy.onRequest({ operation: 'modify' }, { kind, ms: 120 })
    const start = performance.now()
    await write(client, kind)
    expect(performance.now() - start).toBeGreaterThan(115)
    expect(await description()).toBe(kind)
  }
})

test('a sliced connection works, byte by byte', async () => {
  proxy.onRequest({ operation: 'bind' }, { kind: 'slice' })
  await write(await connect(), 'in slices')
  expect(await description()).toBe('in slices')
})

test('answers that only other servers give can be played, with or without doing the write', async () => {
  const client = await connect()
  const diagnostic = '0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0'
  proxy.onRequest({ operation: 'modify' }, { kind: 'answer', result: { code: 53, diagnostic } })
  await expect(write(client, 'refused')).rejects.toMatchObject({
    code: 53,
    message: expect.stringContaining('0000052D'),
  })
  expect(await description()).toBe('before')
  proxy.onRequest({ operation: 'modify' }, { kind: 'answer', result: { code: 51 }, forward: true })
  await expect(write(client, 'done all the same')).rejects.toMatchObject({ code: 51 })
  expect(await description()).toBe('done all the same')
  const result = { code: 10, referrals: ['ldaps://elsewhere.corp.test'] }
  proxy.onRequest({ operation: 'modify' }, { kind: 'answer', result })
  await expect(write(client, 'elsewhere')).rejects.toMatchObject({ code: 10 })
})

test('an answer can be edited on its way', async () => {
  const client = await connect()
  const edit = (pdu: Buffer) => Buffer.from(pdu.toString('latin1').replace('before', 'edited'), 'latin1')
  proxy.onRequest({ operation: 'search' }, { kind: 'edit-response', edit })
  const { searchEntries } = await client.search(user.dn, { scope: 'base', attributes: ['description'] })
  expect(searchEntries).toMatchObject([{ description: 'edited' }])
})

test('connections can be refused, ended with a notice, and meet another certificate', async () => {
  const client = await connect()
  const idle = tls.connect({ host: proxy.address, port: 636, ca: await readFile(domain.caFile) })
  await once(idle, 'secureConnect')
  proxy.disconnectAll({ code: 52, diagnostic: 'going down' })
  const [notice] = (await once(idle, 'data')) as [Buffer]
  expect(readLdapMessage(notice)).toMatchObject({
    messageId: 0,
    resultCode: 52,
    oid: '1.3.6.1.4.1.1466.20036',
  })
  await expect(write(client, 'gone')).rejects.toThrow()
  await proxy.refuseConnections()
  await expect(connect()).rejects.toThrow(/ECONNREFUSED/)
  await proxy.acceptConnections()
  await proxy.useCertificate((await testCa()).expired)
  await expect(connect()).rejects.toThrow(/expired/)
  await proxy.useCertificate((await testCa()).server)
  await write(await connect(), 'back')
  expect(await description()).toBe('back')
  expect(await domain.canBind(user.dn, oldPassword())).toBe(true)
})
