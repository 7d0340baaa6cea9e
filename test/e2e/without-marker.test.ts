// Accounts whose marker the service account may not write, on a real domain controller: what is missing is told as a grant
// that works, and with `withoutMarker: version` a write without the marker has one effect and a true outcome.
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Condition } from '../../src/telemetry/conditions.ts'
import { laterPassword, newPassword, oldPassword, wrongPassword } from '../servers/canaries.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'
import { boundNames, isPasswordWrite, passwordWrites } from './password-writes.ts'

let world: World
let proxy: LdapProxy
let users = 0
const OU = 'Unmarked'

beforeAll(async () => {
  world = await startWorld({
    domain: { policy: { lockoutThreshold: 5, minPasswordAgeMs: 0 } },
    directorySettings:
      '    withoutMarker: version\n    operationTimeoutSeconds: 1.5\n    connectTimeoutSeconds: 2',
    agentEnv: { NODE_OPTIONS: `--import ${path.join(import.meta.dirname, 'short-quarantine.ts')}` },
    beforeAgent: async (_directory, domain) => {
      const dn = `OU=${OU},${domain.baseDn}`
      await (await domain.admin()).add(dn, { objectClass: 'organizationalUnit' })
      const rights = ['resetPassword', 'lockoutTime', 'pwdLastSet'] as const
      await domain.edit({ edit: 'delegate', account: domain.serviceAccountDn, ou: dn, rights: [...rights] })
    },
  })
  proxy = world.proxy as LdapProxy
}, 60_000)
afterAll(() => world?.stop())

const newUser = () => {
  users += 1
  return world.createUser({ name: `unmarked${users}`, ou: OU })
}
const conditions = async () => (await world.ops('/status')).json as { conditions: readonly Condition[] }
const missing = async () =>
  (await conditions()).conditions.find(({ code }) => code === 'marker_not_writable')?.detail

test('a reset, a change and an unlock are applied without a marker, each with one write', async () => {
  const user = await newUser()
  proxy.forget()
  expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
  expect(passwordWrites(proxy, user).accepted).toBe(1)
  expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  const change = { passwords: [newPassword(), laterPassword()] }
  expect(await world.run('change', user, change)).toMatchObject({ outcome: 'applied' })
  expect(await world.domain.canBind(user.principal, laterPassword())).toBe(true)
  for (let tries = 0; tries < 5; tries += 1) await world.domain.canBind(user.principal, wrongPassword())
  expect(await world.domain.readAccount(user.dn)).toMatchObject({ locked: true })
  expect(await world.run('unlock', user)).toMatchObject({ outcome: 'applied' })
  expect(await world.domain.readAccount(user.dn)).toMatchObject({
    locked: false,
    marker: undefined,
  })
})

test('two requests in a row for one account: both are applied, in their order', async () => {
  const user = await newUser()
  const first = await world.ask(user, newPassword())
  const second = await world.ask(user, laterPassword())
  expect([await world.verdict(first), await world.verdict(second)]).toEqual([
    expect.objectContaining({ outcome: 'applied' }),
    expect.objectContaining({ outcome: 'applied' }),
  ])
  expect(await world.domain.canBind(user.principal, laterPassword())).toBe(true)
})

test('a lost answer to a write that landed is unknown, and the write is not repeated', async () => {
  const user = await newUser()
  proxy.forget()
  proxy.onRequest(isPasswordWrite, { kind: 'swallow-response' })
  expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'unknown' })
  expect(passwordWrites(proxy, user).sent).toBe(1)
  expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
}, 40_000)

test('a lost write that never landed is applied after the quarantine, with one effect', async () => {
  const user = await newUser()
  proxy.forget()
  proxy.onRequest(isPasswordWrite, { kind: 'swallow-request' })
  expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
  expect(passwordWrites(proxy, user)).toMatchObject({ sent: 2, accepted: 1 })
  expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
}, 40_000)

test('killed with a write under way, the agent settles it after its start, and writes once', async () => {
  const user = await newUser()
  proxy.forget()
  const write = proxy.onRequest(isPasswordWrite, { kind: 'swallow-request' })
  const request = await world.ask(user, newPassword())
  await write.hit
  await world.agent.kill()
  await world.agent.start()
  expect(await world.verdict(request, 60_000)).toMatchObject({ outcome: 'applied' })
  expect(passwordWrites(proxy, user).accepted).toBe(1)
  expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
}, 90_000)

test('the condition holds a grant that works: with it the marker is written, and the condition ends', async () => {
  const user = await newUser()
  expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
  const detail = (await missing()) ?? ''
  expect(detail).toContain(
    `dsacls "OU=${OU},${world.domain.baseDn}" /I:S /G "${world.domain.serviceAccountName}:`,
  )
  const [ace = ''] = /\(OA;[^)]*\)/.exec(detail) ?? []
  await world.domain.edit({ edit: 'add_ace', dn: `OU=${OU},${world.domain.baseDn}`, ace })
  expect(await world.reset(user, laterPassword())).toMatchObject({ outcome: 'applied' })
  expect((await world.domain.readAccount(user.dn)).marker).toMatch(/^wb1:/)
  expect(await missing()).toBeUndefined()
  expect(await world.domain.canBind(user.principal, oldPassword())).toBe(false)
  expect([...boundNames(proxy)]).toEqual([world.domain.serviceAccountName])
})
