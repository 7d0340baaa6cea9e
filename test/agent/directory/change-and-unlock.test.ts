// A change with the old password and an unlock on a real domain controller, in every state an account can be in.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isChangeDenied } from '../../../src/agent/directory/active-directory/change-right.ts'
import type { WriterSession } from '../../../src/agent/directory/directory.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import { laterPassword, newPassword, oldPassword, wrongPassword } from '../../servers/canaries.ts'
import { type CreatedUser, replaceAttribute } from '../../servers/directory-admin.ts'
import type { RequestFault } from '../../servers/ldap-faults.ts'
import { type LdapProxy, startLdapProxy } from '../../servers/ldap-proxy.ts'
import { type SambaDomain, startSambaDomain } from '../../servers/samba-domain.ts'
import { clear, openedDirectories, readAccount, resetOf, writeOf } from './opened-directories.ts'

const directories = openedDirectories()
const POLICY = {
  lockoutThreshold: 3,
  minPasswordAgeMs: 0,
  lockoutDurationMs: 1_800_000,
  lockoutWindowMs: 1_800_000,
}
const DAY_MS = 86_400_000
let domain: SambaDomain
let proxy: LdapProxy
let number = 0
beforeAll(async () => {
  domain = await startSambaDomain({ policy: POLICY })
  proxy = await startLdapProxy({ target: domain.url })
})
afterEach(() => directories.closeAll())
afterAll(async () => {
  await proxy?.stop()
  await domain?.stop()
})

const open = (): Promise<WriterSession> => directories.open(domain, { controllers: [proxy.url] }).writer()
function newUser(): Promise<CreatedUser> {
  number += 1
  return domain.createUser({ name: `member ${number}` })
}
async function lock(user: CreatedUser): Promise<void> {
  for (let i = 0; i < 3; i++) await domain.canBind(user.dn, wrongPassword())
  expect(await domain.readAccount(user.dn)).toMatchObject({ locked: true })
}
const UNLOCK = { kind: 'unlock' } as const
const changeOf = (user: CreatedUser, from: Buffer, to: Buffer, changes = {}) =>
  writeOf(user.objectGuid, { kind: 'change', oldPassword: clear(from), newPassword: clear(to) }, changes)
const refusal = (kind: string, code: number, hex: string | undefined) => ({
  kind: 'refused',
  refusal: { kind, code, hex, diagnostic: expect.any(String) },
})

test('a change with the right old password signs in with the new one and leaves its marker', async () => {
  const user = await newUser()
  const writer = await open()
  expect(await writer.write(changeOf(user, oldPassword(), newPassword()))).toEqual({ kind: 'accepted' })
  expect(await domain.canBind(user.dn, newPassword())).toBe(true)
  expect(await domain.canBind(user.dn, oldPassword())).toBe(false)
  expect(await readAccount(writer, user.objectGuid)).toMatchObject({
    marker: 'wb1:00000000:1:a',
    mustChange: false,
  })
})

/** What the domain controller says of its clock, set back by 200 s. */
const setBack: RequestFault = {
  kind: 'edit-response',
  edit: (pdu) => {
    const text = pdu.toString('latin1')
    const edited = text.replace(/\d{14}(?=\.0Z)/, (time) => generalizedTime(momentOf(time) - 200_000))
    return Buffer.from(edited, 'latin1')
  },
}
const momentOf = (time: string): number =>
  Date.parse(time.replace(/(....)(..)(..)(..)(..)(..)/, '$1-$2-$3T$4:$5:$6Z'))
const generalizedTime = (moment: number): string =>
  new Date(moment).toISOString().replaceAll(/[-:T]|\..*$/g, '')

test('the clock is asked for anew before a change where failures are counted, and only then', async () => {
  const [calm, tried] = [await newUser(), await newUser()]
  expect(await domain.canBind(tried.dn, wrongPassword())).toBe(false)
  const writer = await open()
  const aheadMs = () => writer.directoryNowMs() - Date.now()
  const rule = proxy.onRequest({ operation: 'search', dn: '' }, setBack, 9)
  expect(await readAccount(writer, tried.objectGuid, 'reset')).toMatchObject({ badPasswordCount: 1 })
  await readAccount(writer, calm.objectGuid, 'change')
  expect({ asked: rule.hits(), isBehind: aheadMs() < -190_000 }).toEqual({ asked: 0, isBehind: false })
  await readAccount(writer, tried.objectGuid, 'change')
  expect({ asked: rule.hits(), isBehind: aheadMs() < -190_000 }).toEqual({ asked: 1, isBehind: true })
  rule.remove()
})

