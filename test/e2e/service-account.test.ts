// The password of the service account changes, in the directory or in the file, first the one or the other: the agent never
// locks its account, and comes back by itself.
import { renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import {
  changedPassword,
  laterPassword,
  newPassword,
  oldPassword,
  servicePassword,
} from '../servers/canaries.ts'
import { replaceAttribute } from '../servers/directory-admin.ts'
import { DIRECTORY_KINDS, type DirectoryKind, type TestDomain } from '../servers/directory-kinds.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'

const THRESHOLD = 5
const REQUESTS = 50
/** The shipped policy of the account in OpenLDAP knows no lockout; here it is as where nobody thought of it. */
async function putUnderLockout(domain: TestDomain): Promise<void> {
  if (domain.kind !== 'openldap') return
  await replaceAttribute(await domain.admin(), domain.serviceAccountDn, 'pwdPolicySubentry', [])
}

describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  let world: World<DirectoryKind>
  let proxy: LdapProxy

  beforeAll(async () => {
    const policy = { lockoutThreshold: THRESHOLD, lockoutDurationMs: 1_800_000, lockoutWindowMs: 1_800_000 }
    world = await startWorld({
      kind,
      domain: { policy },
      beforeAgent: (_, domain) => putUnderLockout(domain),
      agentEnv: { NODE_OPTIONS: `--import ${path.join(import.meta.dirname, 'short-bind-backoff.ts')}` },
    })
    proxy = world.proxy as LdapProxy
  }, 60_000)
  afterAll(() => world?.stop())

  /** As an operator or a secrets agent does it: the new file takes the place of the old one. */
  function putInFile(password: Buffer): void {
    const file = path.join(world.directory, 'bind-password')
    writeFileSync(`${file}.new`, password, { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  const putInDirectory = (password: Buffer) =>
    world.domain.setPassword(world.domain.serviceAccountDn, password)
  const refusedBinds = () => proxy.count({ operation: 'bindResponse', direction: 'response', resultCode: 49 })
  const serviceState = () => world.domain.readAccount(world.domain.serviceAccountDn)

  test('a wrong password and 50 requests: few refused binds, no lockout, and the right file brings all of them through', async () => {
    const users = await Promise.all(
      Array.from({ length: REQUESTS }, (_, at) => world.createUser({ name: `queued${at}` })),
    )
    const [first, second, ...others] = users as [WorldUser, WorldUser, ...WorldUser[]]
    expect(await world.reset(first, newPassword())).toMatchObject({ outcome: 'applied' })
    // A directory does not count the last two passwords as wrong ones.
    for (const next of [oldPassword(), newPassword(), changedPassword(), laterPassword()])
      await putInDirectory(next)
    // Connections that are bound already go on, also for requests that would have opened more of them.
    proxy.forget()
    const side = await Promise.all(
      [second, ...others.slice(0, 6)].map((user) => world.reset(user, newPassword())),
    )
    expect(side.map(({ outcome }) => outcome)).toEqual(side.map(() => 'applied'))
    proxy.disconnectAll()
    // Some have the first one by now, and no directory takes the same one twice from everybody.
    const requests = await Promise.all(users.map((user) => world.ask(user, laterPassword())))
    await sleep(12_000)
    expect(refusedBinds()).toBeGreaterThanOrEqual(1)
    expect(refusedBinds()).toBeLessThanOrEqual(THRESHOLD - 3)
    const failed = refusedBinds()
    expect(await serviceState()).toMatchObject({ locked: false, badPwdCount: failed })
    putInFile(laterPassword())
    const begun = performance.now()
    const verdicts = await Promise.all(requests.map((request) => world.verdict(request)))
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(requests.map(() => 'applied'))
    expect(performance.now() - begun).toBeLessThan(25_000)
    expect([refusedBinds(), (await serviceState()).locked]).toEqual([failed, false])
  }, 90_000)

  test('another wrong password in the file is tried once at once, and not again', async () => {
    const user = await world.createUser({ name: 'mistyped' })
    proxy.forget()
    await putInDirectory(servicePassword())
    proxy.disconnectAll()
    const request = await world.ask(user, newPassword())
    await sleep(6_000)
    const before = refusedBinds()
    expect(before).toBeLessThanOrEqual(THRESHOLD - 3)
    putInFile(oldPassword())
    await sleep(6_000)
    expect(refusedBinds()).toBe(before + 1)
    expect(refusedBinds()).toBeLessThanOrEqual(THRESHOLD - 2)
    expect(await serviceState()).toMatchObject({ locked: false })
    // The tries of this window are used up, so the account is left alone; a restart is a new beginning.
    putInFile(servicePassword())
    await world.agent.stop()
    await world.agent.start()
    expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
  }, 90_000)

  test('the file first, then the directory: nothing is refused while old connections last, and little afterwards', async () => {
    const user = await world.createUser({ name: 'filefirst' })
    proxy.forget()
    putInFile(laterPassword())
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
    expect(refusedBinds()).toBe(0)
    await putInDirectory(laterPassword())
    proxy.disconnectAll()
    expect(await world.reset(user, laterPassword())).toMatchObject({ outcome: 'applied' })
    expect(refusedBinds()).toBe(0)
  }, 60_000)
})
