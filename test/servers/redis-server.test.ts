// The private Redis of the tests: what later tests take for granted.
import { readFile } from 'node:fs/promises'
import { expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { redisPassword } from './canaries.ts'
import { startRedisServer, type TestRedis } from './redis-server.ts'
import { testCa } from './test-ca.ts'

const connect = async (redis: TestRedis): Promise<Redis> =>
  redis.socketPath
    ? new Redis({ path: redis.socketPath })
    : new Redis({
        host: String(redis.address),
        port: 6379,
        password: redisPassword().toString(),
        ...(redis.url.startsWith('rediss') ? { tls: { ca: await readFile((await testCa()).caFile) } } : {}),
      })

test.each(['unix', 'tcp', 'tls'] as const)(
  'redis over %s keeps what it acknowledged through kill -9',
  async (transport) => {
    const redis = await startRedisServer({ transport })
    try {
      const first = await connect(redis)
      await first.set('kept', 'yes')
      first.disconnect()
      await redis.kill()
      await redis.restart()
      const second = await connect(redis)
      expect(await second.get('kept')).toBe('yes')
      second.disconnect()
    } finally {
      await redis.stop()
    }
  },
)

test('unsuitable settings can be asked for, and a bad one is reported with the words of redis', async () => {
  const redis = await startRedisServer({ settings: { 'maxmemory-policy': 'allkeys-lru' } })
  const client = await connect(redis)
  expect(await client.config('GET', 'maxmemory-policy')).toContain('allkeys-lru')
  client.disconnect()
  await redis.stop()
  await expect(startRedisServer({ settings: { nonsense: 'yes' } })).rejects.toThrow(/nonsense/)
})
