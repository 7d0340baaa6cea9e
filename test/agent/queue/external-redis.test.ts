// The checks of a Redis that somebody else runs.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { checkRedis } from '../../../src/agent/queue/check-redis.ts'
import { createClient } from '../../../src/agent/queue/redis-connection.ts'
import { readRedisUrl } from '../../../src/agent/queue/redis-url.ts'
import { watchRedis } from '../../../src/agent/watch-redis.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import { createConditions } from '../../../src/telemetry/conditions.ts'
import { silentLogger } from '../../../src/telemetry/logger.ts'
import { redisPassword } from '../../servers/canaries.ts'
import { type RedisOptions, startRedisServer } from '../../servers/redis-server.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../../servers/scratch-directory.ts'
import { testCa } from '../../servers/test-ca.ts'

const cleanUp: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step()
})

function scratch(): string {
  const directory = makeScratchDirectory()
  cleanUp.push(() => removeScratchDirectory(directory))
  return directory
}

async function external(options: RedisOptions) {
  const server = await startRedisServer(options)
  cleanUp.push(() => server.stop())
  const passwordFile = join(scratch(), 'password')
  writeFileSync(passwordFile, Buffer.concat([redisPassword(), Buffer.from('\n')]))
  return { server, passwordFile }
}

test('an external Redis serves by socket, by redis:// and by rediss:// with its CA', async () => {
  const { server } = await external({ transport: 'unix' })
  await checkRedis(readRedisUrl({ url: server.url }))
  const plain = await external({ transport: 'tcp' })
  const facts = await checkRedis(readRedisUrl({ ...plain, url: plain.server.url }))
  expect(facts).toMatchObject({ version: expect.stringMatching(/^\d+\.\d+/), appendOnly: true })
  const secure = await external({ transport: 'tls' })
  const { caFile, strangerCaFile } = await testCa()
  await checkRedis(readRedisUrl({ ...secure, url: secure.server.url, caFile }))
  for (const wrong of [undefined, strangerCaFile]) {
    const connection = readRedisUrl({ ...secure, url: secure.server.url, caFile: wrong })
    await expect(checkRedis(connection)).rejects.toMatchObject({ code: 'ERR_REDIS_UNREACHABLE' })
  }
})

test.each<[string, Record<string, string>, string]>([
  ['that evicts', { 'maxmemory-policy': 'allkeys-lru' }, 'maxmemory-policy is allkeys-lru'],
  ['that forbids scripts', { 'rename-command': 'EVAL ""' }, 'may not run what the queue needs'],
  [
    'whose user may not write',
    { user: 'default on nopass ~* &* +@all -hset' },
    'may not run what the queue needs',
  ],
])('refuses a Redis %s', async (_, settings, fault) => {
  const { server } = await external({ settings })
  await expect(checkRedis(readRedisUrl({ url: server.url }))).rejects.toMatchObject({
    code: 'ERR_REDIS_UNSUITABLE',
    message: expect.stringContaining(fault),
  })
})

test('a Redis that is set to evict while it is in use is told of, until it is set back', async () => {
  const { server, passwordFile } = await external({ transport: 'tcp' })
  const conditions = createConditions({ clock: systemClock, log: silentLogger })
  const client = createClient(readRedisUrl({ url: server.url, passwordFile }), 'once')
  cleanUp.push(() => client.disconnect())
  await client.connect()
  const look = async (policy: string) => {
    await client.config('SET', 'maxmemory-policy', policy)
    await watchRedis({ redis: server.url, passwordFile }, conditions)
    return conditions.list().map(({ code, detail }) => `${code}: ${detail}`)
  }
  expect(await look('noeviction')).toEqual([])
  expect(await look('allkeys-lru')).toEqual([
    expect.stringMatching(/^queue_at_risk: .*policy is allkeys-lru/),
  ])
  expect(await look('noeviction')).toEqual([])
})

test('refuses a wrong password, no password, and an address without a Redis', async () => {
  const { server } = await external({ transport: 'tcp' })
  const wrong = join(scratch(), 'wrong')
  writeFileSync(wrong, 'not the password')
  for (const passwordFile of [wrong, undefined])
    await expect(checkRedis(readRedisUrl({ url: server.url, passwordFile }))).rejects.toMatchObject({
      code: 'ERR_REDIS_UNSUITABLE',
      message: expect.stringContaining('user name and password'),
    })
  await server.kill()
  await expect(checkRedis(readRedisUrl({ url: server.url }), 1000)).rejects.toMatchObject({
    code: 'ERR_REDIS_UNREACHABLE',
    retry: 'later',
  })
})

test('a Redis that does not answer is ERR_REDIS_UNREACHABLE in time', async () => {
  const { server } = await external({})
  server.pause()
  await expect(checkRedis(readRedisUrl({ url: server.url }), 300)).rejects.toMatchObject({
    code: 'ERR_REDIS_UNREACHABLE',
  })
  server.resume()
})

test.each([
  ['http://localhost', 'must begin with redis://'],
  ['redis://user:secret@localhost', 'must not hold a password'],
  ['redis://localhost/first', 'must be a number'],
  ['redis:///1', 'names no host'],
])('refuses the URL %s', (url, fault) => {
  expect(() => readRedisUrl({ url })).toThrow(fault)
})

test('reads host, port, database and user from a URL', () => {
  expect(readRedisUrl({ url: 'redis://someone@redis.example:6380/2' })).toEqual({
    host: 'redis.example',
    port: 6380,
    db: 2,
    username: 'someone',
  })
  expect(readRedisUrl({ url: 'rediss://[::1]' })).toEqual({
    host: '::1',
    port: 6379,
    db: 0,
    tls: { rejectUnauthorized: true },
  })
  expect(readRedisUrl({ url: 'rediss://redis.example' }).tls).toEqual({
    rejectUnauthorized: true,
    servername: 'redis.example',
  })
  expect(readRedisUrl({ url: 'unix:///run/redis.sock?db=3' })).toEqual({ path: '/run/redis.sock', db: 3 })
  expect(() => readRedisUrl({ url: 'redis://h', passwordFile: '/nowhere/file' })).toThrow('cannot read')
})
