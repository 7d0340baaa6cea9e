// The rules of a request's life: sealing, leases, receipts, outcomes, and what time alone decides.
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { sealPasswords } from '../../src/protocol/sealed-password.ts'
import { importPublicKey } from '../../src/protocol/signed-message.ts'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'
import { createMovableClock, sealFor, startStore } from './running-store.ts'
import { claimOne, enrolAgent, makeAgentKeys, SERVER, type TestAgent } from './test-agent.ts'

const OTHER_SERVER = '0b0b0b0b-1111-4222-8333-444444444444'
const MARKER = 'wb1:0011aabb:1:00000000000000000000000000000000:a:1.1:2'
const data = makeScratchDirectory()
const clock = createMovableClock()
let store: Awaited<ReturnType<typeof startStore>>
let agent: TestAgent
let other: TestAgent

beforeAll(async () => {
  store = await startStore(data, { clock })
  agent = await enrolAgent(store, { name: 'agent-1', now: clock.wallMs })
  other = await enrolAgent(store, { name: 'agent-2', now: clock.wallMs })
})
afterEach(async () => {
  // Nothing of one test is claimed by the next.
  clock.advance(400_000)
  for (const one of [agent, other]) await one.claim({ places: 0 })
})
afterAll(async () => {
  await store.store.stop()
  rmSync(data, { recursive: true, force: true })
})

async function addUser(): Promise<string> {
  const anchor = randomUUID()
  const user = { name: `user-${anchor}`, displayName: 'Ada', directory: 'corp', anchor }
  expect((await store.admin('addUser', user)).status).toBe(201)
  return anchor
}

async function create(anchor: string, options: object = {}) {
  const call = { directory: 'corp', operation: 'reset', options }
  const answer = await store.admin('createRequest', call, { anchor })
  expect(answer.status).toBe(201)
  return answer.json
}

async function ask(anchor: string, password = 'new password 1'): Promise<string> {
  const created = await create(anchor)
  const answer = await store.admin('seal', await sealFor(created, password), { id: created.request })
  expect(answer.status).toBe(200)
  return created.request
}

const verdictOf = async (id: string) => (await store.admin('verdict', undefined, { id })).json
const codeOf = async (answer: Promise<{ status: number; json: { code?: string } }>) => {
  const { status, json } = await answer
  return [status, json.code]
}

test('a value is sealed once: the same again is answered, another is refused', async () => {
  const created = await create(await addUser())
  const id = created.request
  const sealed = await sealFor(created, 'first')
  for (let time = 0; time < 2; time += 1)
    expect((await store.admin('seal', sealed, { id })).json).toEqual({ request: id, state: 'waiting' })
  expect(await codeOf(store.admin('seal', await sealFor(created, 'second'), { id }))).toEqual([
    409,
    'already_sealed',
  ])
})

test('a value sealed for something else, or to a key that was not offered, is refused', async () => {
  const created = await create(await addUser())
  const id = created.request
  const wrong = [
    { ...created, anchor: randomUUID() },
    { ...created, expiresAt: created.expiresAt + 1 },
    { ...created, directory: 'elsewhere' },
    { ...created, request: '01997e4e-0000-7000-8000-000000000000' },
  ]
  for (const bound of wrong)
    expect(await codeOf(store.admin('seal', await sealFor(bound, 'x'), { id }))).toEqual([
      422,
      'sealed_invalid',
    ])
  const { sealing } = await makeAgentKeys()
  const stranger = { kid: sealing.publicKey.kid, key: await importPublicKey(sealing.publicKey) }
  const { operation, anchor, directory, expiresAt } = created
  const to = { requestId: id, operation, anchor, directory, expiresAt }
  const sealed = await sealPasswords([Buffer.from('x')], to, [stranger])
  expect(await codeOf(store.admin('seal', sealed, { id }))).toEqual([422, 'sealed_invalid'])
})

test('an unsealed request is never handed out, blocks nothing, and ends expired', async () => {
  const anchor = await addUser()
  const created = await create(anchor)
  const sealedLater = await ask(anchor)
  expect((await claimOne(agent)).request).toBe(sealedLater)
  clock.advance(300_000)
  const verdict = await verdictOf(created.request)
  expect(verdict).toMatchObject({ state: 'closed', outcome: 'expired' })
  const answer = store.admin('seal', await sealFor(created, 'late'), { id: created.request })
  expect(await codeOf(answer)).toEqual([409, 'request_closed'])
})

