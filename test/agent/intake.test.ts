// Taking requests in: a store behind msw, a real journal, real signatures. No directory is handed in at all.
import { rmSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { createLeases } from '../../src/agent/decisions/leases.ts'
import { createStoreTime } from '../../src/agent/decisions/store-time.ts'
import { createReceipts } from '../../src/agent/intake/confirm-receipts.ts'
import { createIntake } from '../../src/agent/intake/create-intake.ts'
import { createDocumentCache } from '../../src/agent/intake/document-cache.ts'
import type { IntakeParts } from '../../src/agent/intake/intake-parts.ts'
import { createJournal } from '../../src/agent/journal/create-journal.ts'
import { refuseStrangers } from '../../src/agent/refuse-strangers.ts'
import { createStoreClient } from '../../src/agent/store-client/create-store-client.ts'
import type { Fetch } from '../../src/agent/store-client/store-transport.ts'
import { concludeInvalid } from '../../src/agent/writeback/conclude-invalid.ts'
import { type Clock, systemClock } from '../../src/clock/clock.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import type { ClaimAnswer, ClaimCall, ReceiptsCall } from '../../src/protocol/agent-calls.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { verifyOutcome } from '../../src/protocol/outcome.ts'
import type { ResetDocument } from '../../src/protocol/request-document.ts'
import { signMessage } from '../../src/protocol/signed-message.ts'
import { createConditions } from '../../src/telemetry/conditions.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { openAudit } from '../fakes/open-audit.ts'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'
import { DIRECTORY, makeParties, resetOf, SERVER, STORE, signedBy, TENANT } from './sample-requests.ts'

// Plain HTTP, because the TLS sockets that msw makes up leave an OpenSSL error behind, on which Node.js 24 aborts at the
// next AES operation. The real transport is tested with a real server in store-client.test.ts.
const URL = 'http://reset.example.test'
const parties = await makeParties()
const server = setupServer()
const cleanUp: (() => void | Promise<void>)[] = []
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterAll(() => server.close())
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step()
  server.resetHandlers()
})

type Claimed = ClaimAnswer['requests'][number]
const claimedOf = async (document: ResetDocument, fields: Partial<Claimed> = {}): Promise<Claimed> => ({
  request: document.id,
  lease: 1,
  document: await signedBy(parties, document),
  earlier: [],
  last: null,
  ...fields,
})
type Answer = Partial<Omit<ClaimAnswer, 'renewed'>> & { readonly renewed?: ClaimAnswer['renewed'] | 'all' }

