// Two real agents serve one directory: they share the work, and one ends truthfully what the other left in the middle.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { newPassword } from '../servers/canaries.ts'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import type { WorldAgent } from '../servers/world-agents.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { isAbout, isPasswordWrite, passwordWrites } from './password-writes.ts'

describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  let world: World<DirectoryKind>
  let first: WorldAgent
  let second: WorldAgent

  beforeAll(async () => {
    world = await startWorld({
      kind,
      agents: 2,
      directorySettings: '    operationTimeoutSeconds: 3',
    })
    ;[first, second] = world.agents as [WorldAgent, WorldAgent]
  }, 60_000)
  afterAll(() => world.stop())

  const sentBy = (agent: WorldAgent, user: WorldUser) => passwordWrites(agent.proxy as LdapProxy, user)

  test('two agents share the requests of one directory, each applied with one write', async () => {
    const names = Array.from({ length: 24 }, (_, index) => `share${index}`)
    const users = await Promise.all(names.map((name) => world.createUser({ name })))
    const verdicts = await Promise.all(users.map((user) => world.reset(user, newPassword())))
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(users.map(() => 'applied'))
    const writes = users.map((user) => [sentBy(first, user).sent, sentBy(second, user).sent])
    expect(writes.map(([one = 0, other = 0]) => one + other)).toEqual(users.map(() => 1))
    expect(writes.filter(([one]) => one === 1).length).toBeGreaterThan(0)
    expect(writes.filter(([one]) => one === 0).length).toBeGreaterThan(0)
  }, 60_000)

  test('an agent that died with writes on their way is followed by the other, and its late write changes nothing', async () => {
    const [lost, answered] = [
      await world.createUser({ name: 'neverarrived' }),
      await world.createUser({ name: 'arrived' }),
    ]
    await second.stop()
    const proxy = first.proxy as LdapProxy
    const held = proxy.onRequest((message) => isPasswordWrite(message) && isAbout(message, lost), {
      kind: 'hold',
    })
    const swallowed = proxy.onRequest(isPasswordWrite, { kind: 'swallow-response' })
    const requests = await Promise.all([world.ask(lost, newPassword()), world.ask(answered, newPassword())])
    await Promise.all([held.hit, swallowed.hit])
    await first.kill()
    await second.start()
    const verdicts = await Promise.all(requests.map((request) => world.verdict(request, 60_000)))
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(['applied', 'applied'])
    expect(sentBy(second, lost)).toEqual({ sent: 1, accepted: 1 })
    expect(sentBy(second, answered).sent).toBe(0)
    await held.release()
    expect(sentBy(first, lost)).toEqual({ sent: 1, accepted: 0 })
    await first.start()
    for (const user of [lost, answered])
      expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  }, 120_000)
})
