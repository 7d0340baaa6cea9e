// The Redis the agent starts itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from '@jest/globals'
import { checkRedis } from '../../../src/agent/queue/check-redis.ts'
import { createPrivateRedis, type PrivateRedisOptions } from '../../../src/agent/queue/private-redis.ts'
import { createClient, type RedisConnection } from '../../../src/agent/queue/redis-connection.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import type { Logger } from '../../../src/telemetry/logger.ts'
import { bareEnvironment, isAlive } from '../../servers/child-process.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../../servers/scratch-directory.ts'

const cleanUp: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step()
})

function scratch(): string {
  const directory = makeScratchDirectory()
  cleanUp.push(() => removeScratchDirectory(directory))
  return directory
}

function privateRedis(directory = join(scratch(), 'redis'), options: Partial<PrivateRedisOptions> = {}) {
  const lines: string[] = []
  const keep = (sentence: string) => void lines.push(sentence)
  const log: Logger = { debug: () => {}, info: keep, warn: keep, error: keep, child: () => log }
  const redis = createPrivateRedis({ directory, log, clock: systemClock, ...options })
  cleanUp.push(() => redis.stop())
  return { ...redis, directory, lines }
}

async function clientOf(connection: RedisConnection) {
  const client = createClient(connection, 'once')
  await client.connect()
  cleanUp.push(() => client.disconnect())
  return client
}

/** As the file of a Redis that was killed holds it: acknowledged a second ago. */
async function keepOneKey(connection: RedisConnection): Promise<void> {
  const client = await clientOf(connection)
  await client.set('wb:kept', 'yes')
  client.disconnect()
}

const keptKey = async (connection: RedisConnection) => (await clientOf(connection)).get('wb:kept')

function lastAof(directory: string): string {
  const folder = join(directory, 'data', 'appendonlydir')
  const name = readdirSync(folder).find((file) => file.endsWith('.incr.aof'))
  return join(folder, String(name))
}

async function until(what: () => boolean, limitMs = 5000): Promise<void> {
  const end = performance.now() + limitMs
  while (!what()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`)
    await sleep(5)
  }
}

test('is ready soon, on a socket only, for its one user', async () => {
  const redis = privateRedis()
  const begun = performance.now()
  const connection = await redis.start()
  const readyMs = performance.now() - begun
  console.info(`private Redis: ready in ${readyMs.toFixed(0)} ms`)
  expect(readyMs).toBeLessThan(1000)
  expect(await checkRedis(connection)).toMatchObject({ appendOnly: true })
  const client = await clientOf(connection)
  for (const command of [
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['KEYS', '*'],
    ['SET', 'other', 'x'],
    ['SHUTDOWN'],
  ])
    await expect(client.call(...(command as [string]))).rejects.toThrow('NOPERM')
  await expect(checkRedis({ path: String(connection.path) })).rejects.toMatchObject({
    code: 'ERR_REDIS_UNSUITABLE',
  })
  expect(readFileSync('/proc/net/tcp', 'utf8')).not.toMatch(/:18EB 00000000:0000 0A/)
})

test('keeps its files for the owner, and its password out of argv, environment and settings', async () => {
  const redis = privateRedis()
  const { password = '' } = await redis.start()
  const modes = ['', 'data', 'password', 'users.acl', 'redis.conf', 'redis.sock'].map((name) =>
    (statSync(join(redis.directory, name)).mode & 0o777).toString(8),
  )
  expect(modes).toEqual(['700', '700', '600', '600', '600', '600'])
  expect(password).toMatch(/^[0-9a-f]{64}$/)
  const places = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${redis.pid()}/${name}`, 'utf8'))
  const files = ['users.acl', 'redis.conf'].map((name) => readFileSync(join(redis.directory, name), 'utf8'))
  expect([...places, ...files].join()).not.toContain(password)
  await redis.stop()
  expect((await privateRedis(redis.directory).start()).password).toBe(password)
})