test('a request begins for known users, with options it has, and while an agent is awake', async () => {
  const anchor = await addUser()
  const begin = (operation: string, at = anchor, options = {}) =>
    codeOf(store.admin('createRequest', { directory: 'corp', operation, options }, { anchor: at }))
  for (const operation of ['change', 'unlock', 'inspect'])
    expect(await begin(operation, anchor, { unlock: true })).toEqual([400, 'body_invalid'])
  expect(await begin('reset', randomUUID())).toEqual([404, 'user_not_found'])
  expect(await begin('reset', anchor, { color: 'red' })).toEqual([400, 'body_invalid'])
  clock.advance(121_000)
  expect(await begin('reset')).toEqual([503, 'no_agent'])
  await other.claim({ places: 0 })
  const created = await create(anchor)
  expect(created.agents.map((one: { agent: string }) => one.agent)).toEqual(['agent-2'])
})

test('of one subject only the oldest request is out, and the next follows with what the last one left', async () => {
  const anchor = await addUser()
  const first = await ask(anchor)
  const second = await ask(anchor)
  const claimed = await claimOne(agent)
  expect(claimed.request).toBe(first)
  expect((await other.claim()).requests).toEqual([])
  expect(await agent.receipt(first, claimed.lease)).toBe('accepted')
  const waiting = other.claim({ waitMs: 5000 })
  expect(await agent.report(await agent.sign(claimed, { outcome: 'applied', marker: MARKER }))).toEqual([
    'accepted',
  ])
  const [next] = (await waiting).requests
  expect(next).toMatchObject({
    request: second,
    earlier: [],
    last: { server: SERVER, marker: MARKER, settled: true },
  })
  if (!next) throw new Error('nothing followed')
  const [one, two] = await Promise.all([agent.open(claimed), other.open(next)])
  expect(two.document.sequence).toBeGreaterThan(one.document.sequence)
})

test('the same claim again gets the same leases, another claim lapses what it does not name', async () => {
  const id = await ask(await addUser())
  const claimId = randomUUID()
  const first = await claimOne(agent, { claimId })
  expect(await agent.receipt(id, first.lease)).toBe('accepted')
  // A receipt under the lease itself is not an earlier one.
  expect(await claimOne(agent, { claimId })).toEqual(first)
  const named = await agent.claim({ leases: [{ request: id, lease: first.lease }] })
  expect(named).toMatchObject({ renewed: [{ request: id, lease: first.lease }], requests: [] })
  const again = await claimOne(agent, { leases: [{ request: id, lease: first.lease - 1 }] })
  expect(again.lease).toBeGreaterThan(first.lease)
  expect(await agent.receipt(id, first.lease)).toBe('lease_lost')
})

test('a lease ends after 30 s without a claim, and the request goes to another agent with its earlier receipt', async () => {
  const id = await ask(await addUser())
  const first = await claimOne(agent)
  expect(await agent.receipt(id, first.lease)).toBe('accepted')
  clock.advance(20_000)
  expect(
    (await agent.claim({ leases: [{ request: id, lease: first.lease }], places: 0 })).renewed,
  ).toHaveLength(1)
  clock.advance(20_000)
  expect((await other.claim()).requests).toEqual([])
  clock.advance(10_001)
  const second = await claimOne(other)
  expect(second.lease).toBeGreaterThan(first.lease)
  expect(second.earlier).toEqual([{ agent: agent.id, server: SERVER }])
  expect(await agent.receipt(id, first.lease)).toBe('lease_lost')
  expect((await agent.claim({ leases: [{ request: id, lease: first.lease }], places: 0 })).renewed).toEqual(
    [],
  )
})

test('a receipt holds for one server, is answered the same again, and a second server is one more receipt', async () => {
  const id = await ask(await addUser())
  const claimed = await claimOne(agent)
  expect(await other.receipt(id, claimed.lease)).toBe('lease_lost')
  expect(await agent.receipt(id, claimed.lease + 1)).toBe('lease_lost')
  for (const server of [SERVER, SERVER, OTHER_SERVER])
    expect(await agent.receipt(id, claimed.lease, server)).toBe('accepted')
  expect(await agent.receipt('01997e4e-0000-7000-8000-000000000000', 1)).toBe('lease_lost')
  const next = await claimOne(agent)
  expect(next.earlier).toEqual([SERVER, OTHER_SERVER].map((server) => ({ agent: agent.id, server })))
})

