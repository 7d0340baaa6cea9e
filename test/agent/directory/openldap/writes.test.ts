// The OpenLDAP dialect on a real slapd: one modify per write, the marker as compare-and-set, and what each write leaves.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { WriterSession } from '../../../../src/agent/directory/directory.ts'
import { newPassword, oldPassword } from '../../../servers/canaries.ts'
import { readEntry, replaceAttribute } from '../../../servers/directory-admin.ts'
import type { RecordedMessage, RequestFault } from '../../../servers/ldap-faults.ts'
import { startLdapProxy } from '../../../servers/ldap-proxy.ts'
import { setUserPassword } from '../../../servers/slapd-admin.ts'
import { type SlapdServer, startSlapdServer } from '../../../servers/slapd-server.ts'
import { changeTo, read, resetTo, slapdDirectories, writeTo } from './slapd-directories.ts'

let server: SlapdServer
let session: WriterSession
const { open, closeAll } = slapdDirectories()
let count = 0

const LOCKOUT = { lockoutThreshold: 3, lockoutDurationMs: 600_000, lockoutWindowMs: 600_000 }
const FOR_EVER = '000001010000Z'

beforeAll(async () => {
  server = await startSlapdServer({
    policy: { ...LOCKOUT, passwordHistoryLength: 3 },
    policyValues: { pwdLockout: 'TRUE', pwdMustChange: 'TRUE' },
  })
})
afterEach(closeAll)
afterAll(() => server.stop())

async function user(attributes: Readonly<Record<string, string>> = {}) {
  session = await open(server).writer()
  count += 1
  return server.createUser({ name: `person ${count}`, accountName: `p${count}`, attributes })
}
const attributesOf = async (dn: string, ...names: string[]) => readEntry(await server.admin(), dn, names)
const lock = async (dn: string, time = FOR_EVER) =>
  replaceAttribute(await server.admin(), dn, 'pwdAccountLockedTime', [time])
async function failures(dn: string, times: number) {
  for (let at = 0; at < times; at += 1) await server.canBind(dn, Buffer.from(`wrong ${at}`))
}

test('a reset sets the password and the marker in one modify, and the next one compares with it', async () => {
  const { dn, objectGuid } = await user()
  const account = await read(session, objectGuid)
  expect(account).toMatchObject({ dn, marker: undefined, ordinary: true, locked: false, disabled: false })
  const first = writeTo(account, resetTo())
  expect(await session.write(first)).toEqual({ kind: 'accepted' })
  expect(await server.canBind(dn, newPassword())).toBe(true)
  const after = await read(session, objectGuid)
  expect(after.marker).toBe(first.markerAfter)
  expect(after.objectClasses).toContain('writebackaccount')
  const stale = { ...writeTo(account, resetTo('Another-Heron-1')), account: after }
  expect(await session.write(stale)).toMatchObject({
    kind: 'refused',
    refusal: { kind: 'compare_failed', code: 19 },
  })
  const wrong = writeTo(after, resetTo('Another-Heron-1'), { markerBefore: 'wb1:nothing' })
  expect(await session.write(wrong)).toMatchObject({
    kind: 'refused',
    refusal: { kind: 'compare_failed', code: 16 },
  })
  expect(await session.write(writeTo(after, resetTo('Another-Heron-1')))).toEqual({ kind: 'accepted' })
})

test('a password that somebody else set after the read is not gone over', async () => {
  const { dn, objectGuid } = await user()
  await setUserPassword(await server.admin(), dn, Buffer.from('Theirs-Heron-0'))
  const account = await read(session, objectGuid)
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  await setUserPassword(await server.admin(), dn, Buffer.from('Theirs-Heron-1'))
  const answer = await session.write(writeTo(account, resetTo()))
  expect(answer).toMatchObject({ kind: 'refused', refusal: { kind: 'busy', code: 122 } })
  expect(await server.canBind(dn, Buffer.from('Theirs-Heron-1'))).toBe(true)
})

