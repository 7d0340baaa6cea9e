// The queue as operators meet it: a real agent whose Redis is behind a relay that can forget connections.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { runWords } from '../cli/run-words.ts'
import { allCanaries, newPassword, redisPassword } from '../servers/canaries.ts'
import { freePort } from '../servers/loopback-address.ts'
import { startRedisServer, type TestRedis } from '../servers/redis-server.ts'
import { startTcpRelay, type TcpRelay } from '../servers/tcp-relay.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'
import { openLooker } from './queue-board.ts'

let redis: TestRedis
let relay: TcpRelay
let world: World<'openldap'>
let port: number
let token: string

beforeAll(async () => {
  redis = await startRedisServer({ transport: 'tcp' })
  relay = await startTcpRelay({ host: String(redis.address), port: 6379 })
  port = await freePort()
  const made = JSON.parse((await runWords(['board', 'token', '--json'])).out)
  token = made.token
  world = await startWorld({
    kind: 'openldap',
    agentSettings: `queue: { redis: "redis://${relay.address}:6379", passwordFile: redis-password, heartbeatSeconds: 0.5 }
ops: { board: { port: ${port}, tokenHash: "${made.tokenHash}" } }`,
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
  const waiting = async () => {
    const { requests } = JSON.parse((await run('queue', 'list', '--json')).out)
    return requests.filter(({ stage }: { stage: string }) => stage === 'waiting').length
  }
  // Without a receipt a request stays `accepted` over the restart, until its turn comes.
  while ((await waiting()) < 2) await sleep(50)
  await world.agent.stop()
  await world.agent.start()
  while ((await waiting()) < 2) await sleep(50)
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

test('the board opens to the token alone, in a browser that may load nothing from elsewhere, and shows counts and a job', async () => {
  const user = await world.createUser({ name: 'shown' })
  await run('queue', 'pause')
  const request = await world.ask(user, newPassword())
  while (JSON.parse((await run('queue', 'list', '--json')).out).total < 1) await sleep(50)
  const { page, complaints, asked, close } = await openLooker()
  try {
    const base = `http://127.0.0.1:${port}`
    await page.goto(base)
    expect(page.url()).toBe(`${base}/login`)
    expect(await page.evaluate(async () => (await fetch('/api/queues')).status)).toBe(401)
    const signIn = async (word: string) => {
      await page.getByLabel('Operator token').fill(word)
      await page.getByRole('button', { name: 'Sign in' }).click()
    }
    await signIn(`${token}x`)
    await page.getByText('This token is wrong.').waitFor()
    await signIn(token)
    await page.getByText('1 Job').waitFor()
    const queue = `wb-${world.agent.id}-corp`
    await page.goto(`${base}/queue/${queue}?status=delayed`)
    await page.getByText(`request-${request}`).first().waitFor()
    await page.getByText('read only; operators use: writeback queue').waitFor()
    const picture = process.env['WRITEBACK_PICTURE']
    if (picture !== undefined) await page.screenshot({ path: picture })
    const html = await page.content()
    // What bull-board offers on a queue that may be changed.
    for (const deed of [
      'Pause',
      'Resume',
      'Empty',
      'Obliterate',
      'Add job',
      'Retry',
      'Promote',
      'Clean',
      'Remove',
    ])
      expect([deed, await page.getByRole('button', { name: deed }).count()]).toEqual([deed, 0])
    const ways = ['pause', 'empty', 'add', `request-${request}/clean`, `request-${request}/promote`]
    const tried = await page.evaluate(
      (paths) => Promise.all(paths.map(async (one) => (await fetch(one, { method: 'PUT' })).status)),
      ways.map((one) => `/api/queues/${queue}/${one}`),
    )
    expect(new Set(tried)).toEqual(new Set([404]))
    const answered = await page.evaluate(
      async (name) => (await fetch(`/api/queues?activeQueue=${name}&status=delayed`)).text(),
      queue,
    )
    expect(JSON.parse(answered).queues).toMatchObject([
      {
        displayName: 'corp',
        readOnlyMode: true,
        counts: { delayed: 1 },
        jobs: [{ data: {}, returnValue: {} }],
      },
    ])
    // A slow machine makes the browser wonder why a preloaded part was not used yet.
    const isExpected = (text: string) => /status of 40[14] |was preloaded using link preload/.test(text)
    expect(complaints.filter((text) => !isExpected(text))).toEqual([])
    expect(asked.filter((one) => !one.includes(` ${base}/`))).toEqual([])
    for (const secret of ['CN=shown', ...Object.values(allCanaries()).map(String)])
      expect(html + answered).not.toContain(secret)
  } finally {
    await close()
    await run('queue', 'resume')
  }
  expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
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
