// When the answer to a write is lost, the agent reads, fences, and tells the truth: one effect, no guess, no bind as the user.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { laterPassword, newPassword, oldPassword } from '../servers/canaries.ts'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'
import type { RequestFault } from '../servers/ldap-faults.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'
import { boundNames, isPasswordWrite, passwordWrites } from './password-writes.ts'

// Only the directory knows that it refuses these, so they are sent: whether a space is a symbol, what the password is now.
const REFUSED = {
  'active-directory': { password: () => Buffer.from('Abcdefg hij'), reason: 'password_not_complex' },
  openldap: { password: oldPassword, reason: 'password_in_history' },
}

const BUSY: readonly (readonly [code: number, diagnostic: string])[] = [
  [3, ''],
  [51, ''],
  [52, ''],
]
const PASSING = {
  'active-directory': BUSY,
  openldap: [
    ...BUSY,
    // Two writes of one account met in its history (slapd 2.5).
    [16, 'modify/delete: pwdHistory: no such value'],
    [20, 'modify/add: pwdHistory: value #0 already exists'],
    // What a proxy says that lost its server.
    [80, ''],
  ],
} as const

describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  let world: World<DirectoryKind>
  let proxy: LdapProxy
  let users = 0

  beforeAll(async () => {
    world = await startWorld({
      kind,
      domain: {
        ...(kind === 'openldap' ? { scheme: '{ARGON2}' as const } : {}),
        policy: { lockoutThreshold: 3, lockoutDurationMs: 1_800_000, lockoutWindowMs: 1_800_000 },
      },
      directorySettings: '    operationTimeoutSeconds: 1.5\n    connectTimeoutSeconds: 2',
    })
    proxy = world.proxy as LdapProxy
  }, 60_000)
  afterEach(() => {
    expect([...boundNames(proxy)].filter((name) => name !== world.domain.serviceAccountName)).toEqual([])
  })
  afterAll(() => world.stop())

  const newUser = () => {
    users += 1
    return world.createUser({ name: `lost${users}` })
  }

  test.each<[string, RequestFault]>([
    ['the answer is swallowed', { kind: 'swallow-response' }],
    ['the connection is reset when the directory has answered', { kind: 'reset', when: 'answered' }],
    ['the answer comes after the agent gave up', { kind: 'delay-response', ms: 3_000 }],
  ])(
    '%s: applied, with one write [answer_swallowed, reset_after_request, answer_late]',
    async (_, fault) => {
      const user = await newUser()
      proxy.forget()
      proxy.onRequest(isPasswordWrite, fault)
      expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
      expect(passwordWrites(proxy, user).sent).toBe(1)
      expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
      expect((await world.domain.readAccount(user.dn)).badPwdCount).toBe(0)
    },
    40_000,
  )

  test.each<[string, RequestFault]>([
    ['the request never reaches the directory', { kind: 'swallow-request' }],
    ['the connection is reset before the request is passed on', { kind: 'reset', when: 'before' }],
    ['the connection is reset while the directory works on it', { kind: 'reset', when: 'forwarded' }],
    ['one byte of the request arrives', { kind: 'cut', bytes: 1 }],
    ['half of the request arrives', { kind: 'cut', bytes: 150 }],
    [
      'the directory answers with bytes that are not LDAP',
      { kind: 'raw', bytes: () => Buffer.from('GET / HTTP/1.1\r\n\r\n') },
    ],
  ])(
    '%s: fenced, then applied with one accepted write [reset_before_request, reset_during_request]',
    async (_, fault) => {
      const user = await newUser()
      proxy.forget()
      proxy.onRequest(isPasswordWrite, fault)
      expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
      expect(passwordWrites(proxy, user).accepted).toBe(1)
      expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
    },
    40_000,
  )

  test('a write that arrives after the fence changes nothing, also when a newer reset came between [request_late]', async () => {
    const user = await newUser()
    proxy.forget()
    const late = proxy.onRequest(isPasswordWrite, { kind: 'hold' })
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
    expect(await world.reset(user, laterPassword())).toMatchObject({ outcome: 'applied' })
    await late.release()
    expect(passwordWrites(proxy, user)).toEqual({ sent: 3, accepted: 2 })
    expect(await world.domain.canBind(user.principal, laterPassword())).toBe(true)
  }, 40_000)

  test('a write that the directory got twice has one effect', async () => {
    const user = await newUser()
    proxy.onRequest(isPasswordWrite, { kind: 'duplicate' })
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
    expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  })

  test('a lost answer to a password that the policy refuses ends refused, and nothing changed', async () => {
    const user = await newUser()
    const { password, reason } = REFUSED[kind]
    proxy.onRequest(isPasswordWrite, { kind: 'swallow-response' })
    expect(await world.reset(user, password())).toMatchObject({ outcome: 'refused', reason })
    expect(await world.domain.canBind(user.principal, oldPassword())).toBe(true)
  }, 40_000)

  test.each(PASSING[kind])(
    'result code %i (%s) makes the request wait and is not taken for a refusal [busy, unavailable, time_limit]',
    async (code, diagnostic) => {
      const user = await newUser()
      proxy.onRequest(isPasswordWrite, { kind: 'answer', result: { code, diagnostic } })
      expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
    },
    40_000,
  )

  test('a directory that is unwilling and does not say why: failed, nothing written, and the next request goes on [unwilling]', async () => {
    const user = await newUser()
    proxy.forget()
    proxy.onRequest(isPasswordWrite, { kind: 'answer', result: { code: 53, diagnostic: '' } })
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'failed', reason: 'internal' })
    expect(passwordWrites(proxy, user)).toEqual({ sent: 1, accepted: 0 })
    expect(await world.domain.canBind(user.principal, oldPassword())).toBe(true)
    expect(await world.reset(user, laterPassword())).toMatchObject({ outcome: 'applied' })
  }, 40_000)

  test('a referral is never followed [controller_read_only]', async () => {
    const user = await newUser()
    const before = proxy.connections().total
    proxy.onRequest(isPasswordWrite, {
      kind: 'answer',
      result: { code: 10, diagnostic: '', referrals: ['ldap://elsewhere.invalid/'] },
    })
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
    expect(proxy.connections().total).toBeGreaterThanOrEqual(before)
  }, 40_000)

  test('a domain controller that hangs and comes back: one effect, and the truth', async () => {
    const user = await newUser()
    proxy.forget()
    world.domain.pause()
    const request = await world.ask(user, newPassword())
    await new Promise((resolve) => setTimeout(resolve, 4_000))
    expect(await world.ops('/readyz')).toMatchObject({ status: 503 })
    world.domain.resume()
    expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
    expect(passwordWrites(proxy, user).accepted).toBe(1)
    expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  }, 60_000)

  test('a domain controller that is gone and comes back: requests wait, in order, and are applied [controller_restarts]', async () => {
    const user = await newUser()
    await world.domain.kill()
    const request = await world.ask(user, newPassword())
    expect(await world.verdict(request, 3_000)).toMatchObject({ outcome: null })
    await world.domain.restart()
    expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
    expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  }, 60_000)
})