/** An agent's intake against a store that gives these answers to claims, in order, and then nothing new. */
function openIntake(answers: (Answer | Response)[] = []) {
  const state = makeScratchDirectory()
  const journal = createJournal(state)
  const seen = {
    claims: [] as ClaimCall[],
    receipts: [] as ReceiptsCall['receipts'],
    receiptResult: (_request: string): 'accepted' | 'lease_lost' | 'fault' => 'accepted',
    enqueued: [] as string[],
    enqueueFault: undefined as Error | undefined,
    paused: [] as boolean[],
    gone: [] as (readonly string[])[],
    sleeps: [] as number[],
    wakes: 0,
    server: SERVER as string | undefined,
  }
  server.use(
    http.post(`${URL}/v1/requests/claim`, async ({ request }) => {
      const call = (await request.json()) as ClaimCall
      seen.claims.push(call)
      const next = answers.shift()
      if (next instanceof Response) return next
      if (!next) await systemClock.sleep(10)
      const renewed = next?.renewed === undefined || next.renewed === 'all' ? call.leases : next.renewed
      const answer = { storeTime: Date.now(), paused: false, requests: [], ...next, renewed }
      return HttpResponse.json(answer)
    }),
    http.post(`${URL}/v1/requests/receipts`, async ({ request }) => {
      const call = (await request.json()) as ReceiptsCall
      const results = call.receipts.map((receipt) => ({
        request: receipt.request,
        result: seen.receiptResult(receipt.request),
      }))
      if (results.some(({ result }) => result === 'fault')) return new HttpResponse(null, { status: 503 })
      seen.receipts.push(...call.receipts)
      return HttpResponse.json({ results })
    }),
  )
  // Time is real, but a backoff is only noted.
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, signal) => {
      seen.sleeps.push(ms)
      return systemClock.sleep(Math.min(ms, 5), signal)
    },
  }
  const leases = createLeases(clock)
  const storeTime = createStoreTime(clock)
  const conditions = createConditions({ clock, log: silentLogger })
  const { signer } = parties.keys.identity
  const identity = { agent: parties.agent, store: STORE, signer }
  const wakeReporter = () => {
    seen.wakes += 1
  }
  const client = createStoreClient({
    url: URL,
    fetch: ((url, init) => fetch(url, init as RequestInit)) as Fetch,
    identity,
    clock,
    nowMs: Date.now,
    timeoutMs: 5_000,
  })
  const parts: IntakeParts = {
    journal,
    client,
    receipts: createReceipts({ client, journal, leases }),
    leases,
    storeTime,
    addressee: {
      store: STORE,
      tenant: TENANT,
      directories: new Set([DIRECTORY]),
      sealingKeyIds: new Set([parties.recipient.kid]),
    },
    findKey: parties.findStoreKey,
    documents: createDocumentCache(parties.findStoreKey),
    conditions,
    clock,
    log: silentLogger,
    setPaused: ({ paused }) => seen.paused.push(paused),
    setGoneServers: (servers) => seen.gone.push(servers),
    serverOf: () => seen.server,
    enqueue: async (directory, ids) => {
      if (seen.enqueueFault) throw seen.enqueueFault
      seen.enqueued.push(...ids.map((id) => `${directory} ${id}`))
    },
    refuseInvalid: (request, fault) =>
      concludeInvalid(
        { ...identity, journal, audit: openAudit, clock, storeTime, leases, log: silentLogger, wakeReporter },
        request,
        fault,
      ),
    wakeReporter,
  }
  const intake = createIntake(parts)
  cleanUp.push(async () => {
    await intake.stop()
    journal.close()
    rmSync(state, { recursive: true, force: true })
  })
  const outcomes = () =>
    Promise.all(journal.undelivered(50).map(({ bytes }) => verifyOutcome(bytes, () => parties.agentKey)))
  const until = async (isReached: () => boolean) => {
    for (let tries = 0; tries < 400 && !isReached(); tries += 1) await systemClock.sleep(5)
    expect(isReached()).toBe(true)
  }
  const claims = (count: number) => until(() => seen.claims.length >= count)
  return { ...{ intake, parts, journal, leases, conditions, seen }, ...{ outcomes, until, claims } }
}

const fresh = (fields: Partial<ResetDocument> = {}) => resetOf(parties, { nowMs: Date.now(), ...fields })

test('a request is journaled, promised on the writer, and queued, in this order', async () => {
  const document = await fresh()
  const world = openIntake([{ requests: [await claimedOf(document)] }])
  world.intake.start()
  await world.claims(3)
  expect(world.journal.find(document.id)).toMatchObject({
    lease: 1,
    receiptServer: SERVER,
    directory: DIRECTORY,
  })
  expect(world.seen.receipts).toEqual([{ request: document.id, lease: 1, server: SERVER }])
  expect(world.seen.enqueued).toEqual([`${DIRECTORY} ${document.id}`])
  expect(world.leases.isHeld({ request: document.id, lease: 1 })).toBe(true)
  expect(world.seen.claims[0]).toMatchObject({ leases: [], places: { [DIRECTORY]: 64 }, waitMs: 0 })
  expect(world.seen.claims[1]).toMatchObject({
    leases: [{ request: document.id, lease: 1 }],
    places: { [DIRECTORY]: 63 },
    waitMs: 10_000,
  })
  expect(new Set(world.seen.claims.map(({ claimId }) => claimId)).size).toBe(world.seen.claims.length)
})

test('the same request twice is one row, also twice in one answer [duplicate_delivery]', async () => {
  const document = await fresh()
  const claimed = await claimedOf(document)
  const world = openIntake([{ requests: [claimed, claimed] }, { requests: [claimed] }])
  world.intake.start()
  await world.claims(3)
  expect(world.journal.counts()).toMatchObject({ open: 1, undelivered: 0, finished: 0 })
  expect(new Set(world.seen.enqueued)).toEqual(new Set([`${DIRECTORY} ${document.id}`]))
})

test('a request that is closed here is not begun again: its outcome is delivered again', async () => {
  const document = await fresh()
  const world = openIntake([{ requests: [await claimedOf(document, { lease: 2 })] }])
  world.journal.accept([
    {
      ...(await claimedOf(document)),
      requestId: document.id,
      directory: DIRECTORY,
      subject: 's',
      sequence: 1,
      expiresAtMs: 1,
    },
  ])
  world.journal.outcome({ requestId: document.id, outcome: 'applied', bytes: 'signed', atMs: 1 })
  world.journal.delivered([{ requestId: document.id, answer: 'accepted' }], 2)
  world.intake.start()
  await world.claims(2)
  expect(world.journal.undelivered(5)).toEqual([{ requestId: document.id, bytes: 'signed' }])
  expect([world.seen.wakes, world.seen.enqueued, world.seen.receipts]).toEqual([1, [], []])
})

