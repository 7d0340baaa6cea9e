// writeback breaker, as an operator types it, against a socket that answers as the agent does, or as nothing should.

import { createServer, type Server } from 'node:http'
import path from 'node:path'
import { afterAll, afterEach, expect, test } from '@jest/globals'
import { createOpsServer } from '../../src/agent/ops/create-ops-server.ts'
import type { AgentViews } from '../../src/agent/ops/describe-agent.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { runWords } from './run-words.ts'
import { writeSampleConfig } from './sample-config.ts'

const directory = makeScratchDirectory()
const configFile = writeSampleConfig(directory)
const stops: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})
afterAll(() => removeScratchDirectory(directory))

const run = (words: string) => runWords(['breaker', ...words.split(' '), '--config', configFile])

/** The agent's own operators' server, with breakers that are open for the given directories. */
async function serve(open: string[]): Promise<void> {
  const views: AgentViews = {
    isReady: () => false,
    conditions: () => [],
    view: () => Promise.reject(new Error('nobody asks')),
    keys: () => [],
    rotateKey: () => Promise.reject(new Error('nobody asks')),
    metrics: () => Promise.reject(new Error('nobody asks')),
    closeBreaker: (name) => open.splice(open.indexOf(name) >>> 0, 1).length === 1,
  }
  const server = createOpsServer({ socket: path.join(directory, 'ops.sock'), port: undefined }, views)
  await server.start()
  stops.push(server.stop)
}

async function answer(status: number, body: string): Promise<void> {
  const server: Server = createServer((_request, response) =>
    response.writeHead(status, { connection: 'close' }).end(body),
  )
  await new Promise<void>((resolve) => server.listen(path.join(directory, 'ops.sock'), resolve))
  stops.push(() => new Promise((resolve) => server.close(resolve)))
}

test('an open breaker is closed, and one that is not open is told so', async () => {
  await serve(['corp'])
  expect(await run('close corp')).toEqual({ status: 0, out: 'closed: writing to corp goes on\n', err: '' })
  expect(await run('close corp')).toEqual({
    ...{ status: 0, err: '' },
    out: 'the breaker of corp was not open\n',
  })
})

test('with --json the answer is one line of JSON', async () => {
  await serve(['corp'])
  const lines = [(await run('close corp --json')).out, (await run('close corp --json')).out]
  expect(lines).toEqual(['{"directory":"corp","closed":true}\n', '{"directory":"corp","closed":false}\n'])
})

test.each(['other', 'toString', 'CORP'])(
  'a directory that the agent does not serve, %s, is bad usage',
  async (name) => {
    await serve(['corp', name])
    const { status, out, err } = await run(`close ${name}`)
    expect([status, out]).toEqual([2, ''])
    expect(err).toContain(`ERR_USAGE: the agent serves no directory ${name}`)
  },
)

test('an agent that does not run is told with the socket and the next step', async () => {
  const { status, out, err } = await run('close corp')
  expect([status, out]).toEqual([1, ''])
  expect(err).toContain(
    `ERR_AGENT_UNREACHABLE: no answer from the agent at ${path.join(directory, 'ops.sock')}`,
  )
  expect(err).toContain('next: check that the agent runs on this host')
})

test.each([
  [200, 'no JSON'],
  [200, 'null'],
  [200, '{"closed":"yes"}'],
  [500, '{"closed":true}'],
])('an answer %i %j is no closed breaker', async (code, body) => {
  await answer(code, body)
  const { status, out, err } = await run('close corp --json')
  expect([status, out]).toEqual([1, ''])
  expect(err).toContain('ERR_AGENT_UNREACHABLE')
})

test.each(['close', 'open corp', 'close corp --force'])('breaker %s is bad usage', async (words) => {
  expect(await run(words)).toMatchObject({ status: 2, out: '' })
})
