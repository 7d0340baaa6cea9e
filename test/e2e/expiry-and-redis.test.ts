// Requests that run out of time, and a Redis that is somebody else's: nothing written late, nothing lost.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { newPassword, oldPassword, redisPassword } from '../servers/canaries.ts'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { startRedisServer, type TestRedis } from '../servers/redis-server.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'
import { onlyOnce } from './only-once.ts'
import { isPasswordWrite, passwordWrites } from './password-writes.ts'

describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  let world: World<DirectoryKind>
  let redis: TestRedis
  let proxy: LdapProxy

  beforeAll(async () => {
    redis = await startRedisServer({ transport: 'tcp' })
    world = await startWorld({
      kind,
      requestLifetimeSeconds: 10,
      directorySettings: '    operationTimeoutSeconds: 1\n    connectTimeoutSeconds: 1',
      agentSettings: `queue: { redis: "${redis.url}", passwordFile: redis-password }`,
      beforeAgent: (directory) =>
        writeFileSync(path.join(directory, 'redis-password'), redisPassword(), { mode: 0o600 }),
    })
    proxy = world.proxy as LdapProxy
  }, 60_000)
  afterAll(async () => {
    await world.stop()
    await redis.stop()
  })

  const once = onlyOnce(kind)

  once('a Redis by URL carries the queue', async () => {
    const user = await world.createUser({ name: 'byurl' })
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
    expect(await world.ops('/status')).toMatchObject({
      json: { queues: { corp: { waiting: 0, active: 0 } } },
    })
  })

  once(
    'a Redis that is away makes requests wait in the journal, and the agent not ready [redis_down_mid_flight]',
    async () => {
      const user = await world.createUser({ name: 'away' })
      await redis.kill()
      const request = await world.ask(user, newPassword())
      expect(await world.verdict(request, 2_500)).toMatchObject({ outcome: null })
      expect(await world.ops('/readyz')).toMatchObject({ status: 503 })
      await redis.restart()
      expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
    },
    60_000,
  )

  once(
    'a request that no agent takes in time expires, and the agent never writes it',
    async () => {
      const user = await world.createUser({ name: 'nobody' })
      await world.agent.stop()
      const request = await world.ask(user, newPassword())
      expect(await world.verdict(request, 25_000)).toMatchObject({ outcome: 'expired' })
      proxy.forget()
      await world.agent.start()
      expect(await world.ops('/status')).toMatchObject({ json: { requests: { open: 0 } } })
      expect(passwordWrites(proxy, user).sent).toBe(0)
    },
    60_000,
  )

  test('a request whose directory stays away expires without a write [expired_while_queued]', async () => {
    const user = await world.createUser({ name: 'late' })
    await world.domain.kill()
    const request = await world.ask(user, newPassword())
    expect(await world.verdict(request, 25_000)).toMatchObject({ outcome: 'expired' })
    proxy.forget()
    await world.domain.restart()
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(passwordWrites(proxy, user).sent).toBe(0)
    expect(await world.domain.canBind(user.principal, oldPassword())).toBe(true)
  }, 60_000)

  test('a write whose answer was lost before the directory stayed away ends unknown, and is never repeated', async () => {
    const user = await world.createUser({ name: 'ambiguous' })
    proxy.forget()
    const swallowed = proxy.onRequest(isPasswordWrite, { kind: 'swallow-response' })
    const request = await world.ask(user, newPassword())
    await swallowed.hit
    await new Promise((resolve) => setTimeout(resolve, 300))
    await world.domain.kill()
    expect(await world.verdict(request, 90_000)).toMatchObject({ outcome: 'unknown' })
    await world.domain.restart()
    expect(passwordWrites(proxy, user).sent).toBe(1)
    expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  }, 120_000)

  once(
    'an unsuitable Redis ends the start with its reason',
    async () => {
      await world.agent.stop()
      await redis.restart({ 'maxmemory-policy': 'allkeys-lru' })
      await expect(world.agent.start()).rejects.toThrow(/ERR_REDIS_UNSUITABLE/)
    },
    60_000,
  )
})