test('invalid documents end as failed, signed, and are never promised or queued [unknown_key]', async () => {
  const stranger = await makeParties()
  const good = await fresh()
  const tampered = (await signedBy(parties, good)).split('.')
  const payload = Buffer.from(JSON.stringify({ ...good, tenant: 'other' })).toString('base64url')
  const { sealed: _sealed, ...unsealed } = await fresh()
  const bad: Claimed[] = [
    await claimedOf(await fresh(), { document: await signedBy(stranger, good) }),
    await claimedOf(await fresh(), { document: `${tampered[0]}.${payload}.${tampered[2]}` }),
    await claimedOf(await fresh({ store: '00000000' })),
    await claimedOf(await fresh({ tenant: 'other' })),
    await claimedOf(await fresh({ directory: 'other' })),
    await claimedOf(await resetOf(stranger, { nowMs: Date.now() }), {
      document: await signedBy(parties, await resetOf(stranger, { nowMs: Date.now() })),
    }),
    await claimedOf(await fresh(), { request: newId() }),
    await claimedOf(await fresh(), {
      document: await signMessage(
        'wb-request+jws',
        { ...unsealed, operation: 'unlock', options: {} },
        parties.storeSigner,
      ),
    }),
    await claimedOf(await fresh(), { document: 'garbage.garbage.garbage' }),
    await claimedOf(
      await fresh({ subject: { anchor: newId(), objectGuid: null, displayName: 'x'.repeat(257) } }),
    ),
    await claimedOf(await fresh(), {
      document: await signMessage('wb-outcome+jws', good, parties.storeSigner),
    }),
  ]
  const world = openIntake([{ requests: [...bad, await claimedOf(good)] }])
  world.intake.start()
  await world.claims(2)
  const outcomes = await world.outcomes()
  expect(new Set(outcomes.map(({ request }) => request))).toEqual(new Set(bad.map(({ request }) => request)))
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({
      outcome: 'failed',
      reason: 'request_invalid',
      directory: null,
      server: null,
    })
  expect(outcomes.every(({ detail }) => detail !== null && !detail.includes('Correct-Horse'))).toBe(true)
  expect(world.seen.enqueued).toEqual([`${DIRECTORY} ${good.id}`])
  expect(world.seen.receipts.map(({ request }) => request)).toEqual([good.id])
})

test('an invalid document whose refusal a failed sync kept back is ended later, once', async () => {
  const garbage = await claimedOf(await fresh(), { document: 'garbage.garbage.garbage' })
  const good = await fresh()
  const world = openIntake([{ requests: [garbage, await claimedOf(good)] }])
  const durable = world.journal.durable
  const failing = async () => {
    Object.assign(world.journal, { durable })
    throw new WritebackError('ERR_JOURNAL_UNUSABLE', 'no disk', { retry: 'later' })
  }
  Object.assign(world.journal, { durable: failing })
  world.intake.start()
  await world.claims(2)
  expect([world.journal.counts().open, await world.outcomes()]).toEqual([2, []])
  const tend = () =>
    refuseStrangers(
      { journal: world.journal, directories: new Map([[DIRECTORY, {}]]) },
      world.parts.refuseInvalid,
    )
  await tend()
  await tend()
  expect(await world.outcomes()).toMatchObject([
    { request: garbage.request, outcome: 'failed', reason: 'request_invalid' },
  ])
  expect(world.journal.openIds(DIRECTORY)).toEqual([good.id])
  expect([world.journal.counts().open, world.seen.wakes]).toEqual([1, 1])
})

test('garbage under the id of a request that is under way does not end it', async () => {
  const document = await fresh()
  const world = openIntake([
    { requests: [await claimedOf(document)] },
    { requests: [await claimedOf(document, { document: 'garbage.garbage.garbage', lease: 2 })] },
  ])
  world.intake.start()
  await world.claims(3)
  expect(world.journal.find(document.id)).toMatchObject({ lease: 1, directory: DIRECTORY })
  expect(await world.outcomes()).toEqual([])
})

