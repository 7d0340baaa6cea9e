// What a request may cost the store: how much one answer holds, how much is kept of it, and for how long.
import { createHash, randomUUID } from 'node:crypto'
import path from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals'
import { generateKeyPair } from 'jose'
import type { ClaimCall } from '../../src/protocol/agent-calls.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { LARGEST_BODY } from '../../src/protocol/strict-json.ts'
import type { Repository, RequestRecord } from '../../src/reset-store/database/repository.ts'
import { openSqliteRepository } from '../../src/reset-store/database/sqlite-repository.ts'
import { createChanges } from '../../src/reset-store/requests/changes.ts'
import { createClaimRequests } from '../../src/reset-store/requests/claim-requests.ts'
import type { StoreContext } from '../../src/reset-store/requests/store-context.ts'
import { startSweeping } from '../../src/reset-store/requests/sweep.ts'
import { createTakeOutcomes } from '../../src/reset-store/requests/take-outcomes.ts'
import { takeReceipts } from '../../src/reset-store/requests/take-receipts.ts'
import { listVerdicts, readVerdict } from '../../src/reset-store/requests/verdict.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { createMovableClock } from './running-store.ts'
import { accountOf, createAgent, makeAgentKeys, POLICY, SERVER } from './test-agent.ts'

const DAY_MS = 86_400_000
const directory = makeScratchDirectory()
const clock = createMovableClock()
const agent = newId()
const keys = await makeAgentKeys()
const { privateKey } = await generateKeyPair('ES256')
let repository: Repository
let context: StoreContext

beforeEach(async () => {
  repository = openSqliteRepository(path.join(directory, `${randomUUID()}.db`))
  context = {
    ...{ repository, clock, changes: createChanges(), log: silentLogger, store: '0011aabb' },
    ...{ tenant: 'test', signer: { kid: 'none', key: privateKey }, requestLifetimeMs: 300_000 },
  }
  await repository.transaction((records) =>
    records.addAgent({
      ...{ id: agent, name: 'agent-1', identityKey: keys.identity.publicKey, directories: ['corp'] },
      sealingKeys: [{ kid: 'key', statement: 'none' }],
      ...{ enrolledAt: clock.wallMs(), lastSeenAt: clock.wallMs(), revokedAt: null, heartbeat: null },
    }),
  )
})
afterEach(() => repository.close())
afterAll(() => removeScratchDirectory(directory))

async function addSealed(anchor: string = randomUUID(), documentBytes = 4000): Promise<string> {
  const id = newId()
  const now = clock.wallMs()
  await repository.transaction(async (records) => {
    await records.addRequest({
      ...{ id, directory: 'corp', anchor, displayName: 'Ada', operation: 'reset', creator: 'administrator' },
      ...{ options: { unlock: true, mustChangeAtNextSignIn: false }, offeredKeys: ['key'] },
      actor: { kind: 'administrator', name: 'administrator', methods: ['token'], audit: 'none' },
      ...{ createdAt: now, expiresAt: now + 300_000 },
    })
    const request = (await records.findRequest(id)) as RequestRecord
    const sequence = Math.max(now, (await records.lastSequence('corp', anchor)) + 1)
    const document = 'x'.repeat(documentBytes)
    await records.issueRequest(request, { digest: 'none', at: now, keys: ['key'], sequence, document })
  })
  return id
}

const claimCall = (wish: Partial<ClaimCall> = {}): ClaimCall => ({
  ...{ claimId: randomUUID(), leases: [], places: { corp: 64 }, waitMs: 0 },
  ...wish,
})
const live = new AbortController().signal
const verdictOf = (id: string) => readVerdict(context, id, { waitMs: 0, signal: live })
const enrolled = { agent, store: '0011aabb' } as Parameters<typeof createAgent>[2]
const { sign } = createAgent({} as Parameters<typeof createAgent>[0], keys, enrolled, clock.wallMs)

test('a claim answer stays below what an agent reads, and the rest follows', async () => {
  for (let number = 0; number < 64; number += 1) await addSealed(randomUUID(), 26_000)
  const claim = createClaimRequests(context)
  const first = await claim(agent, claimCall(), live)
  expect(Buffer.byteLength(JSON.stringify(first))).toBeLessThan(720_000)
  expect(first.requests.length).toBeGreaterThan(20)
  const leases = first.requests.map(({ request, lease }) => ({ request, lease }))
  const second = await claim(agent, claimCall({ leases }), live)
  expect(second.renewed).toHaveLength(first.requests.length)
  const seen = new Set([...first.requests, ...second.requests].map(({ request }) => request))
  expect(seen.size).toBe(first.requests.length + second.requests.length)
})

