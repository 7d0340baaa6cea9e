// Which entry a request means, by either anchor, and that nothing but a GUID ever reaches the wire.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { guidBytes, guidText } from '../../../src/agent/directory/active-directory/guid.ts'
import type { AccountReading, Subject, WriterSession } from '../../../src/agent/directory/directory.ts'
import type { ActiveDirectoryOptions } from '../../../src/agent/directory/directory-options.ts'
import type { WritebackError } from '../../../src/errors/writeback-error.ts'
import type { Operation } from '../../../src/protocol/identifiers.ts'
import type { CreatedUser } from '../../servers/directory-admin.ts'
import { type LdapProxy, startLdapProxy } from '../../servers/ldap-proxy.ts'
import { type SambaDomain, startSambaDomain } from '../../servers/samba-domain.ts'
import { openedDirectories } from './opened-directories.ts'

const CONSISTENCY = 'mS-DS-ConsistencyGuid'
const directories = openedDirectories()
let domain: SambaDomain
let proxy: LdapProxy
let number = 0
beforeAll(async () => {
  domain = await startSambaDomain()
  proxy = await startLdapProxy({ target: domain.url })
})
afterEach(() => directories.closeAll())
afterAll(async () => {
  await proxy?.stop()
  await domain?.stop()
})

const open = (anchor: NonNullable<ActiveDirectoryOptions['anchor']>): Promise<WriterSession> =>
  directories.open(domain, { controllers: [proxy.url], anchor, connections: 4 }).writer()
function newUser(anchor?: string): Promise<CreatedUser> {
  number += 1
  const attributes = anchor === undefined ? {} : { attributes: { [CONSISTENCY]: guidBytes(anchor) } }
  return domain.createUser({ name: `anchored ${number}`, ...attributes })
}
/** Bytes that mean something in a filter: `*()\` and NUL. */
const awkwardGuid = (at: number) => `2a28295c-0000-4a2a-8028-295c2a00${at.toString(16).padStart(4, '0')}`
const invalid = { code: 'ERR_DOCUMENT_INVALID', retry: 'never' }
const guidOf = (reading: AccountReading) => (reading === 'ambiguous' ? reading : reading?.objectGuid)

test('bytes and text of a GUID are each other’s inverse', () => {
  fc.assert(
    fc.property(fc.uuid(), (guid) => {
      expect(guidText(guidBytes(guid))).toBe(guid)
    }),
  )
})

test('an objectGUID that contradicts the pinned one is refused, the same one is not', async () => {
  const [user, other] = [await newUser(), await newUser()]
  const writer = await open('objectGUID')
  const anchor = user.objectGuid
  for (const objectGuid of [null, anchor]) {
    expect(guidOf(await writer.readAccount({ anchor, objectGuid }, 'reset'))).toBe(anchor)
  }
  for (const objectGuid of [other.objectGuid, '', `${anchor}>`]) {
    await expect(writer.readAccount({ anchor, objectGuid }, 'reset')).rejects.toMatchObject(invalid)
  }
})

test('by mS-DS-ConsistencyGuid, inspect finds the entry and everything about it', async () => {
  const anchor = awkwardGuid(1)
  const user = await newUser(anchor)
  const writer = await open(CONSISTENCY)
  const account = await writer.readAccount({ anchor, objectGuid: null }, 'inspect')
  expect(account).toMatchObject({ objectGuid: user.objectGuid, dn: user.dn, changeDenied: false })
  expect(account).toMatchObject({ groups: expect.arrayContaining(['S-1-5-32-545']) })
  // Its objectGUID is another thing, and no anchor here.
  const byGuid = { anchor: user.objectGuid, objectGuid: null }
  expect(await writer.readAccount(byGuid, 'inspect')).toBeUndefined()
})

test('by mS-DS-ConsistencyGuid, a write needs the pinned entry, and that entry must still have the anchor', async () => {
  const anchor = awkwardGuid(2)
  const [user, other] = [await newUser(anchor), await newUser(awkwardGuid(3))]
  const writer = await open(CONSISTENCY)
  for (const operation of ['reset', 'change', 'unlock'] as const) {
    proxy.forget()
    const read = (objectGuid: string | null) => writer.readAccount({ anchor, objectGuid }, operation)
    expect(guidOf(await read(user.objectGuid))).toBe(user.objectGuid)
    expect(proxy.messages().filter(({ direction }) => direction === 'request')).toHaveLength(1)
    expect(await read(other.objectGuid)).toBeUndefined()
    expect(await read('00000000-0000-4000-8000-000000000000')).toBeUndefined()
    await expect(read(null)).rejects.toMatchObject({
      ...invalid,
      message: expect.stringContaining('inspected'),
    })
  }
})

test('an inspect finds the entry whatever was pinned before', async () => {
  const anchor = awkwardGuid(6)
  const [user, other] = [await newUser(anchor), await newUser()]
  const [byGuid, byAnchor] = [await open('objectGUID'), await open(CONSISTENCY)]
  for (const objectGuid of [other.objectGuid, '00000000-0000-4000-8000-000000000000', 'nonsense']) {
    const inspect = (writer: WriterSession, known: string) =>
      writer.readAccount({ anchor: known, objectGuid }, 'inspect').then(guidOf)
    expect(await inspect(byGuid, user.objectGuid)).toBe(user.objectGuid)
    expect(await inspect(byAnchor, anchor)).toBe(user.objectGuid)
  }
})