test('without a receipt a request ends expired by the store, and a later outcome is evidence', async () => {
  const id = await ask(await addUser())
  const claimed = await claimOne(agent)
  clock.advance(300_001)
  expect(await agent.receipt(id, claimed.lease)).toBe('lease_lost')
  expect(await verdictOf(id)).toMatchObject({ outcome: 'expired' })
  expect(await agent.report(await agent.sign(claimed, { outcome: 'expired' }))).toEqual(['accepted'])
  expect(await agent.report(await agent.sign(claimed, { outcome: 'applied' }))).toEqual(['outcome_closed'])
  expect(await verdictOf(id)).toMatchObject({ outcome: 'expired' })
})

test('after a receipt it can be claimed until 60 s after expiry, then it is unknown, which is replaced once', async () => {
  const id = await ask(await addUser())
  const first = await claimOne(agent)
  expect(await agent.receipt(id, first.lease)).toBe('accepted')
  clock.advance(359_000)
  expect(await verdictOf(id)).toMatchObject({ state: 'in_progress', outcome: null })
  const second = await claimOne(other)
  expect(await other.receipt(id, second.lease)).toBe('lease_lost')
  clock.advance(2_000)
  expect(await verdictOf(id)).toMatchObject({ state: 'closed', outcome: 'unknown' })
  expect((await other.claim()).requests).toEqual([])
  const unknown = await agent.sign(first, { outcome: 'unknown', detail: 'changes nothing' })
  expect(await agent.report(unknown)).toEqual(['accepted'])
  expect(await verdictOf(id)).toMatchObject({ outcome: 'unknown', detail: null })
  const applied = await other.sign(second, { outcome: 'applied' })
  expect(await other.report(applied)).toEqual(['accepted'])
  expect(await verdictOf(id)).toMatchObject({ outcome: 'applied' })
  expect(await agent.report(await agent.sign(first, { outcome: 'superseded' }))).toEqual(['outcome_closed'])
  expect(await other.report(applied)).toEqual(['accepted'])
})

test('the first terminal outcome closes; the same bytes are accepted for ever, others are kept as evidence', async () => {
  const id = await ask(await addUser())
  const claimed = await claimOne(agent)
  const refused = await agent.sign(claimed, {
    outcome: 'refused',
    reason: 'password_policy',
    detail: '0000052D',
  })
  const different = await agent.sign(claimed, { outcome: 'applied' })
  expect(await agent.report(refused, refused, different)).toEqual(['accepted', 'accepted', 'outcome_closed'])
  expect(await agent.report(different, refused)).toEqual(['outcome_closed', 'accepted'])
  expect(await verdictOf(id)).toMatchObject({
    outcome: 'refused',
    reason: 'password_policy',
    detail: '0000052D',
  })
  expect((await agent.claim({ leases: [{ request: id, lease: claimed.lease }] })).renewed).toEqual([])
})

test('an old refusal does not close what another agent is writing, and its own answer stays the same', async () => {
  for (const fields of [
    { outcome: 'refused', reason: 'password_policy' },
    { outcome: 'failed', reason: 'internal' },
    { outcome: 'expired' },
    { outcome: 'superseded' },
  ] as const) {
    const id = await ask(await addUser())
    const first = await claimOne(agent)
    expect(await agent.receipt(id, first.lease)).toBe('accepted')
    const stale = await agent.sign(first, fields)
    clock.advance(30_001)
    const second = await claimOne(other)
    expect(await other.receipt(id, second.lease)).toBe('accepted')
    expect(await agent.report(stale, stale)).toEqual(['outcome_closed', 'outcome_closed'])
    expect(await verdictOf(id)).toMatchObject({ state: 'in_progress', outcome: null })
    expect(await other.report(await other.sign(second, { outcome: 'applied' }))).toEqual(['accepted'])
    expect(await verdictOf(id)).toMatchObject({ outcome: 'applied' })
    expect(await agent.report(stale)).toEqual(['outcome_closed'])
  }
})