test('two thousand open requests of one subject keep the store no half second', async () => {
  const anchor = randomUUID()
  const ids = await Promise.all(Array.from({ length: 2000 }, () => addSealed(anchor, 100)))
  const claim = createClaimRequests(context)
  const before = performance.now()
  const [first, ...more] = (await claim(agent, claimCall(), live)).requests
  expect([first?.request, more]).toEqual([ids[0], []])
  const leases = [{ request: first?.request ?? '', lease: first?.lease ?? 0 }]
  expect((await claim(agent, claimCall({ leases }), live)).requests).toEqual([])
  expect(performance.now() - before).toBeLessThan(500)
})

test('a document of any size is handed out alone', async () => {
  for (let number = 0; number < 2; number += 1) await addSealed(randomUUID(), 800_000)
  expect((await createClaimRequests(context)(agent, claimCall(), live)).requests).toHaveLength(1)
})

test('a request that is handed out again and again keeps a bounded trace, and its verdict the newest stages', async () => {
  const id = await addSealed()
  const claim = createClaimRequests(context)
  const takeOutcomes = createTakeOutcomes(context)
  let newest = 0
  for (let time = 0; time < 60; time += 1) {
    const [claimed] = (await claim(agent, claimCall(), live)).requests
    newest = claimed?.lease ?? 0
    await takeReceipts(context, agent, { receipts: [{ request: id, lease: newest, server: SERVER }] })
  }
  const { stages } = await verdictOf(id)
  expect(stages.map(({ stage }) => stage).slice(0, 2)).toEqual(['created', 'sealed'])
  expect(stages).toHaveLength(20)
  const claimed = { request: id, lease: newest, document: '', earlier: [], last: null }
  const unknowns = Array.from({ length: 60 }, () => sign(claimed, { outcome: 'unknown' }))
  expect((await takeOutcomes(agent, await Promise.all(unknowns))).results).toHaveLength(60)
  const applied = await sign(claimed, { outcome: 'applied' })
  for (let time = 0; time < 2; time += 1)
    expect((await takeOutcomes(agent, [applied])).results).toEqual([{ request: id, result: 'accepted' }])
  expect((await verdictOf(id)).stages.at(-1)?.stage).toBe('closed')
  const digest = (jws: string) => createHash('sha256').update(jws).digest('base64url')
  const kept = await repository.transaction(async (records) => ({
    leases: (await records.listLeases(id)).length,
    receipts: (await records.listReceipts(id)).length,
    outcomes: await records.countOutcomes(id),
    last: await records.findOutcome(id, digest(applied)),
  }))
  expect(kept).toEqual({ leases: 32, receipts: 32, outcomes: 33, last: 'accepted' })
})

test('what an agent was ever handed is not forgotten, however often others get it', async () => {
  const id = await addSealed()
  await repository.transaction(async (records) => {
    for (let number = 1; number <= 100; number += 1) {
      const holder = number === 1 ? 'first' : 'second'
      await records.grantLease(id, { number, agent: holder, claim: 'c', until: 0, at: number })
      await records.addReceipt(id, { lease: number, agent: holder, server: SERVER, at: number, until: 0 })
    }
    expect((await records.listLeases(id)).at(0)).toMatchObject({ agent: 'first', lease: 1 })
    expect((await records.listReceipts(id)).at(0)).toMatchObject({ agent: 'first', lease: 1 })
  })
})

