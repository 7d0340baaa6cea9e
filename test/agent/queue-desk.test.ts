import { userInfo } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from '@jest/globals'
import { createQueueDesk } from '../../src/agent/create-queue-desk.ts'
import { createDocumentCache } from '../../src/agent/intake/document-cache.ts'
import { createOpsServer } from '../../src/agent/ops/create-ops-server.ts'
import type { AgentViews } from '../../src/agent/ops/describe-agent.ts'
import { createPause } from '../../src/agent/pause.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import { LEASE_MS, newId } from '../../src/protocol/identifiers.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { runWords } from '../cli/run-words.ts'
import { writeSampleConfig } from '../cli/sample-config.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { closeWorlds, openWorld, parties, type Wish } from './request-world.ts'
import { DIRECTORY, SERVER } from './sample-requests.ts'

const directory = makeScratchDirectory()
const configFile = writeSampleConfig(directory, DIRECTORY)
const ME = userInfo().username
const stops: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  closeWorlds()
})
afterAll(() => removeScratchDirectory(directory))

const run = (...words: string[]) => runWords(['queue', ...words, '--config', configFile])
const nobodyAsks = () => Promise.reject(new Error('nobody asks'))
const VIEWS: AgentViews = {
  ...{ isReady: () => false, conditions: () => [], view: nobodyAsks, metrics: nobodyAsks },
  ...{ closeBreaker: () => false, keys: () => [], rotateKey: nobodyAsks },
}

/** An agent with one open request whose queue does nothing by itself. `look`: instead of processing. */
async function openDesk(wish: Wish = {}, look?: () => Promise<void>, sleeps: number[] = []) {
  const world = await openWorld(wish)
  const { parts, clock } = world
  const pause = createPause({ ...parts, clock })
  Object.assign(parts, { isPaused: pause.isPaused })
  let next: number | undefined
  const queues = {
    nextLook: () => next,
    look:
      look ??
      (async () => {
        const result = await world.run()
        next = result === 'done' ? undefined : clock.wallMs() + Number(Object.values(result).at(-1))
      }),
  }
  const documents = createDocumentCache(parties.findStoreKey)
  // Real, since the calls are, and short.
  const sleep = (ms: number) => {
    sleeps.push(ms)
    return setTimeout(Math.min(ms, 500))
  }
  const desk = createQueueDesk(
    { ...parts, ...pause, clock: { ...clock, sleep }, documents, log: silentLogger },
    { queues: queues as never, drops: parts.drops },
  )
  const server = createOpsServer({ socket: path.join(directory, 'ops.sock'), port: undefined }, VIEWS, {
    desk,
  })
  await server.start()
  stops.push(server.stop)
  return { ...world, id: world.document.id, pause }
}

test('the open requests are listed with stage, age and attempts, as text and as JSON, and no name or password is told', async () => {
  const { id, clock, document, account } = await openDesk({ receipt: null })
  clock.pass(12_000)
  const { status, out, err } = await run('list')
  expect([status, err]).toEqual([0, ''])
  expect(out).toBe(
    `request                               directory  operation  stage     age   tries  next look
${id}  corp       reset      accepted  12 s  0      -
1 open request
`,
  )
  const { out: json } = await run('list', '--json', '--directory', DIRECTORY, '--limit', '1')
  expect(JSON.parse(json)).toMatchObject({
    total: 1,
    pause: { store: false, here: null },
    requests: [{ id, directory: 'corp', stage: 'accepted', attempts: 0, expiresAt: document.expiresAt }],
  })
  const shown = (await run('show', id)).out + (await run('show', id, '--json')).out
  // Word by word: a short name may be a part of a random id.
  const words = (json + out + shown).split(/[^\p{L}\p{N}]+/u)
  for (const secret of [...document.subject.displayName.split(' '), account.name, 'sealed', 'ciphertext'])
    expect(words).not.toContain(secret)
})