test('garbage for a request that another agent had promised to write ends unknown, not unwritten', async () => {
  const document = await fresh()
  const earlier = [{ agent: newId(), server: SERVER }]
  const world = openIntake([
    { requests: [await claimedOf(document, { document: 'garbage.garbage.garbage', earlier })] },
  ])
  world.intake.start()
  await world.claims(2)
  expect(await world.outcomes()).toMatchObject([{ request: document.id, outcome: 'unknown' }])
})

test('a request whose outcome is not delivered yet stays named, and brings no hurry when it is handed out anew', async () => {
  const document = await fresh()
  const again = { requests: [await claimedOf(document, { lease: 2 })] }
  const answers = [{ requests: [await claimedOf(document)] }]
  const world = openIntake(answers)
  world.intake.start()
  await world.until(() => world.seen.enqueued.length === 1)
  world.journal.outcome({ requestId: document.id, outcome: 'applied', bytes: 'signed', atMs: 1 })
  // Earlier it would be taken: a higher lease of an open request takes its place.
  answers.push(...Array.from({ length: 5 }, () => again))
  await world.claims(world.seen.claims.length + 6)
  expect(world.seen.claims.at(-1)?.leases).toEqual([{ request: document.id, lease: 1 }])
  expect(world.journal.undelivered(5)).toEqual([{ requestId: document.id, bytes: 'signed' }])
  expect(world.seen.sleeps.filter((ms) => ms === 100).length).toBeGreaterThan(3)
})

test('a claim whose answer was lost is repeated with the same id until it is answered', async () => {
  const document = await fresh()
  const world = openIntake([
    HttpResponse.error(),
    new HttpResponse(null, { status: 500 }),
    { requests: [await claimedOf(document)] },
  ])
  world.intake.start()
  await world.claims(4)
  const ids = world.seen.claims.map(({ claimId }) => claimId)
  expect(new Set(ids.slice(0, 3)).size).toBe(1)
  expect(ids[3]).not.toBe(ids[0])
  expect(world.seen.enqueued).toHaveLength(1)
})

test('a lease that is not renewed is lost; a higher one takes its place [lease_lost]', async () => {
  const document = await fresh()
  const world = openIntake([
    { requests: [await claimedOf(document)] },
    { renewed: [] },
    { requests: [await claimedOf(document, { lease: 2 })] },
  ])
  world.intake.start()
  await world.until(
    () => world.leases.isLost({ request: document.id, lease: 1 }) || world.seen.claims.length > 2,
  )
  await world.claims(4)
  expect(world.leases.isHeld({ request: document.id, lease: 1 })).toBe(false)
  expect(world.leases.isHeld({ request: document.id, lease: 2 })).toBe(true)
  expect(world.seen.receipts.map(({ lease }) => lease)).toEqual([1, 2])
})

test('a request that ended while a claim was waiting leaves no lease behind', async () => {
  const document = await fresh()
  const world = openIntake([{ requests: [await claimedOf(document)] }])
  world.intake.start()
  await world.until(() => world.seen.claims.some(({ leases }) => leases.length === 1))
  world.journal.outcome({ requestId: document.id, outcome: 'applied', bytes: 'signed', atMs: 1 })
  world.leases.drop({ request: document.id, lease: world.leases.all()[0]?.lease ?? 0 })
  await world.claims(world.seen.claims.length + 3)
  expect(world.leases.all()).toEqual([])
})

test('no receipt is given ahead where another server may still write the request', async () => {
  const [elsewhere, here] = [await fresh(), await fresh()]
  const earlier = (server: string) => [{ agent: newId(), server }]
  const world = openIntake([
    {
      requests: [
        { ...(await claimedOf(elsewhere)), earlier: earlier('0b0b0b0b-1111-4222-8333-444444444444') },
        { ...(await claimedOf(here)), earlier: earlier(SERVER) },
      ],
    },
  ])
  world.intake.start()
  await world.claims(2)
  expect(world.seen.receipts.map(({ request }) => request)).toEqual([here.id])
  expect(world.seen.enqueued).toHaveLength(2)
})

test('a receipt that is refused loses the lease; one that cannot be given now is given before the write', async () => {
  const [lost, late, away] = [await fresh(), await fresh(), await fresh()]
  const refusing = openIntake([{ requests: [await claimedOf(lost)] }])
  refusing.seen.receiptResult = () => 'lease_lost'
  refusing.intake.start()
  await refusing.claims(2)
  expect(refusing.leases.isLost({ request: lost.id, lease: 1 })).toBe(true)
  expect(refusing.journal.find(lost.id)?.receiptServer).toBeUndefined()
  await refusing.intake.stop()
  const failing = openIntake([{ requests: [await claimedOf(late)] }])
  failing.seen.receiptResult = () => 'fault'
  failing.intake.start()
  await failing.claims(2)
  expect([failing.seen.enqueued.length, failing.journal.find(late.id)?.receiptServer]).toEqual([1, undefined])
  await failing.intake.stop()
  const without = openIntake([{ requests: [await claimedOf(away)] }])
  without.seen.server = undefined
  without.intake.start()
  await without.claims(2)
  expect([without.seen.enqueued.length, without.seen.receipts]).toEqual([1, []])
})