test('the clock is asked for anew before a change where failures are counted, which one set back would hide', async () => {
  const calm = await user()
  const tried = await user()
  await failures(tried.dn, 1)
  const proxy = await startLdapProxy({ target: server.url, targetName: server.serverName })
  try {
    session = await open({ ...server, url: proxy.url }).writer()
    const clockRead = ({ operation, direction, dn = '' }: RecordedMessage) =>
      operation === 'search' && direction === 'request' && dn.startsWith('cn=Current,cn=Time')
    proxy.forget()
    expect(await read(session, tried.objectGuid, 'reset')).toMatchObject({ badPasswordCount: 1 })
    await read(session, calm.objectGuid, 'change')
    expect(proxy.count(clockRead)).toBe(0)
    // Ahead by the window and more: by that clock the failure is over.
    const stale = proxy.onRequest(clockRead, clockAhead(LOCKOUT.lockoutWindowMs + 60_000))
    expect(await read(session, tried.objectGuid, 'change')).toMatchObject({ badPasswordCount: 0 })
    expect(stale.hits()).toBe(1)
    expect(await read(session, tried.objectGuid, 'reset')).toMatchObject({ badPasswordCount: 0 })
    // It is set back, and nothing but asking tells.
    expect(await read(session, tried.objectGuid, 'change')).toMatchObject({ badPasswordCount: 1 })
    expect(proxy.count(clockRead)).toBe(2)
  } finally {
    await proxy.stop()
  }
})

/** The server's clock says a later time. */
const clockAhead = (ms: number): RequestFault => ({
  kind: 'edit-response',
  edit: (pdu) => {
    const later = new Date(Date.now() + ms).toISOString().replaceAll(/[-:T]|\..*$/g, '')
    return Buffer.from(pdu.toString('latin1').replace(/\d{14}(?=Z)/, later), 'latin1')
  },
})

test('a name that leads to another entry since the read is not written', async () => {
  const { dn, objectGuid } = await user()
  const account = await read(session, objectGuid)
  await (await server.admin()).del(dn)
  const again = await server.createUser({ name: `person ${count} again`, accountName: `p${count}` })
  expect(again.dn).toBe(dn)
  const answer = await session.write(writeTo(account, resetTo()))
  expect(answer).toMatchObject({ kind: 'refused', refusal: { code: 122 } })
  expect(await server.canBind(dn, newPassword())).toBe(false)
  expect(await session.readAccount({ anchor: objectGuid, objectGuid: null }, 'reset')).toBeUndefined()
})

test.each([
  ['keeps the lockout when it is not asked to unlock', false, true],
  ['ends the lockout when it is asked to', true, false],
])('a reset of a locked account %s', async (_what, unlock, isLocked) => {
  const { dn, objectGuid } = await user()
  await failures(dn, 3)
  const account = await read(session, objectGuid)
  expect(account).toMatchObject({ locked: true, badPasswordCount: 3, disabled: false })
  expect(await session.write(writeTo(account, resetTo(newPassword(), { unlock })))).toEqual({
    kind: 'accepted',
  })
  expect(await read(session, objectGuid)).toMatchObject({ locked: isLocked, badPasswordCount: 0 })
  expect(await server.canBind(dn, newPassword())).toBe(!isLocked)
})

test.each([
  ['reset', FOR_EVER],
  ['unlock', FOR_EVER],
  ['reset', '00000101000000Z'],
  ['unlock', '00000101000000Z'],
] as const)(
  'a %s does not enable what an administrator locked for good, written as %s',
  async (kind, time) => {
    const { dn, objectGuid } = await user()
    await lock(dn, time)
    const account = await read(session, objectGuid)
    expect(account).toMatchObject({ disabled: true, locked: false })
    const effect = kind === 'reset' ? resetTo(newPassword(), { unlock: true }) : { kind }
    expect(await session.write(writeTo(account, effect))).toEqual({ kind: 'accepted' })
    expect(await attributesOf(dn, 'pwdAccountLockedTime')).toMatchObject({ pwdAccountLockedTime: time })
  },
)

test('a lock that an administrator set after the read is not lifted', async () => {
  const { dn, objectGuid } = await user()
  const account = await read(session, objectGuid)
  await lock(dn)
  for (const effect of [resetTo(newPassword(), { unlock: true }), { kind: 'unlock' } as const])
    expect(await session.write(writeTo(account, effect))).toMatchObject({ refusal: { code: 122 } })
  expect(await attributesOf(dn, 'pwdAccountLockedTime')).toMatchObject({ pwdAccountLockedTime: FOR_EVER })
})

