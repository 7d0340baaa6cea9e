// The queue board over HTTP on a private Redis: who gets in, what guesses cost, and that nothing in it changes anything.
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { FastifyInstance } from 'fastify'
import { makeOperatorToken } from '../../src/agent/keys/operator-token.ts'
import { createBoardServer } from '../../src/agent/ops/serve-board.ts'
import { createPrivateRedis } from '../../src/agent/queue/private-redis.ts'
import { createQueueBoard, type QueueBoard } from '../../src/agent/queue/queue-board.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { runWords } from '../cli/run-words.ts'
import { createManualClock } from '../fakes/manual-clock.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { addOpen, createTestQueue, type TestQueue, until } from './queue/test-queue.ts'

const directory = makeScratchDirectory()
const redis = createPrivateRedis({
  directory: path.join(directory, 'redis'),
  log: silentLogger,
  clock: systemClock,
})
const { token, hash } = await makeOperatorToken()
let queue: TestQueue
let board: QueueBoard

beforeAll(async () => {
  const connection = await redis.start()
  queue = createTestQueue({ url: 'redis://127.0.0.1:1' } as never, async () => ({ laterMs: 60_000 }), {
    connection,
  })
  await queue.start()
  await addOpen(queue, ['r1'])
  await until(async () => (await queue.counts()).delayed === 1)
  const shown = queue.shown()
  board = createQueueBoard(shown ? [shown] : [])
})
afterAll(async () => {
  await queue?.stop(500)
  await redis.stop()
  await removeScratchDirectory(directory)
})

function open(isOpen = true) {
  const clock = createManualClock(0)
  const server = createBoardServer({
    ...{ tokenHash: hash, clock, log: silentLogger },
    board: async () => (isOpen ? board : undefined),
  })
  return { clock, server }
}

const HOST = '127.0.0.1:8480'
const signIn = (server: FastifyInstance, word: string, headers: Record<string, string> = {}) =>
  server.inject({
    ...{ method: 'POST', url: '/login', payload: `token=${encodeURIComponent(word)}` },
    headers: { host: HOST, 'content-type': 'application/x-www-form-urlencoded', ...headers },
  })
const cookieOf = (answer: { readonly headers: Record<string, unknown> }) =>
  String(answer.headers['set-cookie']).split(';')[0] ?? ''
const look = (server: FastifyInstance, url: string, cookie = '', more: Record<string, string> = {}) =>
  server.inject({ method: 'GET', url, headers: { host: HOST, cookie, ...more } })

test('nothing is shown without the token, and what is shown is never kept, framed or mixed with others', async () => {
  const { server } = open()
  for (const url of ['/', '/queue/x', '/static/js/main.js', '/nonsense', '/%2e%2e/x'])
    expect(await look(server, url)).toMatchObject({
      statusCode: 303,
      headers: { location: '/login' },
      body: '',
    })
  for (const cookie of ['', 'writeback_board=x', 'writeback_board='])
    expect(await look(server, '/api/queues', cookie)).toMatchObject({ statusCode: 401 })
  const answer = await look(server, '/login')
  expect(answer.headers).toMatchObject({
    'content-security-policy': expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/),
    ...{ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' },
  })
  expect(answer.headers['content-security-policy']).not.toMatch(/unsafe|\*|http/)
})

test('the token opens a session that ends after eight hours, or when somebody signs out', async () => {
  const { server, clock } = open()
  const entered = await signIn(server, token)
  expect(entered).toMatchObject({ statusCode: 303, headers: { location: '/' } })
  expect(entered.headers['set-cookie']).toMatch(
    /^writeback_board=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/,
  )
  const cookie = cookieOf(entered)
  const answer = await look(server, '/api/queues', cookie)
  expect(answer.json()).toMatchObject({
    queues: [{ displayName: 'main', readOnlyMode: true, counts: { delayed: 1 } }],
  })
  expect(answer.headers['cache-control']).toBe('no-store')
  clock.pass(8 * 3_600_000)
  expect(await look(server, '/api/queues', cookie)).toMatchObject({ statusCode: 401 })
  const again = cookieOf(await signIn(server, token))
  expect(again).not.toBe(cookie)
  await look(server, '/logout', again)
  expect(await look(server, '/api/queues', again)).toMatchObject({ statusCode: 401 })
})