test('a wrong old password is told, counted, locks at the threshold, and moves no marker', async () => {
  const user = await newUser()
  const writer = await open()
  const wrong = () => writer.write(changeOf(user, wrongPassword(), newPassword()))
  for (let tried = 1; tried <= 3; tried++) {
    expect(await wrong()).toEqual(refusal('wrong_current_password', 19, '00000056'))
    expect(await readAccount(writer, user.objectGuid)).toMatchObject({
      badPasswordCount: tried,
      locked: tried === 3,
      marker: undefined,
    })
  }
  const locked = refusal('account_locked', 19, '00000775')
  expect(await wrong()).toEqual(locked)
  expect(await writer.write(changeOf(user, oldPassword(), newPassword()))).toEqual(locked)
})

test('a change that breaks the policy is refused, and neither password nor marker moves [refused_too_short, refused_not_complex, refused_in_history, refused_too_young]', async () => {
  const user = await newUser()
  const writer = await open()
  const policy = refusal('password_policy', 19, '0000052D')
  expect(await writer.write(changeOf(user, oldPassword(), Buffer.from('Short1!')))).toEqual({
    kind: 'accepted',
  })
  const next = { markerBefore: 'wb1:00000000:1:a', markerAfter: 'wb1:00000000:2:a' }
  const change = (to: Buffer) => writer.write(changeOf(user, Buffer.from('Short1!'), to, next))
  expect(await change(Buffer.from('Aa1!'))).toEqual(policy)
  expect(await change(Buffer.from('onlyletters'))).toEqual(policy)
  // In history: the one before, and the same again.
  expect(await change(oldPassword())).toEqual(policy)
  expect(await change(Buffer.from('Short1!'))).toEqual(policy)
  await domain.setPolicy({ minPasswordAgeMs: DAY_MS })
  expect(await change(newPassword())).toEqual(policy)
  await domain.setPolicy(POLICY)
  expect(await readAccount(writer, user.objectGuid)).toMatchObject({
    marker: 'wb1:00000000:1:a',
    badPasswordCount: 0,
  })
  expect(await change(newPassword())).toEqual({ kind: 'accepted' })
})

test('a password that must be changed is changed, whatever its age', async () => {
  const user = await newUser()
  const writer = await open()
  const reset = resetOf(user.objectGuid, { mustChange: true })
  expect(await writer.write(reset)).toEqual({ kind: 'accepted' })
  await domain.setPolicy({ minPasswordAgeMs: DAY_MS })
  const next = { markerBefore: reset.markerAfter, markerAfter: 'wb1:00000000:2:a' }
  const answer = await writer.write(changeOf(user, newPassword(), laterPassword(), next))
  await domain.setPolicy(POLICY)
  expect(answer).toEqual({ kind: 'accepted' })
  expect(await domain.canBind(user.dn, laterPassword())).toBe(true)
})

test('a change with a stale marker changes nothing, and looks at no password', async () => {
  const user = await newUser()
  const writer = await open()
  const stale = { markerBefore: 'wb1:00000000:9:a', markerAfter: 'wb1:00000000:1:a' }
  for (const from of [oldPassword(), wrongPassword()]) {
    expect(await writer.write(changeOf(user, from, newPassword(), stale))).toMatchObject({
      refusal: { kind: 'compare_failed', code: 16 },
    })
  }
  expect(await readAccount(writer, user.objectGuid)).toMatchObject({
    badPasswordCount: 0,
    marker: undefined,
  })
  expect(await domain.canBind(user.dn, oldPassword())).toBe(true)
})

test('who may not change the password is known before and refused after; a reset still works', async () => {
  const user = await newUser()
  const other = await newUser()
  await domain.edit({ edit: 'deny_change', dn: user.dn })
  const writer = await open()
  const denied = async (objectGuid: string, operation: 'reset' | 'change' | 'unlock' | 'inspect') =>
    (await readAccount(writer, objectGuid, operation))?.changeDenied
  for (const operation of ['change', 'inspect'] as const) {
    expect(await denied(user.objectGuid, operation)).toBe(true)
    expect(await denied(other.objectGuid, operation)).toBe(false)
  }
  proxy.forget()
  for (const operation of ['reset', 'unlock'] as const) {
    expect(await denied(user.objectGuid, operation)).toBeUndefined()
  }
  expect(proxy.messages().flatMap(({ controls }) => controls)).toEqual([])
  const change = changeOf(user, oldPassword(), newPassword())
  expect(await writer.write(change)).toEqual(refusal('change_not_permitted', 19, undefined))
  expect(await writer.write(resetOf(user.objectGuid))).toEqual({ kind: 'accepted' })
})