test('an expired request is queued for its outcome, without a receipt', async () => {
  const document = await fresh({ expiresAt: Date.now() + 1_000 })
  const world = openIntake([{ requests: [await claimedOf(document)] }])
  world.intake.start()
  await world.claims(2)
  expect([world.seen.enqueued.length, world.seen.receipts]).toEqual([1, []])
})

test('a queue that is away is a condition; the request stays in the journal', async () => {
  const document = await fresh()
  const world = openIntake([
    { requests: [await claimedOf(document)] },
    { requests: [await claimedOf(document)] },
  ])
  world.seen.enqueueFault = new Error('redis is away')
  world.intake.start()
  await world.until(() => world.conditions.list().some(({ code }) => code === 'queue_unreachable'))
  world.seen.enqueueFault = undefined
  expect(world.journal.openIds(DIRECTORY)).toEqual([document.id])
})

test('the pause of the store, and which servers are gone, is handed on with each answer', async () => {
  const gone = [newId()]
  const world = openIntake([{ paused: true }, { paused: true, goneServers: gone }, { paused: false }])
  world.intake.start()
  await world.until(world.intake.hasClaimed)
  await world.claims(4)
  expect(world.seen.paused.slice(0, 3)).toEqual([true, true, false])
  expect(world.seen.gone.slice(0, 3)).toEqual([[], gone, []])
})

test('a store that is away or refuses the agent is a condition, and a growing wait, until it answers', async () => {
  const status = (code: number) => new HttpResponse(null, { status: code })
  for (const [failure, condition] of [
    [() => status(503), 'store_unreachable'],
    [() => status(401), 'store_refuses_agent'],
  ] as const) {
    const world = openIntake([failure(), failure(), failure()])
    const raised: string[] = []
    const { raise } = world.parts.conditions
    Object.assign(world.parts.conditions, {
      raise: (...fault: Parameters<typeof raise>) => {
        raised.push(fault[0])
        raise(...fault)
      },
    })
    world.intake.start()
    await world.until(world.intake.hasClaimed)
    expect([raised, world.conditions.list()]).toEqual([[condition, condition, condition], []])
    const [first = 0, second = 0, third = 0] = world.seen.sleeps
    expect([first >= 125, second >= 250, third >= 500, third <= 1_000]).toEqual([true, true, true, true])
    await world.intake.stop()
  }
})

test('a store that was away and now refuses is not away any more, and the other way round', async () => {
  const [away, refuses] = [
    () => new HttpResponse(null, { status: 503 }),
    () => new HttpResponse(null, { status: 401 }),
  ]
  const world = openIntake([away(), refuses(), away()])
  const held: string[] = []
  const { raise } = world.parts.conditions
  Object.assign(world.parts.conditions, {
    raise: (...fault: Parameters<typeof raise>) => {
      raise(...fault)
      held.push(
        world.conditions
          .list()
          .map(({ code }) => code)
          .join(' '),
      )
    },
  })
  world.intake.start()
  await world.until(world.intake.hasClaimed)
  expect(held).toEqual(['store_unreachable', 'store_refuses_agent', 'store_unreachable'])
  await world.intake.stop()
})

test('stopping does not wait for a long poll', async () => {
  const world = openIntake()
  server.use(http.post(`${URL}/v1/requests/claim`, () => new Promise<Response>(() => {})))
  world.intake.start()
  await systemClock.sleep(20)
  const begun = performance.now()
  await world.intake.stop()
  expect(performance.now() - begun).toBeLessThan(500)
  expect(world.conditions.list()).toEqual([])
})

test('a full agent claims no more, and still renews', async () => {
  const requests = await Promise.all(Array.from({ length: 64 }, async () => claimedOf(await fresh())))
  const world = openIntake([{ requests }])
  world.intake.start()
  await world.claims(3)
  expect(world.seen.claims[1]).toMatchObject({ places: { [DIRECTORY]: 0 }, waitMs: 0 })
  expect(world.seen.claims[1]?.leases).toHaveLength(64)
  expect(world.seen.sleeps).toContain(100)
})