test('an old refusal closes what was handed on but not begun, and an old success closes always', async () => {
  for (const fields of [{ outcome: 'refused', reason: 'password_policy' }, { outcome: 'applied' }] as const) {
    const id = await ask(await addUser())
    const first = await claimOne(agent)
    expect(await agent.receipt(id, first.lease)).toBe('accepted')
    clock.advance(30_001)
    const second = await claimOne(other)
    if (fields.outcome === 'applied') expect(await other.receipt(id, second.lease)).toBe('accepted')
    expect(await agent.report(await agent.sign(first, fields))).toEqual(['accepted'])
    expect(await verdictOf(id)).toMatchObject({ outcome: fields.outcome })
  }
})

test('an agent that is done with an open request is not handed it again; another one settles it', async () => {
  const id = await ask(await addUser())
  const first = await claimOne(agent)
  clock.advance(30_001)
  const second = await claimOne(other)
  expect(await other.receipt(id, second.lease)).toBe('accepted')
  const stale = await agent.sign(first, { outcome: 'refused', reason: 'password_policy' })
  expect(await agent.report(stale)).toEqual(['outcome_closed'])
  clock.advance(30_001)
  expect((await agent.claim()).requests).toEqual([])
  expect((await claimOne(other)).request).toBe(id)
})

test('an old refusal does not replace the unknown of a newer writer', async () => {
  const id = await ask(await addUser())
  const first = await claimOne(agent)
  expect(await agent.receipt(id, first.lease)).toBe('accepted')
  clock.advance(30_001)
  const second = await claimOne(other)
  expect(await other.receipt(id, second.lease)).toBe('accepted')
  expect(await other.report(await other.sign(second, { outcome: 'unknown' }))).toEqual(['accepted'])
  const stale = await agent.sign(first, { outcome: 'refused', reason: 'password_policy' })
  expect(await agent.report(stale)).toEqual(['outcome_closed'])
  expect(await verdictOf(id)).toMatchObject({ outcome: 'unknown' })
  expect(await other.report(await other.sign(second, { outcome: 'superseded' }))).toEqual(['accepted'])
  expect(await verdictOf(id)).toMatchObject({ outcome: 'superseded' })
})

test('an outcome that does not fit fails its whole call, one of a stranger is not found', async () => {
  const id = await ask(await addUser())
  const claimed = await claimOne(agent)
  const good = await agent.sign(claimed, { outcome: 'applied' })
  const wrong = [
    await agent.sign(claimed, { outcome: 'applied', store: '00000000' }),
    await agent.sign(claimed, { outcome: 'applied', agent: other.id }),
    await agent.sign(claimed, { outcome: 'applied', directory: 'elsewhere' }),
    await other.sign(claimed, { outcome: 'applied', agent: agent.id }),
    `${good.slice(0, -4)}AAAA`,
  ]
  for (const bad of wrong) await expect(agent.report(good, bad)).rejects.toThrow('outcome_invalid')
  expect(await verdictOf(id)).toMatchObject({ outcome: null })
  expect(await other.report(await other.sign(claimed, { outcome: 'applied' }))).toEqual(['request_not_found'])
  const nowhere = { ...claimed, request: '01997e4e-0000-7000-8000-000000000000' }
  expect(await agent.report(await agent.sign(nowhere, { outcome: 'applied' }))).toEqual(['request_not_found'])
  expect(await agent.report(good)).toEqual(['accepted'])
})

test('an unsettled request leaves its server to the subject’s next one', async () => {
  const anchor = await addUser()
  const first = await claimOne(agent, { claimId: (await ask(anchor)) && randomUUID() })
  expect(await agent.receipt(first.request, first.lease)).toBe('accepted')
  expect(await agent.report(await agent.sign(first, { outcome: 'unknown', marker: MARKER }))).toEqual([
    'accepted',
  ])
  await ask(anchor)
  const refused = await claimOne(other)
  expect(refused.last).toEqual({ server: SERVER, marker: MARKER, settled: false, others: [] })
  // What wrote nothing, elsewhere, does not hide it.
  expect(await other.receipt(refused.request, refused.lease)).toBe('accepted')
  const ending = { outcome: 'refused', reason: 'account_locked', server: randomUUID(), marker: null } as const
  expect(await other.report(await other.sign(refused, ending))).toEqual(['accepted'])
  await ask(anchor)
  expect((await claimOne(other)).last).toEqual({
    ...{ server: SERVER, marker: MARKER, settled: false, others: [] },
  })
})