test.each([0, 2, 3])(
  'an unlock after %d wrong passwords leaves neither lockout nor failures',
  async (wrong) => {
    const { dn, objectGuid } = await user()
    await failures(dn, wrong)
    const account = await read(session, objectGuid, 'unlock')
    expect(account.badPasswordCount).toBe(wrong)
    expect(await session.write(writeTo(account, { kind: 'unlock' }))).toEqual({ kind: 'accepted' })
    expect(await read(session, objectGuid)).toMatchObject({ locked: false, badPasswordCount: 0 })
    expect(await server.canBind(dn, oldPassword())).toBe(true)
  },
)

test('must-change is set with the password, and ended by the next one', async () => {
  const { dn, objectGuid } = await user()
  const account = await read(session, objectGuid)
  await session.write(writeTo(account, resetTo(newPassword(), { mustChange: true })))
  const must = await read(session, objectGuid)
  expect(must).toMatchObject({ mustChange: true, mustChangeIsIdle: false, passwordSetAtMs: undefined })
  expect((await attributesOf(dn, 'pwdReset'))['pwdReset']).toBe('TRUE')
  await session.write(writeTo(must, resetTo('Another-Heron-2')))
  expect((await read(session, objectGuid)).mustChange).toBe(false)
})

test('a change needs the right old password, and a wrong one is not counted', async () => {
  const { dn, objectGuid } = await user()
  const account = await read(session, objectGuid, 'change')
  const wrong = await session.write(writeTo(account, changeTo('not it', newPassword())))
  expect(wrong).toMatchObject({ kind: 'refused', refusal: { kind: 'wrong_current_password', code: 53 } })
  const again = await read(session, objectGuid, 'change')
  expect(again).toMatchObject({ badPasswordCount: 0, marker: undefined })
  expect(await session.write(writeTo(again, changeTo(oldPassword(), newPassword())))).toEqual({
    kind: 'accepted',
  })
  expect(await server.canBind(dn, newPassword())).toBe(true)
})

test.each([
  ['password_in_history', {}, 'Heron-in-history-1'],
  ['password_too_short', { pwdMinLength: '30' }, 'Heron-short-1'],
  ['password_too_young', { pwdMinAge: '3600' }, 'Heron-young-1'],
] as const)('a refusal names %s, as the policy control does', async (rule, values, password) => {
  const { objectGuid } = await user()
  expect(
    await session.write(writeTo(await read(session, objectGuid), resetTo('Heron-in-history-1'))),
  ).toEqual({ kind: 'accepted' })
  await server.setPolicy({}, values)
  const answer = await session.write(writeTo(await read(session, objectGuid), resetTo(password)))
  await server.setPolicy({}, { pwdMinLength: '7', pwdMinAge: '0' })
  expect(answer).toMatchObject({ refusal: { kind: 'password_policy', code: 19, brokenRule: rule } })
})

test.each([
  ['0', 0, { kind: 'accepted' }],
  ['1', 30, { refusal: { kind: 'password_policy', code: 19, brokenRule: 'password_too_short' } }],
  ['2', 30, { refusal: { kind: 'password_policy', code: 19, brokenRule: 'password_too_short' } }],
] as const)(
  'pwdCheckQuality %s: a minimum length of %d holds for the agent and for slapd; history and age hold in any',
  async (quality, minimumLength, end) => {
    const { objectGuid } = await user()
    await server.setPolicy({}, { pwdCheckQuality: quality, pwdMinLength: '30' })
    const long = 'Heron-of-more-than-thirty-characters'
    try {
      const account = await read(session, objectGuid)
      expect(await session.readPolicy(account)).toMatchObject({ policy: { minimumLength } })
      expect(await session.write(writeTo(account, resetTo('Heron-short-2')))).toMatchObject(end)
      const again = await read(session, objectGuid)
      expect(await session.write(writeTo(again, resetTo(long)))).toEqual({ kind: 'accepted' })
      const used = writeTo(await read(session, objectGuid), resetTo(long))
      expect(await session.write(used)).toMatchObject({ refusal: { brokenRule: 'password_in_history' } })
      await server.setPolicy({}, { pwdMinAge: '3600' })
      const young = writeTo(await read(session, objectGuid), resetTo(`${long}-2`))
      expect(await session.write(young)).toMatchObject({ refusal: { brokenRule: 'password_too_young' } })
    } finally {
      await server.setPolicy({}, { pwdCheckQuality: '2', pwdMinLength: '7', pwdMinAge: '0' })
    }
  },
)

