// Accounts whose marker the service account may not write, on a real directory of either kind: what is missing is told as a grant
// that works, and with `withoutMarker: version` a write without the marker has one effect and a true outcome.
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Condition } from '../../src/telemetry/conditions.ts'
import { adminPassword, laterPassword, newPassword, oldPassword, wrongPassword } from '../servers/canaries.ts'
import { ldapClient, readEntry, replaceAttribute } from '../servers/directory-admin.ts'
import { DIRECTORY_KINDS, type DirectoryKind, type TestDomain } from '../servers/directory-kinds.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { dateOldPassword } from '../servers/slapd-admin.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import {
  boundNames,
  isPasswordWrite,
  PASSWORD_MODIFY,
  passwordWrites,
  watchForOthers,
} from './password-writes.ts'

const OU = 'Unmarked'
const DATABASE = 'olcDatabase={1}mdb,cn=config'

/** Changes the access rules of slapd, as its administrator does. */
async function changeRules(
  url: string,
  change: (rules: readonly string[]) => readonly string[],
): Promise<void> {
  const client = await ldapClient(url)
  await client.bind('cn=config', adminPassword().toString())
  const { olcAccess } = await readEntry(client, DATABASE, ['olcAccess'])
  // slapd numbers them anew.
  const rules = [olcAccess ?? []].flat().map((rule) => String(rule).replace(/^\{\d+\}/, ''))
  const changed = change(rules).map((rule, index) => `{${index}}${rule}`)
  await replaceAttribute(client, DATABASE, 'olcAccess', changed)
  await client.unbind()
}

/** Lets the service account write people, but not their markers. */
async function withholdMarker(domain: TestDomain): Promise<void> {
  if (domain.kind === 'openldap')
    return changeRules(domain.url, (rules) => rules.filter((rule) => !/attrs=writebackMarker/.test(rule)))
  const dn = `OU=${OU},${domain.baseDn}`
  await (await domain.admin()).add(dn, { objectClass: 'organizationalUnit' })
  const rights = ['resetPassword', 'lockoutTime', 'pwdLastSet'] as const
  await domain.edit({ edit: 'delegate', account: domain.serviceAccountDn, ou: dn, rights: [...rights] })
}

/** Grants what the condition names, as an administrator who copies it. */
async function grantAsTold(domain: TestDomain, detail: string): Promise<void> {
  if (domain.kind === 'openldap') {
    const told = [...detail.matchAll(/olcAccess: (to .+? by \* break)/g)].map(([, rule = '']) => rule)
    expect(told).toHaveLength(2)
    return changeRules(domain.url, (rules) => [...told, ...rules])
  }
  const unit = `OU=${OU},${domain.baseDn}`
  expect(detail).toContain(`dsacls "${unit}" /I:S /G "${domain.serviceAccountName}:`)
  const [ace = ''] = /\(OA;[^)]*\)/.exec(detail) ?? []
  await domain.edit({ edit: 'add_ace', dn: unit, ace })
}

describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  let world: World<DirectoryKind>
  let proxy: LdapProxy
  let users = 0
  const { watch, others } = watchForOthers()

  beforeAll(async () => {
    world = await startWorld<DirectoryKind>({
      kind,
      domain: {
        ...(kind === 'openldap' ? { scheme: '{ARGON2}' as const } : {}),
        policy: { lockoutThreshold: 5, minPasswordAgeMs: 0 },
      },
      watch: () => watch,
      directorySettings:
        '    withoutMarker: version\n    operationTimeoutSeconds: 1.5\n    connectTimeoutSeconds: 2',
      agentEnv: { NODE_OPTIONS: `--import ${path.join(import.meta.dirname, 'short-quarantine.ts')}` },
      beforeAgent: (_directory, domain) => withholdMarker(domain),
    })
    proxy = world.proxy as LdapProxy
  }, 60_000)
  afterAll(() => world?.stop())

  /** OpenLDAP tells a password from a newer one by its second alone: of an old one nothing is in doubt. */
  const age = async ({ dn }: WorldUser) => {
    if (kind === 'openldap') await dateOldPassword(await world.domain.admin(), dn)
  }
  const newUser = async () => {
    users += 1
    const place = kind === 'active-directory' ? { ou: OU } : {}
    const user = await world.createUser({ name: `unmarked${users}`, ...place })
    await age(user)
    return user
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
    await age(user)
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

  test('two requests in a row for one account: the first is applied, and the password is that of the last that was', async () => {
    const user = await newUser()
    const first = await world.ask(user, newPassword())
    const second = await world.ask(user, laterPassword())
    expect(await world.verdict(first)).toMatchObject({ outcome: 'applied' })
    const { outcome } = await world.verdict(second)
    // Nobody knows that a change of that second or later was the agent's own: on a slow machine it counts as somebody's.
    expect(kind === 'active-directory' ? ['applied'] : ['applied', 'superseded']).toContain(outcome)
    const valid = outcome === 'applied' ? laterPassword() : newPassword()
    expect(await world.domain.canBind(user.principal, valid)).toBe(true)
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
    await grantAsTold(world.domain, (await missing()) ?? '')
    expect(await world.reset(user, laterPassword())).toMatchObject({ outcome: 'applied' })
    expect((await world.domain.readAccount(user.dn)).marker).toMatch(/^wb1:/)
    expect(await missing()).toBeUndefined()
    expect(await world.domain.canBind(user.principal, oldPassword())).toBe(false)
    expect([...boundNames(proxy)]).toEqual([world.domain.serviceAccountName])
  })

  test('all of that was read and modified; no password was set by an extended operation, and one would have been seen', async () => {
    expect(others).toEqual([])
    const stranger = await ldapClient(proxy.url)
    await expect(stranger.exop(PASSWORD_MODIFY)).rejects.toThrow()
    await stranger.unbind()
    expect(others).toEqual([`extended ${PASSWORD_MODIFY}`])
  })
})
