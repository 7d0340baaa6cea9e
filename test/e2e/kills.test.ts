// kill -9 of the agent, its Redis and the store, at chosen and at random moments: one true outcome each time.
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readEffects } from '../crash/read-effects.ts'
import { laterPassword, newPassword } from '../servers/canaries.ts'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'
import { onlyOnce } from './only-once.ts'
import { isAbout, isPasswordWrite, passwordWrites } from './password-writes.ts'

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
// Chosen moments are the crash matrix's; a full run has more of the random ones.
const ROUNDS = process.env['WRITEBACK_FULL'] === '1' ? 5 : 3
describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  let world: World<DirectoryKind>
  let proxy: LdapProxy
  let users = 0

  beforeAll(async () => {
    world = await startWorld({
      kind,
      domain: kind === 'openldap' ? { scheme: '{ARGON2}' } : {},
      directorySettings: '    operationTimeoutSeconds: 3',
    })
    proxy = world.proxy as LdapProxy
  }, 60_000)
  afterAll(() => world.stop())

  const newUser = () => {
    users += 1
    return world.createUser({ name: `kill${users}` })
  }

  /** The private Redis of the agent, found by its command line. */
  function redisPid(): number {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        if (words.includes('redis-server') && words.includes(world.directory) && !words.startsWith('setpriv'))
          return Number(pid)
      } catch {
        // It ended while we looked.
      }
    }
    throw new Error('no private Redis')
  }

  /** As redisPid, but waits for one that is being started again. */
  async function runningRedis(): Promise<number> {
    const end = performance.now() + 10_000
    while (performance.now() < end) {
      try {
        return redisPid()
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    return redisPid()
  }

  test('after a kill what is in doubt is settled before anything newer is written', async () => {
    const [user, newer] = [await newUser(), await newUser()]
    proxy.forget()
    const lost = proxy.onRequest(isPasswordWrite, { kind: 'swallow-request' })
    const request = await world.ask(user, newPassword())
    await lost.hit
    await world.agent.kill()
    const later = await world.ask(newer, laterPassword())
    await world.agent.start()
    expect([await world.verdict(request), await world.verdict(later)]).toEqual([
      expect.objectContaining({ outcome: 'applied' }),
      expect.objectContaining({ outcome: 'applied' }),
    ])
    const modifies = proxy
      .messages()
      .filter(({ operation, direction }) => operation === 'modify' && direction === 'request')
      .map((message) => (isAbout(message, newer) ? 'newer' : 'in doubt'))
    // The lost write, its fence, the write again; then the newer one.
    expect(modifies).toEqual(['in doubt', 'in doubt', 'in doubt', 'newer'])
  }, 60_000)

  test('agent killed while the write is on its way, which lands later: applied, with that one write', async () => {
    const user = await newUser()
    proxy.forget()
    const held = proxy.onRequest(isPasswordWrite, { kind: 'hold' })
    const request = await world.ask(user, newPassword())
    await held.hit
    await world.agent.kill()
    await held.release()
    await world.agent.start()
    expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
    expect(passwordWrites(proxy, user)).toEqual({ sent: 1, accepted: 1 })
    expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  }, 60_000)

  test('agent killed while the write is on its way, which never lands: applied after a fence, with one write', async () => {
    const user = await newUser()
    proxy.forget()
    const gone = proxy.onRequest(isPasswordWrite, { kind: 'swallow-request' })
    const request = await world.ask(user, newPassword())
    await gone.hit
    await world.agent.kill()
    await world.agent.start()
    expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
    expect(passwordWrites(proxy, user).accepted).toBe(1)
    expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  }, 60_000)

  test('agent killed after the directory accepted the write: applied, and not written again', async () => {
    const user = await newUser()
    proxy.forget()
    const swallowed = proxy.onRequest(isPasswordWrite, { kind: 'swallow-response' })
    const request = await world.ask(user, newPassword())
    await swallowed.hit
    await world.agent.kill()
    const begun = performance.now()
    await world.agent.start()
    expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
    expect(performance.now() - begun).toBeLessThan(15_000)
    expect(passwordWrites(proxy, user).sent).toBe(1)
    expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  }, 60_000)

  const once = onlyOnce(kind)

  once(
    'an outcome that the store never confirmed is delivered after a restart, the same bytes [outcome_answer_lost]',
    async () => {
      const user = await newUser()
      proxy.forget()
      const written = proxy.onRequest(isPasswordWrite, { kind: 'delay-response', ms: 500 })
      const request = await world.ask(user, newPassword())
      await written.hit
      await world.store.kill()
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      await world.agent.kill()
      await world.store.start()
      await world.agent.start()
      expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
      expect(passwordWrites(proxy, user).accepted).toBe(1)
    },
    60_000,
  )

  /** A small generator, so that a failing run can be repeated with SEED. */
  function createRandom(seed: number): () => number {
    let state = seed
    return () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return state / 4_294_967_296
    }
  }

  test.each(
    [
      [
        'the agent',
        async () => {
          await world.agent.kill()
          await world.agent.start()
        },
      ],
      ['its Redis', async () => process.kill(await runningRedis(), 'SIGKILL')],
      [
        'the store',
        async () => {
          await world.store.kill()
          await world.store.start()
        },
      ],
    ].slice(0, kind === 'openldap' ? 1 : 3) as [string, () => Promise<unknown>][],
  )(
    `%s killed at random moments (SEED=${SEED}): every reset applied, one effect each`,
    async (victim, strike) => {
      const random = createRandom(SEED)
      for (let round = 0; round < ROUNDS; round += 1) {
        const user = await newUser()
        const password = round % 2 === 0 ? newPassword() : laterPassword()
        proxy.forget()
        const before = await readEffects(world.domain, user.dn)
        const request = await world.ask(user, password)
        const afterMs = random() * 150
        await new Promise((resolve) => setTimeout(resolve, afterMs))
        await strike()
        expect({ victim, afterMs, ...(await world.verdict(request, 45_000)) }).toMatchObject({
          outcome: 'applied',
        })
        expect(await world.domain.canBind(user.principal, password)).toBe(true)
        // The proxy sees no answer that came after the agent had died; the directory counts every write.
        expect(passwordWrites(proxy, user).accepted).toBeLessThanOrEqual(1)
        const after = await readEffects(world.domain, user.dn)
        expect(after.passwordWrites - before.passwordWrites).toBe(1)
      }
    },
    240_000,
  )

  once(
    'SIGTERM in the middle of work: the agent finishes, reports and ends with status 0 [sigterm_mid_write]',
    async () => {
      const user = await newUser()
      const slow = proxy.onRequest(isPasswordWrite, { kind: 'delay-response', ms: 800 })
      const request = await world.ask(user, newPassword())
      await slow.hit
      expect(await world.agent.stop()).toBe(0)
      expect(await world.verdict(request, 1_000)).toMatchObject({ outcome: 'applied' })
      expect(() => redisPid()).toThrow('no private Redis')
      await world.agent.start()
    },
    60_000,
  )
})