test('does not hear the Ctrl-C that the agent hears', async () => {
  const redis = privateRedis()
  await redis.start()
  // proc(5): after the name in brackets come state, parent and process group.
  const [, , group] = readFileSync(`/proc/${redis.pid()}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  expect(Number(group)).toBe(redis.pid())
})

test('is started again when it dies, with what it held', async () => {
  const redis = privateRedis()
  const connection = await redis.start()
  await keepOneKey(connection)
  const pid = Number(redis.pid())
  process.kill(pid, 'SIGKILL')
  await until(() => ![undefined, pid].includes(redis.pid()))
  expect(await keptKey(connection)).toBe('yes')
  expect(redis.lines).toEqual(['the private Redis ended and is started again'])
})

async function startOwner(directory: string, searchPath: string) {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning']
  const script = join(import.meta.dirname, 'private-redis-owner.ts')
  const owner = spawn('setpriv', ['--pdeathsig', 'KILL', ...node, script, directory, searchPath], {
    env: bareEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  cleanUp.push(() => owner.kill('SIGKILL'))
  const [line] = await once(owner.stdout, 'data')
  return { owner, pid: Number(line) }
}

test('ends with its agent, also after kill -9', async () => {
  const { owner, pid } = await startOwner(join(scratch(), 'redis'), '/usr/bin:/bin')
  expect(isAlive(pid)).toBe(true)
  owner.kill('SIGKILL')
  await until(() => !serves(pid))
})

/** False for a process that is gone, and for one that is dead and not yet collected. */
function serves(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('redis.conf')
  } catch {
    return false
  }
}

test('a left-over of a killed agent is replaced, with what it held', async () => {
  const directory = join(scratch(), 'redis')
  // Without setpriv on the path, nothing ends Redis with its agent.
  const bin = scratch()
  symlinkSync('/usr/bin/redis-server', join(bin, 'redis-server'))
  const { owner, pid } = await startOwner(directory, bin)
  cleanUp.push(() => serves(pid) && process.kill(pid, 'SIGKILL'))
  const password = readFileSync(join(directory, 'password'), 'utf8')
  await keepOneKey({ path: join(directory, 'redis.sock'), username: 'agent', password })
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  await sleep(100)
  expect(serves(pid)).toBe(true)
  const redis = privateRedis(directory)
  const connection = await redis.start()
  expect(serves(pid)).toBe(false)
  expect(await keptKey(connection)).toBe('yes')
  expect(redis.lines).toEqual(['a private Redis was left over and is replaced'])
})

test('a pid that now belongs to somebody else is left alone', async () => {
  const directory = join(scratch(), 'redis')
  mkdirSync(directory, { recursive: true })
  const stranger = spawn('sleep', ['30'])
  cleanUp.push(() => stranger.kill('SIGKILL'))
  writeFileSync(join(directory, 'pid'), String(stranger.pid))
  await privateRedis(directory).start()
  expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
})

test.each([
  [
    'a cut end: all but the last command is there',
    (file: string) => truncateSync(file, statSync(file).size - 3),
    [],
  ],
  [
    'nonsense: it starts empty and says so',
    (file: string) => writeFileSync(file, 'nonsense '.repeat(50)),
    ['the data of the private Redis were damaged: moved away, the queue starts empty'],
  ],
])('an append-only file with %s [aof_tail_cut]', async (_, damage, lines) => {
  const first = privateRedis()
  const connection = await first.start()
  await keepOneKey(connection)
  await (await clientOf(connection)).set('wb:last', 'x')
  await first.stop()
  damage(lastAof(first.directory))
  const second = privateRedis(first.directory)
  expect(await keptKey(await second.start())).toBe(lines.length === 0 ? 'yes' : null)
  expect(second.lines).toEqual(lines)
})

test('says what is missing when it cannot start', async () => {
  const nothing = privateRedis(undefined, { searchPath: scratch() })
  await expect(nothing.start()).rejects.toMatchObject({
    code: 'ERR_REDIS_START',
    message: expect.stringContaining('apt-get install redis-server'),
  })
  const bin = scratch()
  writeFileSync(join(bin, 'redis-server'), '#!/bin/sh\necho bad directive in line 3\nexit 1\n', {
    mode: 0o755,
  })
  await expect(privateRedis(undefined, { searchPath: bin }).start()).rejects.toMatchObject({
    code: 'ERR_REDIS_START',
    message: expect.stringContaining('bad directive in line 3'),
  })
  const deep = join(scratch(), 'x'.repeat(100))
  await expect(privateRedis(deep).start()).rejects.toMatchObject({
    message: expect.stringContaining('longer than 107 bytes'),
  })
})