test('two or more entries with one anchor are ambiguous, wherever they lie', async () => {
  const anchor = awkwardGuid(4)
  const admin = await domain.admin()
  await newUser(anchor)
  const contact = `CN=contact,OU=Outside,${domain.baseDn}`
  await admin.add(contact, { objectClass: 'contact', [CONSISTENCY]: guidBytes(anchor) } as never)
  const writer = await open(CONSISTENCY)
  const inspect = () => writer.readAccount({ anchor, objectGuid: null }, 'inspect')
  expect(await inspect()).toBe('ambiguous')
  const third = await newUser(anchor)
  expect(await inspect()).toBe('ambiguous')
  await admin.del(contact)
  await admin.del(third.dn)
  expect(guidOf(await inspect())).toMatch(/^[0-9a-f-]{36}$/)
})

test('an entry outside the domain’s own partition is not found', async () => {
  const anchor = awkwardGuid(5)
  const admin = await domain.admin()
  const place = `CN=Sites,CN=Configuration,${domain.baseDn}`
  await admin.add(`CN=elsewhere,${place}`, { objectClass: 'site', [CONSISTENCY]: guidBytes(anchor) } as never)
  const writer = await open(CONSISTENCY)
  expect(await writer.readAccount({ anchor, objectGuid: null }, 'inspect')).toBeUndefined()
})

const hostile = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'*()\\\0&|!=<>;,+"#/ -0123456789abcdef'), maxLength: 80 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ minLength: 1000, maxLength: 5000 }),
  fc.uuid().map((guid) => guid.toUpperCase()),
  fc.uuid().map((guid) => `{${guid}}`),
  fc.uuid().map((guid) => guid.replaceAll('-', '')),
  fc
    .tuple(fc.uuid(), fc.constantFrom('*', ')', '\0', '\n', ' ', '>', '>,DC=x', ')(cn=*'))
    .map(([a, b]) => a + b),
  fc
    .tuple(fc.uuid(), fc.constantFrom('*', '(', '\\', '\0', 'g', '０', '<'), fc.nat(35))
    .map(([guid, odd, at]) => guid.slice(0, at) + odd + guid.slice(at + 1)),
  fc.uuid().map((guid) => `<GUID=${guid}>`),
  fc.constantFrom(
    'CN=Administrator,CN=Users,DC=corp,DC=test',
    '<SID=S-1-5-32-544>',
    '(objectClass=*)',
    '*',
    '',
  ),
)
const IS_GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

test.each(['objectGUID', CONSISTENCY] as const)(
  'by %s, 10,000 generated identifiers find the intended entry or none, and only GUIDs reach the wire',
  async (attribute) => {
    const users = await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        newUser(awkwardGuid((attribute === CONSISTENCY ? 100 : 200) + at)),
      ),
    )
    const known = new Map(
      users.map(({ objectGuid }, at) => [
        attribute === 'objectGUID' ? objectGuid : awkwardGuid(100 + at),
        objectGuid,
      ]),
    )
    const writer = await open(attribute)
    const read = (subject: Subject, operation: Operation = 'inspect') =>
      writer.readAccount(subject, operation).then(guidOf, ({ code }: WritebackError) => code)
    await read({ anchor: users[0]?.objectGuid ?? '', objectGuid: null })
    proxy.forget()
    const connections = proxy.connections().total
    const seed = Date.now() % 2 ** 31
    const texts = fc.sample(hostile, { seed, numRuns: 9400 }).filter((text) => !IS_GUID.test(text))
    expect(texts.length).toBeGreaterThan(9300)
    const accepted: string[] = []
    for (const text of texts) {
      const asAnchor = await read({ anchor: text, objectGuid: null })
      const asPin = await read({ anchor: users[0]?.objectGuid ?? '', objectGuid: text }, 'unlock')
      if (asAnchor !== 'ERR_DOCUMENT_INVALID' || asPin !== asAnchor) accepted.push(text)
    }
    expect([seed, accepted]).toEqual([seed, []])
    expect([proxy.messages(), proxy.connections().total]).toEqual([[], connections])
    const guids = fc.oneof(
      fc.uuid(),
      fc.integer({ min: 1000, max: 0xffff }).map(awkwardGuid),
      fc.constantFrom(...known.keys()),
    )
    const anchors = fc.sample(guids, { seed, numRuns: 600 })
    // A few at once, as many as there are connections.
    const lanes = [0, 1, 2, 3].map(async (lane) => {
      for (let at = lane; at < anchors.length; at += 4) {
        const anchor = anchors[at] ?? ''
        const found = await read({ anchor, objectGuid: null })
        expect([seed, anchor, found]).toEqual([seed, anchor, known.get(anchor)])
      }
    })
    await Promise.all(lanes)
    expect(anchors.filter((anchor) => known.has(anchor)).length).toBeGreaterThan(50)
  },
)
