// Delivering outcomes: a store behind msw, a real journal, outcomes really signed.
import { rmSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { createJournal } from '../../src/agent/journal/create-journal.ts'
import { createStoreClient } from '../../src/agent/store-client/create-store-client.ts'
import type { Fetch } from '../../src/agent/store-client/store-transport.ts'
import { createReporter } from '../../src/agent/writeback/report-outcomes.ts'
import { type Clock, systemClock } from '../../src/clock/clock.ts'
import type { OutcomesAnswer } from '../../src/protocol/agent-calls.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { signOutcome } from '../../src/protocol/outcome.ts'
import { problemOf } from '../../src/protocol/problem.ts'
import { createConditions } from '../../src/telemetry/conditions.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'
import { DIRECTORY, makeParties, STORE } from './sample-requests.ts'

const URL = 'https://reset.example.test'
const parties = await makeParties()
const server = setupServer()
const cleanUp: (() => void | Promise<void>)[] = []
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterAll(() => server.close())
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step()
  server.resetHandlers()
})

type Result = OutcomesAnswer['results'][number]['result']
type Answer = (sent: readonly string[]) => Response

/** A reporter against a store that answers each call as `answer` says. Backoffs are noted and shortened to 10 ms. */
function openReporter(longestSleepMs = 10) {
  const state = makeScratchDirectory()
  const journal = createJournal(state)
  const sent: string[][] = []
  const sleeps: number[] = []
  const requests = new Map<string, string>()
  const accept =
    (result: Result): Answer =>
    (bytes) =>
      HttpResponse.json({ results: bytes.map((one) => ({ request: requests.get(one), result })) })
  const store = { answers: [] as Answer[], otherwise: accept('accepted') }
  server.use(
    http.post(`${URL}/v1/outcomes`, async ({ request }) => {
      const { outcomes } = (await request.json()) as { outcomes: string[] }
      sent.push(outcomes)
      return (store.answers.shift() ?? store.otherwise)(outcomes)
    }),
  )
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, signal) => {
      sleeps.push(ms)
      return systemClock.sleep(Math.min(ms, longestSleepMs), signal)
    },
  }
  const conditions = createConditions({ clock, log: silentLogger })
  const client = createStoreClient({
    url: URL,
    fetch: ((url, init) => fetch(url, init as RequestInit)) as Fetch,
    identity: { agent: parties.agent, store: STORE, signer: parties.keys.identity.signer },
    clock,
    nowMs: Date.now,
    timeoutMs: 5_000,
  })
  const reporter = createReporter({
    ...{ journal, client, clock, conditions },
    isBusy: () => false,
    log: silentLogger,
  })
  cleanUp.push(async () => {
    await reporter.stop(0)
    journal.close()
    rmSync(state, { recursive: true, force: true })
  })
  let time = 1
  const record = async (): Promise<string> => {
    const requestId = newId()
    const shared = { request: requestId, store: STORE, agent: parties.agent, directory: DIRECTORY, lease: 1 }
    const rest = { server: null, marker: null, decidedAt: 1, notices: [], detail: null }
    const told = { account: null, rule: null, policy: null }
    const outcome = { ...shared, ...rest, ...told, outcome: 'applied' as const }
    const bytes = await signOutcome(outcome, parties.keys.identity.signer)
    requests.set(bytes, requestId)
    journal.accept([
      {
        requestId,
        directory: DIRECTORY,
        subject: 's',
        sequence: 1,
        lease: 1,
        document: 'd',
        expiresAtMs: 1,
        earlier: [],
        last: null,
      },
    ])
    time += 1
    journal.outcome({ requestId, outcome: 'applied', bytes, atMs: time })
    return bytes
  }
  const until = async (isReached: () => boolean) => {
    for (let tries = 0; tries < 400 && !isReached(); tries += 1) await systemClock.sleep(5)
    expect(isReached()).toBe(true)
  }
  const delivered = () => until(() => journal.counts().undelivered === 0)
  return {
    ...{ reporter, journal, conditions, store, sent, sleeps },
    ...{ accept, record, until, delivered },
  }
}

test('what waits is delivered at start, what comes later at once', async () => {
  const world = openReporter()
  const first = [await world.record(), await world.record()]
  world.reporter.start()
  await world.delivered()
  expect(world.sent).toEqual([first])
  const later = await world.record()
  world.reporter.wake()
  await world.delivered()
  expect(world.sent[1]).toEqual([later])
})

