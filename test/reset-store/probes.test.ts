// Probes at the store: begun on the clock and one at a time, over restarts too, by the rules of every request; their passwords
// are known to nobody.
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { findPasswordViolation } from '../../src/policy/find-violation.ts'
import type { Probe } from '../../src/protocol/administration-calls.ts'
import type { ClaimedRequest } from '../../src/protocol/agent-calls.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { openSqliteRepository } from '../../src/reset-store/database/sqlite-repository.ts'
import { makeProbePassword } from '../../src/reset-store/requests/probe-password.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { findForms, secretForms } from '../servers/secret-forms.ts'
import { createMovableClock, startStore } from './running-store.ts'
import { enrolAgent, POLICY, type TestAgent } from './test-agent.ts'

const HOUR_MS = 3_600_000
const data = makeScratchDirectory()
const clock = createMovableClock()
const anchor = randomUUID()
const logged: string[] = []
const note = (message: string, fields?: object) => void logged.push(JSON.stringify([message, fields]))
const log: Logger = { ...{ error: note, warn: note, info: note, debug: note }, child: () => log }
let store: Awaited<ReturnType<typeof startStore>>
let agent: TestAgent

const start = () => startStore(data, { clock, log, probes: [{ user: 'probe', everyMs: HOUR_MS }] })
const restart = async (between: () => Promise<void> = async () => {}) => {
  await store.store.stop()
  await between()
  store = await start()
  agent = agent.at(store)
}