test('a change asks for everything in one read', async () => {
  const user = await newUser()
  const writer = await open()
  await readAccount(writer, user.objectGuid)
  proxy.forget()
  await readAccount(writer, user.objectGuid, 'change')
  const requests = proxy.messages().filter(({ direction }) => direction === 'request')
  expect(requests).toMatchObject([{ operation: 'search', controls: ['1.2.840.113556.1.4.801'] }])
})

test('an unlock unlocks, keeps the password, and moves the marker', async () => {
  const user = await newUser()
  const writer = await open()
  await lock(user)
  const before = await readAccount(writer, user.objectGuid)
  expect(await writer.write(writeOf(user.objectGuid, UNLOCK))).toEqual({ kind: 'accepted' })
  expect(await domain.readAccount(user.dn)).toMatchObject({ locked: false, lockoutTime: 0n, badPwdCount: 0 })
  expect(await readAccount(writer, user.objectGuid)).toMatchObject({
    marker: 'wb1:00000000:1:a',
    locked: false,
    passwordVersion: before?.passwordVersion,
  })
  expect(await domain.canBind(user.dn, oldPassword())).toBe(true)
})

test('an unlock of an account that is not locked, or whose lockout is over, only moves the marker', async () => {
  const user = await newUser()
  const writer = await open()
  const first = writeOf(user.objectGuid, UNLOCK)
  expect(await writer.write(first)).toEqual({ kind: 'accepted' })
  await domain.setPolicy({ lockoutDurationMs: 500, lockoutWindowMs: 500 })
  await lock(user)
  // Samba counts the end of a lockout in whole seconds.
  let over = await domain.readAccount(user.dn)
  for (let waited = 0; over.locked && waited < 5000; waited += 100) {
    await systemClock.sleep(100)
    over = await domain.readAccount(user.dn)
  }
  expect([over.locked, over.lockoutTime > 0n]).toEqual([false, true])
  expect(await readAccount(writer, user.objectGuid)).toMatchObject({ locked: false })
  const next = { markerBefore: first.markerAfter, markerAfter: 'wb1:00000000:2:a' }
  expect(await writer.write(writeOf(user.objectGuid, UNLOCK, next))).toEqual({ kind: 'accepted' })
  expect(await domain.readAccount(user.dn)).toMatchObject({ lockoutTime: 0n, badPwdCount: 0 })
  await domain.setPolicy(POLICY)
})

test('an unlock with a stale marker leaves the account locked', async () => {
  const user = await newUser()
  const writer = await open()
  await lock(user)
  const stale = writeOf(user.objectGuid, UNLOCK, { markerBefore: 'wb1:00000000:9:a' })
  expect(await writer.write(stale)).toMatchObject({ refusal: { kind: 'compare_failed', code: 16 } })
  expect(await domain.readAccount(user.dn)).toMatchObject({ locked: true, marker: undefined })
})

test('a disabled or expired account is unlocked and changed by the directory', async () => {
  const disabled = await newUser()
  const expired = await newUser()
  const admin = await domain.admin()
  await replaceAttribute(admin, disabled.dn, 'userAccountControl', ['514'])
  await replaceAttribute(admin, expired.dn, 'accountExpires', ['130000000000000000'])
  const writer = await open()
  for (const user of [disabled, expired]) {
    expect(await writer.write(writeOf(user.objectGuid, UNLOCK))).toEqual({ kind: 'accepted' })
    const next = { markerBefore: 'wb1:00000000:1:a', markerAfter: 'wb1:00000000:2:a' }
    expect(await writer.write(changeOf(user, oldPassword(), newPassword(), next))).toEqual({
      kind: 'accepted',
    })
  }
})