test('the same bytes go out until the store confirms them, through faults and lost answers', async () => {
  const world = openReporter()
  const bytes = await world.record()
  const fault: Answer = () => new HttpResponse(null, { status: 500 })
  const lost: Answer = () => HttpResponse.error()
  world.store.answers = [fault, fault, lost, fault, lost]
  world.reporter.start()
  await world.delivered()
  expect(world.sent).toEqual(Array.from({ length: 6 }, () => [bytes]))
  const [first = 0, second = 0, , , fifth = 0] = world.sleeps
  expect([first >= 125, second >= 250, fifth >= 2_000]).toEqual([true, true, true])
})

test.each(['outcome_closed', 'request_not_found'] as const)('%s ends delivery', async (result) => {
  const world = openReporter()
  await world.record()
  world.store.otherwise = world.accept(result)
  world.reporter.start()
  await world.delivered()
  await systemClock.sleep(30)
  expect([world.sent.length, world.journal.counts().finished]).toEqual([1, 1])
})

test('an answer for none of the outcomes is a fault, not a reason to ask without end', async () => {
  const world = openReporter()
  await world.record()
  const nothing: Answer = () => HttpResponse.json({ results: [] })
  const stranger: Answer = () => HttpResponse.json({ results: [{ request: newId(), result: 'accepted' }] })
  world.store.answers = [nothing, stranger]
  world.reporter.start()
  await world.delivered()
  expect([world.sent.length, world.sleeps.length]).toEqual([3, 2])
})

test('an answer for some of the outcomes leaves the others waiting', async () => {
  const world = openReporter()
  const [one, other] = [await world.record(), await world.record()]
  world.store.answers = [(bytes) => world.accept('accepted')(bytes.slice(0, 1))]
  world.reporter.start()
  await world.delivered()
  expect(world.sent).toEqual([[one, other], [other]])
})

test('one outcome the store refuses does not hold back the others, nor those that come later', async () => {
  const world = openReporter(60_000)
  const [good, bad, alsoGood] = [await world.record(), await world.record(), await world.record()]
  world.store.otherwise = (bytes) =>
    bytes.includes(bad)
      ? HttpResponse.json(problemOf('outcome_invalid'), { status: problemOf('outcome_invalid').status })
      : world.accept('accepted')(bytes)
  world.reporter.start()
  await world.until(() => world.journal.counts().undelivered === 1)
  expect(world.journal.undelivered(5).map(({ bytes }) => bytes)).toEqual([bad])
  expect(world.sent.slice(0, 4)).toEqual([[good, bad, alsoGood], [good], [bad], [alsoGood]])
  expect(world.conditions.list().map(({ code }) => code)).toEqual(['outcome_not_delivered'])
  // Many failures later the wait is long; what is new goes out all the same.
  const begun = performance.now()
  for (let round = 0; round < 4; round += 1) {
    await world.record()
    world.reporter.wake()
    await world.until(() => world.journal.counts().undelivered === 1)
  }
  expect(performance.now() - begun).toBeLessThan(2_000)
  world.store.otherwise = world.accept('request_not_found')
  world.reporter.wake()
  await world.delivered()
  await world.until(() => world.conditions.list().length === 0)
})

test('stopping delivers what waits', async () => {
  const world = openReporter()
  world.reporter.start()
  await systemClock.sleep(20)
  await world.record()
  await world.reporter.stop(2_000)
  expect(world.journal.counts().undelivered).toBe(0)
})

test('stopping ends at its deadline whatever the store does', async () => {
  for (const answer of [
    () => HttpResponse.error(),
    () => new HttpResponse(null, { status: 503 }),
  ] as Answer[]) {
    const world = openReporter(60_000)
    await world.record()
    world.store.otherwise = answer
    world.reporter.start()
    await systemClock.sleep(20)
    const begun = performance.now()
    await world.reporter.stop(100)
    expect(performance.now() - begun).toBeLessThan(1_000)
    expect(world.journal.counts().undelivered).toBe(1)
  }
  const silent = openReporter()
  server.use(http.post(`${URL}/v1/outcomes`, () => new Promise<Response>(() => {})))
  await silent.record()
  silent.reporter.start()
  await systemClock.sleep(20)
  const begun = performance.now()
  await silent.reporter.stop(100)
  expect(performance.now() - begun).toBeLessThan(1_000)
})