test('of a request that was taken over, every server that may still write it is told to the next one', async () => {
  const anchor = await addUser()
  const first = await ask(anchor)
  const begun = await claimOne(agent)
  expect(await agent.receipt(first, begun.lease)).toBe('accepted')
  clock.advance(31_000)
  const taken = await claimOne(other)
  expect(await other.receipt(first, taken.lease, OTHER_SERVER)).toBe('accepted')
  clock.advance(400_000)
  await other.claim({ places: 0 })
  expect(await verdictOf(first)).toMatchObject({ outcome: 'unknown' })
  await ask(anchor)
  expect((await claimOne(other)).last).toEqual({
    ...{ server: OTHER_SERVER, marker: null, settled: false, others: [SERVER] },
  })
})

test('a request that waited for its agent hears of a newer one that was written meanwhile', async () => {
  const anchor = await addUser()
  const created = await create(anchor)
  const toFirst = created.agents.filter((one: { agent: string }) => one.agent === 'agent-1')
  const sealed = await sealFor({ ...created, agents: toFirst }, 'new password 1')
  expect((await store.admin('seal', sealed, { id: created.request })).status).toBe(200)
  const begun = await claimOne(agent)
  expect(await agent.receipt(begun.request, begun.lease)).toBe('accepted')
  clock.advance(31_000)
  await ask(anchor)
  const newer = await claimOne(other)
  expect(await other.receipt(newer.request, newer.lease, OTHER_SERVER)).toBe('accepted')
  const ending = { outcome: 'applied', server: OTHER_SERVER, marker: MARKER } as const
  expect(await other.report(await other.sign(newer, ending))).toEqual(['accepted'])
  const again = await claimOne(agent)
  expect(again).toMatchObject({
    request: created.request,
    last: { server: OTHER_SERVER, marker: MARKER, settled: true, others: [] },
  })
})

test('a clock of the store that once stood far ahead does not shut out later requests', async () => {
  const anchor = await addUser()
  clock.advance(3_600_000)
  await other.claim({ places: 0 })
  await ask(anchor)
  const ahead = await claimOne(other)
  expect(await other.receipt(ahead.request, ahead.lease)).toBe('accepted')
  expect(await other.report(await other.sign(ahead, { outcome: 'failed', reason: 'clock_skew' }))).toEqual([
    'accepted',
  ])
  clock.advance(-3_600_000)
  await ask(anchor)
  const { document } = await other.open(await claimOne(other))
  expect(document.sequence).toBeLessThanOrEqual(clock.wallMs())
  // What may have been written under such a number keeps its place.
  clock.advance(3_600_000)
  await other.claim({ places: 0 })
  const written = await addUser()
  await ask(written)
  const applied = await claimOne(other)
  expect(await other.receipt(applied.request, applied.lease)).toBe('accepted')
  expect(await other.report(await other.sign(applied, { outcome: 'applied', marker: MARKER }))).toEqual([
    'accepted',
  ])
  clock.advance(-3_600_000)
  await ask(written)
  const next = await other.open(await claimOne(other))
  expect(next.document.sequence).toBeGreaterThan(clock.wallMs() + 3_500_000)
})

test('while paused only what has a receipt is handed out, and whoever waits hears of a change at once', async () => {
  const begun = await ask(await addUser())
  const claimed = await claimOne(agent)
  expect(await agent.receipt(begun, claimed.lease)).toBe('accepted')
  expect((await store.admin('setPause', { paused: true })).json).toEqual({ paused: true })
  const fresh = await ask(await addUser())
  const settling = await other.claim()
  expect(settling).toMatchObject({ paused: true, requests: [] })
  clock.advance(30_001)
  expect((await claimOne(other)).request).toBe(begun)
  expect((await agent.claim({ waitMs: 10_000 })).paused).toBe(true)
  const waitBegun = performance.now()
  const waiting = agent.claim({ waitMs: 10_000 })
  await new Promise((resolve) => setTimeout(resolve, 100))
  await store.admin('setPause', { paused: false })
  const answer = await waiting
  expect(answer.paused).toBe(false)
  expect(performance.now() - waitBegun).toBeLessThan(5000)
  // On a busy host the claim may begin only after the change; then it has the request already.
  const [claimedNow = await claimOne(agent)] = answer.requests
  expect(claimedNow.request).toBe(fresh)
})

test('a pause that came between two claims of an agent is heard at once', async () => {
  expect((await agent.claim()).paused).toBe(false)
  await store.admin('setPause', { paused: true })
  const begun = performance.now()
  expect((await agent.claim({ waitMs: 10_000 })).paused).toBe(true)
  expect(performance.now() - begun).toBeLessThan(5000)
  await store.admin('setPause', { paused: false })
  await agent.claim()
})