test('one request is shown with what was tried, and how it ended', async () => {
  const { id, leaveIntent, finish, document } = await openDesk()
  leaveIntent('refused:busy:51')
  const open = await run('show', id)
  expect(open.out.split('\n')).toEqual([
    `request ${id}`,
    '  directory  corp',
    `  account    ${document.subject.anchor}`,
    '  operation  reset',
    '  stage      waiting',
    '  issued     0 s ago',
    '  expires    in 5 min',
    '  lease      5',
    `  receipt    for ${SERVER}`,
    '  next look  -',
    `  try 1      reset at ${SERVER}, 0 s ago:`,
    '             refused:busy:51',
    '',
  ])
  await finish()
  const ended = (await run('show', id)).out
  expect(ended).toContain('  ended       applied\n')
  expect(ended).toContain('  delivery    undelivered\n')
  expect(ended).toMatch(/try 2 +reset at .* ago:\s+accepted/)
})

test('a request that waits for its turn is looked at now', async () => {
  const { id, flags, dc } = await openDesk()
  Object.assign(flags, { auditHolds: false })
  const waits = await run('retry', id)
  expect(waits.out).toContain('  stage      waiting\n')
  expect(waits.out).toContain('  next look  in 1 s\n')
  Object.assign(flags, { auditHolds: true })
  const { status, out } = await run('retry', id, '--json')
  expect([status, JSON.parse(out)]).toMatchObject([0, { open: null, ended: { outcome: 'applied' } }])
  expect(dc.state.effects).toHaveLength(1)
  const again = await run('retry', id)
  expect([again.status, again.err]).toEqual([
    1,
    expect.stringContaining(`ERR_REQUEST_NOT_OPEN: ${id} has ended: applied`),
  ])
})

describe('a request that is dropped', () => {
  test('ends failed, dropped_by_operator, with who dropped it, and nothing is written, also during a pause', async () => {
    for (const operation of [undefined, 'unlock', 'inspect'] as const) {
      const { id, outcome, dc, pause, journal } = await openDesk({ ...(operation ? { operation } : {}) })
      pause.pauseHere('grace')
      expect(await run('drop', id)).toEqual({
        ...{ status: 0, err: '' },
        out: `dropped: ${id} ended failed, dropped_by_operator\n`,
      })
      expect(await outcome()).toMatchObject({
        ...{ outcome: 'failed', reason: 'dropped_by_operator' },
        ...{ detail: `dropped by ${ME}`, server: null, marker: null },
      })
      expect([dc.state.effects, journal.intents(id)]).toEqual([[], []])
      const told = journal.auditEntries(0, 10).map(({ record }) => JSON.parse(record))
      expect(told).toMatchObject([
        { kind: 'operator', action: 'pause' },
        { kind: 'operator', action: 'drop', actor: { kind: 'operator', name: ME }, request: id },
        { kind: 'outcome', outcome: 'failed', reason: 'dropped_by_operator' },
      ])
      for (const stop of stops.splice(0)) await stop()
    }
  })

  test('is not, where a write of it may have been sent, here or by another agent', async () => {
    const { id, leaveIntent, journal } = await openDesk()
    leaveIntent('lost')
    const own = await run('drop', id)
    expect([own.status, own.out]).toEqual([1, ''])
    expect(own.err).toContain(
      `ERR_REQUEST_IN_DOUBT: ${id}: a write may have been sent to ${SERVER}; it was not dropped`,
    )
    expect([journal.find(id)?.requestId, journal.auditEntries(0, 10)]).toEqual([id, []])
    for (const stop of stops.splice(0)) await stop()
    const earlier = [{ agent: newId(), server: SERVER }]
    const other = await openDesk({ accepted: { earlier } })
    const before = await run('drop', other.id)
    expect([before.status, before.err]).toEqual([
      1,
      expect.stringContaining('another agent may have written it; it was not dropped'),
    ])
  })

  test('is carried out when its write began first, and no later look drops it', async () => {
    let world: Awaited<ReturnType<typeof openDesk>> | undefined
    let looks = 0
    world = await openDesk({}, async () => {
      looks += 1
      // It was being carried out when the operator asked.
      if (looks === 1) world?.leaveIntent('lost')
    })
    const { id, finish, outcome } = world
    expect((await run('drop', id)).err).toContain('ERR_REQUEST_IN_DOUBT')
    await finish()
    expect(await outcome()).not.toMatchObject({ outcome: 'failed' })
  })

  test('is not, while its lease is not held: another agent may have written it', async () => {
    for (const operation of [undefined, 'inspect'] as const) {
      const { id, journal, clock, parts, run: process } = await openDesk(operation ? { operation } : {})
      clock.pass(LEASE_MS + 1)
      const { status, err } = await run('drop', id)
      expect([status, err]).toEqual([1, expect.stringContaining('ERR_REQUEST_NOT_HELD')])
      expect([journal.find(id)?.requestId, journal.auditEntries(0, 10)]).toEqual([id, []])
      // A wish that was taken while the lease ran out does not end it either.
      const takeBack = parts.drops.ask(id, ME)
      expect(await process()).toMatchObject({ laterMs: expect.any(Number) })
      takeBack()
      expect(journal.find(id)).toBeDefined()
      for (const stop of stops.splice(0)) await stop()
    }
  })

  test('is told as dropped when that was found at the very end of the patience', async () => {
    let world: Awaited<ReturnType<typeof openDesk>> | undefined
    world = await openDesk({}, async () => {
      // It ends, and the queue does not come back to say so.
      await world?.run()
      await new Promise(() => {})
    })
    expect(await run('drop', world.id)).toMatchObject({
      status: 0,
      out: expect.stringContaining('dropped: '),
    })
  })

  test('is looked at again and again within one limit, each time for what is left of it', async () => {
    const sleeps: number[] = []
    const { id, clock } = await openDesk({}, async () => clock.pass(1_500), sleeps)
    const { status, err } = await run('drop', id)
    expect([status, err]).toEqual([1, expect.stringContaining('may still end dropped')])
    expect(sleeps.filter((ms) => ms > 50)).toEqual([4_000, 2_500, 1_000])
  })

  test('is left alone while its processing does not come to an end', async () => {
    const { id, journal, finish, outcome } = await openDesk({}, () => new Promise(() => {}))
    const { status, err } = await run('drop', id)
    expect([status, err]).toEqual([1, expect.stringContaining('ERR_REQUEST_UNDER_WAY')])
    expect(journal.find(id)).toBeDefined()
    await finish()
    expect(await outcome()).toMatchObject({ outcome: 'applied' })
  })
})