test('five wrong tokens close the door for a growing while, for the right one too', async () => {
  const { server, clock } = open()
  for (let tries = 0; tries < 5; tries += 1)
    expect(await signIn(server, `${token}${tries}`)).toMatchObject({ statusCode: 401 })
  expect(await signIn(server, token)).toMatchObject({ statusCode: 429, headers: { 'retry-after': '10' } })
  clock.pass(10_000)
  expect(await signIn(server, 'wrong')).toMatchObject({ statusCode: 401 })
  expect(await signIn(server, token)).toMatchObject({ statusCode: 429, headers: { 'retry-after': '20' } })
  clock.pass(20_000)
  expect(await signIn(server, token)).toMatchObject({ statusCode: 303 })
  expect(await signIn(server, '')).toMatchObject({ statusCode: 401 })
})

test('many tries at once are judged one after the other, and most are turned away', async () => {
  const { server } = open()
  const statuses = await Promise.all(
    Array.from({ length: 30 }, async () => (await signIn(server, 'guess')).statusCode),
  )
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(5)
  expect(new Set(statuses)).toEqual(new Set([401, 429]))
})

test('another host name, another page’s form and any other method get nothing', async () => {
  const { server } = open()
  const cookie = cookieOf(await signIn(server, token))
  for (const host of ['evil.example', 'evil.example:8480', '127.0.0.1.evil.example', '10.0.0.1:8480'])
    expect(await look(server, '/api/queues', cookie, { host })).toMatchObject({ statusCode: 421 })
  expect(await look(server, '/api/queues', cookie, { host: 'localhost:9000' })).toMatchObject({
    statusCode: 200,
  })
  for (const headers of [
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'null' },
  ])
    expect(await signIn(server, token, headers as never)).toMatchObject({ statusCode: 403 })
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
    for (const url of [
      '/api/queues/pause',
      '/api/queues/wb-agent-main/add',
      '/api/queues/wb-agent-main/request-r1/clean',
    ])
      expect(await server.inject({ method, url, headers: { host: HOST, cookie } })).toMatchObject({
        statusCode: 404,
      })
  for (const url of [
    '/api/redis/stats',
    '/api/queues/wb-agent-main/workers',
    '/static/../package.json',
    '/static/%2e%2e/index.ejs',
  ])
    expect(await look(server, url, cookie)).toMatchObject({ statusCode: 404 })
  const large = await signIn(server, 'x'.repeat(2_000))
  expect(large.statusCode).toBe(413)
})

test('the page loads its own files only, and a job is its id and its times', async () => {
  const { server } = open()
  const cookie = cookieOf(await signIn(server, token))
  const { body } = await look(server, '/queue/wb-agent-main', cookie)
  expect(body).not.toMatch(/<%|https?:|<style|style=/)
  const files = [...body.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, file]) => file)
  expect(files.length).toBeGreaterThan(4)
  for (const file of files) expect(await look(server, `/${file}`, cookie)).toMatchObject({ statusCode: 200 })
  const { job, status } = (await look(server, '/api/queues/wb-agent-main/request-r1', cookie)).json()
  expect([status, job]).toMatchObject(['delayed', { id: 'request-r1', name: 'request', data: {} }])
})

test('while the queues are not open, or do not answer, the board says so', async () => {
  const { server } = open(false)
  expect(await look(server, '/', cookieOf(await signIn(server, token)))).toMatchObject({
    ...{ statusCode: 503, body: 'the queues are not open yet\n' },
  })
  const other = open()
  const cookie = cookieOf(await signIn(other.server, token))
  await queue.stop(500)
  const answer = await look(other.server, '/api/queues', cookie)
  expect([answer.statusCode, answer.json()]).toEqual([503, { error: 'the queue does not answer' }])
})

test('writeback board token prints a token once and the hash for the configuration', async () => {
  const { status, out } = await runWords(['board', 'token'])
  const [, shown = '', hashed = ''] =
    /^token: ([\w-]{32})\n[\s\S]*tokenHash: "(\$argon2id\$[^"]+)"\n$/.exec(out) ?? []
  const { fitsTokenHash } = await import('../../src/agent/keys/operator-token.ts')
  expect([status, await fitsTokenHash(hashed, shown), await fitsTokenHash(hashed, `${shown}x`)]).toEqual([
    0,
    true,
    false,
  ])
  expect(await fitsTokenHash('no hash', shown)).toBe(false)
})