test('what closed more than 30 days ago is purged, save what a subject’s next request must know', async () => {
  const anchor = randomUUID()
  const [old, last] = [await addSealed(anchor), await addSealed(anchor)]
  const alone = await addSealed()
  await repository.transaction(async (records) => {
    for (const id of [old, last]) {
      await records.grantLease(id, { number: 1, agent, claim: 'c', until: 0, at: 1 })
      await records.addReceipt(id, { lease: 1, agent, server: SERVER, at: 1, until: 0 })
      await records.addOutcome(id, { digest: 'd', agent, jws: 'j', result: 'accepted', at: 1 })
    }
    const closing = { outcome: 'applied', agent, server: SERVER, marker: 'm', reason: null } as const
    const told = { notices: [], detail: null, account: null, rule: null, policy: null }
    for (const id of [old, last, alone])
      await records.closeRequest(id, { ...closing, ...told, at: clock.wallMs() }, false)
    const code = { hash: 'h', directories: ['corp'], expiresAt: clock.wallMs() + 1000 }
    await records.addEnrolmentCode({ ...code, lookup: 'used', usedBy: null })
    await records.useEnrolmentCode('used', agent)
    await records.addEnrolmentCode({ ...code, lookup: 'expired', usedBy: null })
    await records.addEnrolmentCode({
      ...code,
      lookup: 'fresh',
      expiresAt: clock.wallMs() + 40 * DAY_MS,
      usedBy: null,
    })
  })
  const look = () =>
    repository.transaction(async (records) => ({
      requests: await Promise.all(
        [old, last, alone].map(async (id) => (await records.findRequest(id)) !== undefined),
      ),
      trace: [
        (await records.listLeases(old)).length,
        (await records.listReceipts(old)).length,
        await records.countOutcomes(old),
      ],
      codes: await Promise.all(
        ['used', 'expired', 'fresh'].map(
          async (lookup) => (await records.findEnrolmentCode(lookup)) !== undefined,
        ),
      ),
    }))
  const all = { requests: [true, true, true], trace: [1, 1, 1], codes: [true, true, true] }
  const sweeping = startSweeping(context)
  await clock.sleep(100, live)
  expect(await look()).toEqual(all)
  clock.advance(29 * DAY_MS)
  await clock.sleep(1200, live)
  expect(await look()).toEqual({ ...all, codes: [false, false, true] })
  clock.advance(1.1 * DAY_MS)
  await clock.sleep(1200, live)
  await sweeping.stop()
  const left = await look()
  expect(left).toEqual({ requests: [false, true, false], trace: [0, 0, 0], codes: [false, false, true] })
  const previous = await repository.transaction((records) => records.findNewest('corp', anchor))
  expect(previous).toMatchObject({ id: last, closing: { marker: 'm' } })
})

test('a request that was refused is purged, too', async () => {
  const anchor = randomUUID()
  const ids = [await addSealed(anchor), await addSealed(anchor)]
  const closing = {
    outcome: 'refused',
    agent,
    server: SERVER,
    marker: null,
    reason: 'account_locked',
  } as const
  const told = { notices: [], detail: null, account: null, rule: null, policy: null }
  await repository.transaction(async (records) => {
    for (const id of ids) {
      await records.addReceipt(id, { lease: 1, agent, server: SERVER, at: 1, until: 0 })
      await records.closeRequest(id, { ...closing, ...told, at: clock.wallMs() }, false)
    }
  })
  clock.advance(31 * DAY_MS)
  const sweeping = startSweeping(context)
  await clock.sleep(1200, live)
  await sweeping.stop()
  const left = await repository.transaction((records) =>
    Promise.all(ids.map((id) => records.findRequest(id))),
  )
  expect(left).toEqual([undefined, undefined])
})

test('a request that ended without a marker does not hide what the one before it left', async () => {
  const anchor = randomUUID()
  const [first, second] = [await addSealed(anchor), await addSealed(anchor)]
  const closing = { outcome: 'applied', agent, server: 'dc2', marker: 'm', reason: null } as const
  const told = { notices: [], detail: null, account: null, rule: null, policy: null, at: clock.wallMs() }
  const previous = await repository.transaction(async (records) => {
    for (const id of [first, second])
      await records.addReceipt(id, { lease: 1, server: 'dc1', agent, at: clock.wallMs(), until: 0 })
    await records.closeRequest(first, { ...closing, ...told }, false)
    await records.closeRequest(second, { ...closing, ...told, outcome: 'expired', marker: null }, false)
    return records.findNewest('corp', anchor)
  })
  expect(previous).toMatchObject({ id: first, closing: { server: 'dc2', marker: 'm' } })
})

test('the list of requests stays below what a caller reads, however much is told of each', async () => {
  const policy = { ...POLICY, name: '東'.repeat(256) }
  const closing = { outcome: 'applied', agent, server: null, marker: null, reason: null } as const
  const told = { notices: [], detail: '東'.repeat(500), rule: null, policy, at: clock.wallMs() }
  for (let number = 0; number < 200; number += 1) {
    const id = await addSealed()
    const account = { ...accountOf(randomUUID()), policy, policyProblem: '東'.repeat(500) }
    await repository.transaction((records) =>
      records.closeRequest(id, { ...closing, ...told, account }, false),
    )
  }
  const listed = await listVerdicts(context)
  expect(listed.length).toBeGreaterThan(50)
  expect(Buffer.byteLength(JSON.stringify({ requests: listed }))).toBeLessThan(LARGEST_BODY)
})

test('a purge goes through many old requests in small batches', async () => {
  const anchor = randomUUID()
  const ids: string[] = []
  for (let number = 0; number < 250; number += 1) ids.push(await addSealed(anchor))
  clock.advance(300_001)
  const sweeping = startSweeping(context)
  await clock.sleep(200, live)
  clock.advance(31 * DAY_MS)
  await clock.sleep(2500, live)
  await sweeping.stop()
  const left = await repository.transaction((records) => records.listRequests(1000))
  expect(left).toEqual([])
})