test('writing is paused and resumed here, and the list says by whom', async () => {
  const { pause, id, dc } = await openDesk()
  const paused = await run('pause')
  expect([paused.status, paused.out]).toEqual([
    0,
    expect.stringMatching(new RegExp(`^PAUSED on this host by ${ME} since 20\\d\\d-.* UTC\\n$`)),
  ])
  await run('retry', id)
  expect([pause.isPaused(), dc.state.effects]).toEqual([true, []])
  expect((await run('list')).out).toContain(`PAUSED on this host by ${ME}`)
  pause.setPaused({ paused: true, storeTime: 1 })
  expect((await run('resume')).out).toBe('PAUSED by the reset store\n')
  pause.setPaused({ paused: false, storeTime: 2 })
  expect((await run('resume', '--json')).out).toBe('{"store":false,"here":null}\n')
  expect((await run('retry', id)).out).toContain('applied')
})

test('an unknown request is said to be unknown, and the agent’s own error is told', async () => {
  const { id } = await openDesk({}, () =>
    Promise.reject(new WritebackError('ERR_REDIS_UNREACHABLE', 'the queue of corp is not open yet')),
  )
  for (const word of ['show', 'retry', 'drop'])
    expect(await run(word, newId())).toMatchObject({
      ...{ status: 1, out: '' },
      err: expect.stringContaining('ERR_REQUEST_NOT_OPEN: this agent does not know request'),
    })
  expect(await run('retry', id)).toMatchObject({
    ...{ status: 1, out: '' },
    err: expect.stringContaining('ERR_REDIS_UNREACHABLE: the queue of corp is not open yet'),
  })
})

test('no agent is exit status 3, and what makes no sense is bad usage', async () => {
  for (const words of [['list'], ['show', newId()], ['pause'], ['drop', newId()]])
    expect(await run(...words)).toMatchObject({
      ...{ status: 3, out: '' },
      err: expect.stringContaining('ERR_AGENT_UNREACHABLE'),
    })
  for (const words of [
    ['list', '--directory', 'other'],
    ['list', '--limit', '0'],
    ['list', '--limit', '1001'],
    ['show', 'x'],
    ['drop', '../../status'],
    ['retry'],
  ])
    expect(await run(...words)).toMatchObject({ status: 2, out: '' })
})