beforeAll(async () => {
  store = await start()
  agent = await enrolAgent(store, { now: clock.wallMs })
})
afterAll(async () => {
  await store.store.stop()
  await removeScratchDirectory(data)
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
/** Twice as long as the store waits between two looks. */
const twoLooks = () => pause(1100)
const theProbe = async (): Promise<Probe> => (await store.admin('listProbes')).json.probes[0]
const countRequests = async (): Promise<number> => (await store.admin('listRequests')).json.requests.length

/** The next probe, as the agent is handed it. */
async function handedOut(): Promise<ClaimedRequest> {
  for (let tries = 0; tries < 200; tries += 1) {
    const [claimed] = (await agent.claim()).requests
    if (claimed) return claimed
    await pause(50)
  }
  throw new Error('the agent was handed no probe')
}

async function end(claimed: ClaimedRequest, outcome: Parameters<TestAgent['sign']>[1]) {
  expect(await agent.receipt(claimed.request, claimed.lease)).toBe('accepted')
  expect(await agent.report(await agent.sign(claimed, outcome))).toEqual(['accepted'])
}

test('says why there is no probe, and begins one as soon as the user is there; it is an ordinary reset of the store', async () => {
  expect(await theProbe()).toMatchObject({ last: null, lastAppliedAt: null, late: false })
  expect((await theProbe()).problem).toContain('no user of this name')
  await store.admin('addUser', { name: 'probe', displayName: 'Probe', directory: 'corp', anchor })
  await agent.call(
    'publishPolicies',
    { readAt: 1, policies: [{ ...POLICY, minimumLength: 50 }], problems: [] },
    undefined,
    { name: 'corp' },
  )
  const claimed = await handedOut()
  const { document, password } = await agent.open(claimed)
  expect(document).toMatchObject({
    ...{ operation: 'reset', subject: { anchor }, sequence: expect.any(Number) },
    ...{ options: { unlock: true, mustChangeAtNextSignIn: false } },
    actor: { kind: 'administrator', name: 'probe', methods: [], audit: `request ${claimed.request}` },
  })
  expect(password.length).toBeGreaterThanOrEqual(40)
  await end(claimed, { outcome: 'applied' })
  expect(await theProbe()).toMatchObject({
    ...{ user: 'probe', everyMs: HOUR_MS, late: false, problem: null },
    ...{ last: { request: claimed.request, state: 'closed', outcome: 'applied' } },
    lastAppliedAt: expect.any(Number),
  })
})

test('the next one comes an interval later, with another password that is as long as the published policy asks', async () => {
  await twoLooks()
  expect(await countRequests()).toBe(1)
  clock.advance(HOUR_MS)
  // An agent that was silent for an hour is not sealed to before it is heard again.
  const claimed = await handedOut()
  const { password } = await agent.open(claimed)
  expect(password).toHaveLength(50)
  await end(claimed, { outcome: 'refused', reason: 'account_disabled' })
  expect(await theProbe()).toMatchObject({
    ...{ late: false, last: { outcome: 'refused', reason: 'account_disabled' } },
  })
  expect(await countRequests()).toBe(2)
})

test('no second probe is begun while one is open, neither on the clock, nor on request, nor by a store that was started again', async () => {
  clock.advance(HOUR_MS)
  const claimed = await handedOut()
  expect(logged.join('\n')).toContain('the last probe was not applied')
  const again = await Promise.all([1, 2].map(() => store.admin('runProbe', { user: 'probe' })))
  expect(again.map(({ status, json }) => [status, json.request])).toEqual([
    [201, claimed.request],
    [201, claimed.request],
  ])
  await restart()
  await twoLooks()
  expect(await countRequests()).toBe(3)
  expect(await theProbe()).toMatchObject({ last: { request: claimed.request, outcome: null }, late: true })
  const [same] = (await agent.claim({ leases: [{ request: claimed.request, lease: claimed.lease }] }))
    .requests
  await end(same ?? claimed, { outcome: 'applied' })
  expect(await theProbe()).toMatchObject({ late: false, last: { outcome: 'applied' } })
})

test('an administrator begins one before its time; two who ask at once get the same one', async () => {
  const both = await Promise.all([1, 2].map(() => store.admin('runProbe', { user: 'probe' })))
  expect(new Set(both.map(({ json }) => json.request)).size).toBe(1)
  const claimed = await handedOut()
  expect(claimed.request).toBe(both[0]?.json.request)
  await end(claimed, { outcome: 'applied' })
  const stranger = await store.admin('runProbe', { user: 'nobody' })
  expect([stranger.status, stranger.json.code]).toEqual([404, 'user_not_found'])
})

test('a store that died between beginning and sealing waits until that probe has run out', async () => {
  const id = newId()
  await restart(async () => {
    clock.advance(HOUR_MS)
    const repository = openSqliteRepository(path.join(data, 'store.db'))
    const createdAt = clock.wallMs()
    await repository.transaction((records) =>
      records.addRequest({
        ...{ id, directory: 'corp', anchor, displayName: 'Probe', operation: 'reset', options: {} },
        ...{ actor: { kind: 'administrator', name: 'probe', methods: [], audit: `request ${id}` } },
        ...{ creator: 'store:probe', createdAt, expiresAt: createdAt + 300_000, offeredKeys: [] },
      }),
    )
    await repository.close()
  })
  expect((await store.admin('runProbe', { user: 'probe' })).json.request).toBe(id)
  await twoLooks()
  expect((await theProbe()).last).toMatchObject({ request: id, state: 'unsealed' })
  clock.advance(HOUR_MS)
  await end(await handedOut(), { outcome: 'applied' })
  expect((await theProbe()).last?.request).not.toBe(id)
})

test('none is begun while the store is paused', async () => {
  await store.admin('setPause', { paused: true })
  const before = await countRequests()
  clock.advance(3 * HOUR_MS)
  await agent.claim()
  await twoLooks()
  expect(await countRequests()).toBe(before)
  expect((await theProbe()).late).toBe(true)
  await store.admin('setPause', { paused: false })
  await end(await handedOut(), { outcome: 'applied' })
  expect((await theProbe()).late).toBe(false)
})

test('the password is in no file of the store, no line of its log and no answer, in whatever form', async () => {
  const { json } = await store.admin('runProbe', { user: 'probe' })
  const claimed = await handedOut()
  const { password } = await agent.open(claimed)
  const told = [json, await theProbe(), (await store.admin('listRequests')).json].map((one) =>
    JSON.stringify(one),
  )
  await end(claimed, { outcome: 'applied' })
  await restart()
  const files = readdirSync(data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name)))
  const places = [...files, ...[...logged, ...told].map((text) => Buffer.from(text))]
  expect(places.some((bytes) => bytes.includes(claimed.request))).toBe(true)
  const forms = secretForms(Buffer.from(password))
  expect(places.flatMap((bytes) => findForms(bytes, forms))).toEqual([])
})

test('a clock that stood ahead for ten days puts no probe off when it is right again', async () => {
  clock.advance(240 * HOUR_MS)
  await end(await handedOut(), { outcome: 'applied' })
  await twoLooks()
  clock.advance(-240 * HOUR_MS)
  const before = await countRequests()
  await end(await handedOut(), { outcome: 'applied' })
  await twoLooks()
  expect(await countRequests()).toBe(before + 1)
})

test('a probe’s password has every class of characters, no name inside, and the length that is asked', () => {
  for (const minimumLength of [0, 8, 41, 128, 2_000]) {
    const password = makeProbePassword([{ minimumLength: 7 }, { minimumLength }])
    expect(password.length).toBe(Math.min(255, Math.max(40, minimumLength)))
    const policy = { ...POLICY, minimumLength: Math.min(minimumLength, 255), refusesNames: true }
    const holder = { accountName: 'svc-probe', displayName: 'Writeback Probe, Ltd 247' }
    for (const reading of ['certain', 'explain'] as const)
      expect(findPasswordViolation(password, { policy, holder, reading })).toBeUndefined()
    expect(String(password)).toMatch(/^(?:[A-Z](?:$|[a-z])(?:$|-)(?:$|\d)(?:$|-))+$/)
  }
  expect(makeProbePassword([]).equals(makeProbePassword([]))).toBe(false)
})