// One entry of an access control list, and a descriptor around some.
const SELF = Buffer.from('01010000000000050a000000', 'hex')
const EVERYONE = Buffer.from('010100000000000100000000', 'hex')
const SYSTEM = Buffer.from('010100000000000512000000', 'hex')
const CHANGE = Buffer.from('531a72ab2f1ed0119819 00aa0040529b'.replace(' ', ''), 'hex')
const OTHER_RIGHT = Buffer.alloc(16, 7)
function ace(
  type: number,
  trustee: Buffer,
  options: { flags?: number; mask?: number; right?: Buffer; inherited?: Buffer } = {},
) {
  const { flags = 0, mask = 0x100, right, inherited } = options
  const present = Buffer.alloc(4)
  present.writeUInt32LE((right === undefined ? 0 : 1) | (inherited === undefined ? 0 : 2))
  const isObject = type === 5 || type === 6
  const parts = isObject ? [present, right ?? Buffer.of(), inherited ?? Buffer.of()] : []
  const head = Buffer.alloc(8)
  const body = Buffer.concat([head, ...parts, trustee])
  body.writeUInt8(type, 0)
  body.writeUInt8(flags, 1)
  body.writeUInt16LE(body.length, 2)
  body.writeUInt32LE(mask, 4)
  return body
}
function descriptor(...entries: readonly Buffer[]): Buffer {
  const list = Buffer.concat([Buffer.alloc(8), ...entries])
  list.writeUInt8(4, 0)
  list.writeUInt16LE(list.length, 2)
  list.writeUInt16LE(entries.length, 4)
  const head = Buffer.alloc(20)
  head.writeUInt8(1, 0)
  head.writeUInt16LE(0x8004, 2)
  head.writeUInt32LE(20, 16)
  return Buffer.concat([head, list])
}
const withControl = (control: number): Buffer => {
  const bytes = descriptor(ace(6, SELF, { right: CHANGE }))
  bytes.writeUInt16LE(control, 2)
  return bytes
}

test.each<[string, boolean | undefined, Buffer | undefined]>([
  ['no descriptor', undefined, undefined],
  ['no entries', false, descriptor()],
  ['SELF denied', true, descriptor(ace(6, SELF, { right: CHANGE }))],
  ['everyone denied', true, descriptor(ace(6, EVERYONE, { right: CHANGE, inherited: OTHER_RIGHT }))],
  ['every extended right denied', true, descriptor(ace(6, SELF))],
  ['everything denied', true, descriptor(ace(1, EVERYONE, { mask: 0xf01ff }))],
  ['somebody else denied', false, descriptor(ace(6, SYSTEM, { right: CHANGE }))],
  ['another right denied', false, descriptor(ace(6, SELF, { right: OTHER_RIGHT }))],
  ['another kind of access denied', false, descriptor(ace(6, SELF, { right: CHANGE, mask: 0x30 }))],
  ['denied for children only', false, descriptor(ace(6, SELF, { right: CHANGE, flags: 0x0a }))],
  [
    'allowed before an inherited denial',
    false,
    descriptor(ace(5, SELF, { right: CHANGE }), ace(6, EVERYONE, { right: CHANGE, flags: 0x10 })),
  ],
  [
    'denied before allowed',
    true,
    descriptor(ace(6, EVERYONE, { right: CHANGE }), ace(5, SELF, { right: CHANGE })),
  ],
  ['an audit entry only', false, descriptor(ace(7, SELF, { right: CHANGE }))],
  ['a list that allows everything', false, Buffer.from('0100048000000000000000000000000000000000', 'hex')],
  ['no list', undefined, withControl(0x8000)],
  ['another form', undefined, withControl(0x0004)],
  ['another revision', undefined, Buffer.concat([Buffer.of(2), withControl(0x8004).subarray(1)])],
])('%s: %s', (_name, expected, bytes) => {
  expect(isChangeDenied(bytes)).toBe(expected)
})

test('a cut or damaged descriptor is never taken for a permission, and never throws', () => {
  const whole = descriptor(ace(5, SYSTEM, { right: OTHER_RIGHT }), ace(6, SELF, { right: CHANGE }))
  for (let length = 0; length < whole.length; length++) {
    expect(isChangeDenied(whole.subarray(0, length))).toBeUndefined()
  }
  const answers = [true, false, undefined]
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(answers).toContain(isChangeDenied(Buffer.from(bytes)))
    }),
    { numRuns: 2000 },
  )
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(damage, (changes) => {
      const bytes = Buffer.from(whole)
      for (const [at, value] of changes) bytes[at] = value
      expect(answers).toContain(isChangeDenied(bytes))
    }),
    { numRuns: 5000 },
  )
})