test('pwdMinAge holds up neither a reset nor a change of a password that must be changed', async () => {
  const { dn, objectGuid } = await user()
  await server.setPolicy({}, { pwdMinAge: '3600' })
  try {
    for (const effect of [resetTo('Heron-must-1'), changeTo('Heron-must-1', 'Heron-must-2')]) {
      await replaceAttribute(await server.admin(), dn, 'pwdReset', ['TRUE'])
      expect(await session.write(writeTo(await read(session, objectGuid), effect))).toEqual({
        kind: 'accepted',
      })
    }
    const young = writeTo(await read(session, objectGuid), changeTo('Heron-must-2', 'Heron-must-3'))
    expect(await session.write(young)).toMatchObject({ refusal: { brokenRule: 'password_too_young' } })
  } finally {
    await server.setPolicy({}, { pwdMinAge: '0' })
  }
})

test('pwdAllowUserChange FALSE is told for the guard: slapd itself takes the change, as it is not the user who writes', async () => {
  const { objectGuid } = await user()
  await server.setPolicy({}, { pwdAllowUserChange: 'FALSE' })
  try {
    const account = await read(session, objectGuid, 'change')
    expect(account.changeDenied).toBe(true)
    expect(await session.write(writeTo(account, resetTo('Heron-allowed-1')))).toEqual({ kind: 'accepted' })
    const changed = changeTo('Heron-allowed-1', 'Heron-allowed-2')
    expect(await session.write(writeTo(await read(session, objectGuid), changed))).toEqual({
      kind: 'accepted',
    })
  } finally {
    await server.setPolicy({}, { pwdAllowUserChange: 'TRUE' })
  }
})

test('pwdSafeModify makes a reset impossible, and the refusal says what to change', async () => {
  const { objectGuid } = await user()
  await server.setPolicy({}, { pwdSafeModify: 'TRUE' })
  const answer = await session.write(writeTo(await read(session, objectGuid), resetTo()))
  const changed = await session.write(
    writeTo(await read(session, objectGuid), changeTo(oldPassword(), newPassword())),
  )
  await server.setPolicy({}, { pwdSafeModify: 'FALSE' })
  expect(answer).toMatchObject({
    refusal: { kind: 'missing_right', diagnostic: expect.stringContaining('set it to FALSE') },
  })
  expect(changed).toEqual({ kind: 'accepted' })
})

test('twelve writes of one account at once, all from the same marker: one is accepted, and no refusal is a riddle', async () => {
  const { objectGuid } = await user()
  await session.write(writeTo(await read(session, objectGuid), resetTo('Heron-first-0')))
  const account = await read(session, objectGuid)
  const sent = Array.from({ length: 12 }, (_, index) => writeTo(account, resetTo(`Heron-race-${index}`)))
  const answers = await Promise.all(sent.map((write) => session.write(write)))
  const kinds = answers.map((answer) => (answer.kind === 'refused' ? answer.refusal.kind : answer.kind))
  expect(kinds.filter((kind) => kind === 'accepted')).toHaveLength(1)
  expect(
    [...new Set(kinds)].filter((kind) => !['accepted', 'compare_failed', 'busy'].includes(kind)),
  ).toEqual([])
  const winner = sent[kinds.indexOf('accepted')]
  expect((await read(session, objectGuid)).marker).toBe(winner?.markerAfter)
})

test('the clock of the server is learned from a write of our own', async () => {
  const { objectGuid } = await user()
  await session.write(writeTo(await read(session, objectGuid), resetTo()))
  expect(Math.abs(session.directoryNowMs() - Date.now())).toBeLessThan(200)
  const { passwordVersion } = await read(session, objectGuid)
  expect(passwordVersion?.counts).toBe('seconds')
  expect(Math.abs((passwordVersion?.version ?? 0) - Date.now() / 1_000)).toBeLessThan(3)
})

test('a password that looks like a hash is sent to nobody', async () => {
  const { objectGuid } = await user()
  const account = await read(session, objectGuid)
  for (const text of ['{SSHA}AAAA', '', Buffer.of(0xff)])
    await expect(session.write(writeTo(account, resetTo(text)))).rejects.toMatchObject({
      code: 'ERR_PASSWORD_UNREPRESENTABLE',
    })
})

test('whether the marker may be written is asked without writing anything', async () => {
  const { dn, objectGuid } = await user()
  expect((await read(session, objectGuid, 'reset', true)).markerRight).toMatchObject({ held: true })
  expect(await attributesOf(dn, 'writebackMarker', 'objectClass')).toMatchObject({
    objectClass: 'inetOrgPerson',
  })
})
