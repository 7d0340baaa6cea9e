// writeback keys, as an operator types it, against the agent's own operators' server, or what should not answer there.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { afterAll, afterEach, expect, test } from '@jest/globals'
import { createOpsServer } from '../../src/agent/ops/create-ops-server.ts'
import type { AgentViews, KeyView, RotationView } from '../../src/agent/ops/describe-agent.ts'
import { describeKeys, describeRotation } from '../../src/cli/describe-keys.ts'
import { readKeys } from '../../src/cli/read-keys.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { runWords } from './run-words.ts'
import { writeSampleConfig } from './sample-config.ts'

const PAGE = path.resolve(import.meta.dirname, '../../docs/keys.md')
const NOW = Date.UTC(2026, 10, 22, 8, 13, 26)
const DAY_MS = 86_400_000
const directory = makeScratchDirectory()
const socket = path.join(directory, 'ops.sock')
const configFile = writeSampleConfig(directory)
const stops: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})
afterAll(() => removeScratchDirectory(directory))

const KEYS: readonly KeyView[] = [
  {
    ...{ kind: 'identity', id: 'CPYq9NrKYxRE9LkYhrZyS24xTWoQdtgMYOHv3bqPRNw', state: 'current' },
    ...{ createdAt: NOW - 200 * DAY_MS, acceptedAt: null, validUntil: null },
  },
  {
    ...{ kind: 'sealing', id: 'gm7d7Gm1C0MmQkdLqrTz_9WVYB6fMh1uZqsXh0sLt0Y', state: 'old' },
    ...{ createdAt: NOW - 28 * DAY_MS, acceptedAt: NOW - 28 * DAY_MS, validUntil: NOW + 660_000 },
  },
  {
    ...{ kind: 'sealing', id: 'h8vYc1Hk2qUoYV8m0c3oX1lJ5jT3k2bq0p9sWJw7N3E', state: 'current' },
    ...{ createdAt: NOW - 60_000, acceptedAt: NOW - 60_000, validUntil: NOW - 60_000 + 28 * DAY_MS },
  },
  {
    ...{ kind: 'store', id: 'Zz3M2y6Yq2x3VQ1nq0hR7tB8jWc5kLd4sFgHjKlPoIU', state: 'current' },
    ...{ createdAt: NOW - 200 * DAY_MS, acceptedAt: null, validUntil: null },
  },
]
const ROTATED: RotationView = { state: 'rotated', key: KEYS[2]?.id ?? '', problem: null }
const WAITING: RotationView = {
  ...{ state: 'not_accepted', key: KEYS[2]?.id ?? '' },
  problem: 'ERR_STORE_UNREACHABLE: PUT /v1/agents/self/sealing-keys: the store cannot be reached',
}

async function serve(rotation: RotationView | Error): Promise<void> {
  const unasked = () => Promise.reject(new Error('nobody asks'))
  const views: AgentViews = {
    ...{
      isReady: () => false,
      conditions: () => [],
      view: unasked,
      metrics: unasked,
      closeBreaker: () => false,
    },
    keys: () => KEYS,
    rotateKey: async () => {
      if (rotation instanceof Error) throw rotation
      return rotation
    },
  }
  const server = createOpsServer({ socket, port: undefined }, views)
  await server.start()
  stops.push(server.stop)
}

const run = (words: string) => runWords(['keys', ...words.split(' '), '--config', configFile])

test('the screens of the manual are what the command shows, none wider than 80 columns', () => {
  const screens = [...readFileSync(PAGE, 'utf8').matchAll(/```text\n(.*?)```/gs)].map(([, text]) => text)
  const shown = [
    describeKeys(readKeys({ keys: KEYS }) ?? [], NOW),
    ...[ROTATED, WAITING].map((rotation) => describeRotation(rotation)),
  ]
  expect(screens).toEqual(shown.map((lines) => `${lines.join('\n')}\n`))
  for (const line of shown[0] ?? []) expect(line.length).toBeLessThanOrEqual(80)
})

test('list prints every key with its state, and as JSON what the agent answers', async () => {
  await serve(ROTATED)
  const { status, out, err } = await run('list')
  expect([status, err]).toEqual([0, ''])
  expect(out.split('\n').map((line) => line.split(/ +/)[0])).toEqual([
    ...['KIND', 'identity', 'sealing', 'sealing', 'store', ''],
  ])
  expect(JSON.parse((await run('list --json')).out)).toEqual(KEYS)
})

test('rotate ends with 0 when the store seals to the new key, and with 1 when it does not yet', async () => {
  await serve(ROTATED)
  expect(await run('rotate')).toMatchObject({ status: 0, out: expect.stringContaining(String(ROTATED.key)) })
  expect(JSON.parse((await run('rotate --json')).out)).toEqual(ROTATED)
  for (const stop of stops.splice(0)) await stop()
  await serve(WAITING)
  expect(await run('rotate')).toMatchObject({
    status: 1,
    out: expect.stringContaining('tries again every minute'),
  })
  for (const stop of stops.splice(0)) await stop()
  await serve({ state: 'full', key: null, problem: null })
  expect(await run('rotate')).toMatchObject({ status: 1, out: expect.stringContaining('too many old keys') })
})

test('an agent that is away, that can make no key, or that is none is told with the next step', async () => {
  expect(await run('list')).toMatchObject({
    status: 1,
    err: expect.stringContaining('ERR_AGENT_UNREACHABLE'),
  })
  await serve(new Error('the disk is full'))
  expect(await run('rotate')).toMatchObject({ status: 1, out: '' })
  for (const stop of stops.splice(0)) await stop()
  const server = createServer((_request, response) => response.end('{"keys":[{"kind":"sealing"}]}'))
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  stops.push(() => new Promise((resolve) => server.close(resolve)))
  expect(await run('list --json')).toMatchObject({ status: 1, out: '' })
})

test.each(['show', 'list corp', 'rotate --force'])('keys %s is bad usage', async (words) => {
  expect(await run(words)).toMatchObject({ status: 2, out: '' })
})
