// The queue as operators meet it: a real agent whose Redis is behind a relay that can forget connections.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { runWords } from '../cli/run-words.ts'
import { allCanaries, newPassword, redisPassword } from '../servers/canaries.ts'
import { startRedisServer, type TestRedis } from '../servers/redis-server.ts'
import { startTcpRelay, type TcpRelay } from '../servers/tcp-relay.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'

let redis: TestRedis
let relay: TcpRelay
let world: World<'openldap'>

beforeAll(async () => {
  redis = await startRedisServer({ transport: 'tcp' })
  relay = await startTcpRelay({ host: String(redis.address), port: 6379 })
  world = await startWorld({
    kind: 'openldap',
    agentSettings: `queue: { redis: "redis://${relay.address}:6379", passwordFile: redis-password, heartbeatSeconds: 0.5 }`,
    beforeAgent: (directory) =>
      writeFileSync(path.join(directory, 'redis-password'), redisPassword(), { mode: 0o600 }),
  })
}, 60_000)
afterAll(async () => {
  await world?.stop()
  await relay?.stop()
  await redis?.stop()
})

/** One command of an operator on this host. */
async function run(...words: string[]) {
  const done = await runWords([...words, '--config', world.agentConfigFile])
  if (process.env['WRITEBACK_SHOW']) console.log(`$ writeback ${words.join(' ')}\n${done.out}${done.err}`)
  return done
}

test('an operator pauses writing over a restart, lists what waits, drops one request and lets the others go on', async () => {
  const users = await Promise.all(['one', 'two'].map((name) => world.createUser({ name })))
  expect((await run('queue', 'list')).out).toBe('no open requests\n')
  expect((await run('queue', 'pause')).status).toBe(0)
  const [dropped = '', kept = ''] = await Promise.all(users.map((user) => world.ask(user, newPassword())))
  const waits = async () => JSON.parse((await run('queue', 'list', '--json')).out)
  while ((await waits()).total < 2) await sleep(50)
  await world.agent.stop()
  await world.agent.start()
  while ((await waits()).requests.some(({ stage }: { stage: string }) => stage !== 'waiting')) await sleep(50)
  const list = (await run('queue', 'list')).out
  expect(list).toMatch(
    /^PAUSED on this host by \S+ since .* UTC\nrequest .*\n(.* corp {7}reset {6}waiting .*\n){2}2 open requests\n$/,
  )
  expect((await run('status')).out).toContain('has paused writing on this host')
  expect((await run('queue', 'show', kept)).out).toMatch(/tries +none: nothing was sent/)
  expect(await run('queue', 'drop', dropped)).toMatchObject({ status: 0, err: '' })
  expect(await world.verdict(dropped)).toMatchObject({ outcome: 'failed', reason: 'dropped_by_operator' })
  expect((await run('queue', 'show', dropped)).out).toMatch(/ended +failed, dropped_by_operator\n/)
  expect((await run('queue', 'drop', dropped)).err).toContain('ERR_REQUEST_NOT_OPEN')
  expect((await run('queue', 'retry', kept)).out).toMatch(/stage +waiting\n/)
  expect((await run('queue', 'resume')).out).toBe('not paused: writing goes on\n')
  expect(await world.verdict(kept)).toMatchObject({ outcome: 'applied' })
  const audit = (await run('audit', 'show')).out
  expect(audit).toMatch(/operator +pause .*by \S+\n/)
  expect(audit).toMatch(new RegExp(`operator +drop ${dropped}  by `))
  expect(await run('audit', 'verify')).toMatchObject({ status: 0 })
  const told = audit + list + (await run('audit', 'export', '--format', 'cef')).out
  for (const secret of Object.values(allCanaries()).map(String)) expect(told).not.toContain(secret)
}, 60_000)

const ofWorker = (words: string) => words.includes('writeback-worker')

test('a stuck worker is made anew, and a reset goes on; when that does not help the agent ends with status 7, and a start goes on', async () => {
  const user = await world.createUser({ name: 'stuck' })
  relay.forgetOpen(ofWorker)
  expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
  expect(world.agent.output()).toContain('"condition":"queue_stuck"')
  relay.forgetNew(ofWorker)
  relay.forgetOpen(ofWorker)
  const request = await world.request('unlock', user)
  expect(await world.agent.ended()).toBe(7)
  expect(world.agent.output()).toContain('ERR_QUEUE_STUCK')
  relay.forgetNew(undefined)
  await world.agent.start()
  expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
}, 60_000)