test('a server that is declared gone is told to every agent, at once to one that waits', async () => {
  const gone = randomUUID()
  const parameters = { id: gone }
  const waiting = agent.claim({ waitMs: 10_000 })
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect((await store.admin('declareServer', { gone: true }, parameters)).json).toEqual({ servers: [gone] })
  expect((await store.admin('declareServer', { gone: true }, parameters)).json).toEqual({ servers: [gone] })
  expect((await waiting).goneServers).toEqual([gone])
  expect((await other.claim()).goneServers).toEqual([gone])
  expect((await store.admin('listGoneServers')).json).toEqual({ servers: [gone] })
  expect((await store.admin('declareServer', { gone: false }, parameters)).json).toEqual({ servers: [] })
  expect((await agent.claim()).goneServers).toEqual([])
  const wrong = await store.admin('declareServer', { gone: true }, { id: 'dc1' })
  expect([wrong.status, wrong.json]).toMatchObject([400, { code: 'call_invalid' }])
})

test('two agents that race for the work never hold the same subject', async () => {
  const anchors = await Promise.all(Array.from({ length: 6 }, addUser))
  const asked = (await Promise.all([...anchors, ...anchors, ...anchors].map((anchor) => ask(anchor)))).length
  let carried = 0
  const out = new Set<string>()
  async function carry(one: TestAgent): Promise<void> {
    while (carried < asked) {
      const { requests } = await one.claim({ places: 2, waitMs: 200 })
      const documents = await Promise.all(requests.map((claimed) => one.open(claimed)))
      for (const { document } of documents) {
        expect(out.has(document.subject.anchor)).toBe(false)
        out.add(document.subject.anchor)
      }
      const outcomes = await Promise.all(requests.map((claimed) => one.sign(claimed, { outcome: 'applied' })))
      for (const { document } of documents) out.delete(document.subject.anchor)
      carried += requests.length
      if (outcomes.length > 0) expect(await one.report(...outcomes)).toEqual(outcomes.map(() => 'accepted'))
    }
  }
  await Promise.all([carry(agent), carry(other)])
  expect(carried).toBe(asked)
})

test('a newer claim of the same agent ends the one that waits', async () => {
  const begun = performance.now()
  const waiting = agent.claim({ waitMs: 10_000 })
  await new Promise((resolve) => setTimeout(resolve, 100))
  await agent.claim({ places: 0 })
  expect((await waiting).requests).toEqual([])
  expect(performance.now() - begun).toBeLessThan(3000)
})

test('a caller who hangs up while it waits is handed nothing', async () => {
  const gone = new AbortController()
  const call = { claimId: randomUUID(), leases: [], places: { corp: 5 }, waitMs: 10_000 }
  const hangingUp = expect(agent.call('claim', call, gone.signal)).rejects.toThrow()
  await new Promise((resolve) => setTimeout(resolve, 150))
  gone.abort()
  await hangingUp
  await new Promise((resolve) => setTimeout(resolve, 150))
  const id = await ask(await addUser())
  expect((await claimOne(other, { waitMs: 2000 })).request).toBe(id)
})

test('revoking an agent ends its waiting claim and its leases at once [agent_revoked]', async () => {
  const third = await enrolAgent(store, { name: 'agent-3', now: clock.wallMs })
  await Promise.all([agent.claim({ places: 0 }), other.claim({ places: 0 })])
  const id = await ask(await addUser())
  const held = await claimOne(third)
  const waiting = third.claim({ leases: [{ request: id, lease: held.lease }], waitMs: 10_000 })
  const refused = expect(waiting).rejects.toThrow('credential_refused')
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect((await store.admin('revokeAgent', undefined, { id: third.id })).status).toBe(204)
  await refused
  await expect(third.claim()).rejects.toThrow('credential_refused')
  expect((await claimOne(agent)).request).toBe(id)
  const { agents } = (await store.admin('listAgents')).json
  expect(agents.map(({ state }: { state: string }) => state)).toEqual(['active', 'active', 'revoked'])
  expect(await codeOf(store.admin('revokeAgent', undefined, { id: 'nobody' }))).toEqual([
    404,
    'agent_not_found',
  ])
})
