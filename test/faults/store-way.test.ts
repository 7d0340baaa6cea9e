// The way to the store, with a real store behind it: whatever comes back, each request ends once and true.
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { isPasswordWrite, passwordWrites } from '../e2e/password-writes.ts'
import { laterPassword, newPassword, oldPassword } from '../servers/canaries.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { type StoreFault, type StoreProxy, startStoreProxy } from '../servers/store-proxy.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'

const CLAIM = '/requests/claim'
const RECEIPTS = '/requests/receipts'
const OUTCOMES = '/outcomes'
let world: World<'openldap'>
let proxy: LdapProxy
let way: StoreProxy
let users = 0

beforeAll(async () => {
  way = await startStoreProxy()
  world = await startWorld({ kind: 'openldap', agentEnv: { HTTPS_PROXY: way.url } })
  proxy = world.proxy as LdapProxy
}, 60_000)
afterEach(() => proxy.forget())
afterAll(async () => {
  await world.stop()
  await way.stop()
})

const newUser = (): Promise<WorldUser> => {
  users += 1
  return world.createUser({ name: `way${users}` })
}

async function expectOnce(user: WorldUser, request: string): Promise<void> {
  expect(await world.verdict(request, 40_000)).toMatchObject({ outcome: 'applied' })
  expect(passwordWrites(proxy, user)).toEqual({ sent: 1, accepted: 1 })
}

interface Handed {
  readonly request: string
  readonly lease: number
}
type ClaimText = { requests: Handed[] } & Record<string, unknown>

/** The answer that handed out a request for the first time. */
function handOut(request: string): Handed {
  for (const { path, answer } of way.calls()) {
    const found = path.endsWith(CLAIM) && answer !== '' ? (JSON.parse(answer) as ClaimText).requests : []
    const one = found?.find((handed) => handed.request === request)
    if (one) return one
  }
  throw new Error('it was not handed out')
}

/** A fault that hands out these besides what the store does. */
const handOutAgain = (...again: readonly Handed[]): StoreFault => ({
  kind: 'edit',
  edit: (text) => {
    const answer = JSON.parse(text) as ClaimText
    return JSON.stringify({ ...answer, requests: [...answer.requests, ...again] })
  },
})

const STATUSES = [401, 403, 404, 409, 410, 413, 429, 500, 503] as const
test.each([CLAIM, RECEIPTS, OUTCOMES])(
  'whatever status %s is answered with, requests wait and are applied once [store_401, store_403, store_404, store_409, store_410, store_413, store_429, store_500, store_503]',
  async (path) => {
    // Side by side: each answer costs a growing wait.
    const people: WorldUser[] = []
    for (let count = 0; count < 3; count += 1) people.push(await newUser())
    const rules = STATUSES.map((status) => way.onCall(path, { kind: 'status', status }))
    way.endAll()
    const requests = await Promise.all(people.map((user) => world.ask(user, newPassword())))
    for (const [index, user] of people.entries()) {
      expect(await world.verdict(requests[index] as string, 90_000)).toMatchObject({ outcome: 'applied' })
      expect(passwordWrites(proxy, user)).toEqual({ sent: 1, accepted: 1 })
    }
    expect(rules.map((rule) => rule.hits())).toEqual(STATUSES.map(() => 1))
  },
  120_000,
)

test.each<[string, string, StoreFault]>([
  ['claim that is cut', CLAIM, { kind: 'truncate' }],
  ['claim that never comes', CLAIM, { kind: 'drop-answer' }],
  ['receipt that is cut', RECEIPTS, { kind: 'truncate' }],
  ['receipt that never comes', RECEIPTS, { kind: 'drop-answer' }],
  ['outcome that is cut', OUTCOMES, { kind: 'truncate' }],
  ['outcome that never comes', OUTCOMES, { kind: 'drop-answer' }],
  ['outcome that drips', OUTCOMES, { kind: 'drip', everyMs: 40 }],
])(
  'the answer to a %s: applied, with one write [truncated_json, slow_body, outcome_answer_lost]',
  async (_, path, fault) => {
    const user = await newUser()
    const rule = way.onCall(path, fault)
    if (path === CLAIM) way.endAll()
    const request = await world.ask(user, newPassword())
    await expectOnce(user, request)
    const end = performance.now() + 20_000
    while (rule.hits() === 0 && performance.now() < end) await sleep(50)
    expect(rule.hits()).toBe(1)
  },
  60_000,
)

test('an outcome whose answer was lost is delivered again, byte by byte the same [outcome_answer_lost]', async () => {
  const user = await newUser()
  await untilDelivered()
  const from = way.calls().length
  way.onCall(OUTCOMES, { kind: 'drop-answer' }, 3)
  const request = await world.ask(user, newPassword())
  await expectOnce(user, request)
  const sent = () =>
    way
      .calls()
      .slice(from)
      .filter(({ path }) => path.endsWith(OUTCOMES))
      .flatMap(({ body }) => (JSON.parse(body) as { outcomes: string[] }).outcomes)
      .filter((outcome) => aboutWhom(outcome) === request)
  const end = performance.now() + 20_000
  while (sent().length < 4 && performance.now() < end) await sleep(50)
  expect(sent().length).toBeGreaterThanOrEqual(4)
  expect(new Set(sent()).size).toBe(1)
}, 60_000)

const aboutWhom = (outcome: string): unknown =>
  (JSON.parse(Buffer.from(outcome.split('.')[1] ?? '', 'base64url').toString()) as { request: unknown })
    .request

/** What an earlier test lost comes again, and would meet this one's faults. */
async function untilDelivered(): Promise<void> {
  const end = performance.now() + 20_000
  for (;;) {
    const { json } = await world.ops('/status')
    if ((json as { requests: { undelivered: number } }).requests.undelivered === 0) return
    if (performance.now() > end) throw new Error('an outcome of an earlier test is not delivered')
    await sleep(50)
  }
}

test('a request that is handed out again while it is worked on and after it ended is written once [duplicate_delivery]', async () => {
  const user = await newUser()
  const slow = proxy.onRequest(isPasswordWrite, { kind: 'delay-response', ms: 1_000 })
  const request = await world.ask(user, newPassword())
  await slow.hit
  const handed = handOut(request)
  const rule = way.onCall(CLAIM, handOutAgain(handed, handed), 2)
  way.endAll()
  await expectOnce(user, request)
  way.onCall(CLAIM, handOutAgain(handed), 2)
  way.endAll()
  await sleep(1_500)
  expect(rule.hits()).toBe(2)
  expect(passwordWrites(proxy, user)).toEqual({ sent: 1, accepted: 1 })
}, 60_000)

test('old requests that arrive again, newest first, after a newer one change nothing [reordered_delivery, older_after_newer]', async () => {
  const user = await newUser()
  const requests: string[] = []
  for (const password of [newPassword(), laterPassword(), Buffer.from('Canary-Third!11-aAaa')]) {
    requests.push(await world.ask(user, password))
    expect(await world.verdict(requests.at(-1) as string, 40_000)).toMatchObject({ outcome: 'applied' })
  }
  const [first, second] = requests.map(handOut) as [Handed, Handed]
  // With leases that were never given: as if the store had been put back.
  const again = [second, first].map((one) => ({ ...one, lease: one.lease + 100_000 }))
  const rule = way.onCall(CLAIM, handOutAgain(...again), 2)
  const end = performance.now() + 30_000
  while (rule.hits() < 2 && performance.now() < end) {
    way.endAll()
    await sleep(1_000)
  }
  expect(rule.hits()).toBe(2)
  expect(passwordWrites(proxy, user)).toEqual({ sent: 3, accepted: 3 })
  expect(await world.domain.canBind(user.principal, Buffer.from('Canary-Third!11-aAaa'))).toBe(true)
}, 60_000)

test('a lease that the store no longer renews stops the work before its write [lease_lost]', async () => {
  const user = await newUser()
  way.onCall(RECEIPTS, {
    kind: 'edit',
    edit: (text) => text.replaceAll('"accepted"', '"lease_lost"'),
  })
  const request = await world.ask(user, newPassword())
  await expectOnce(user, request)
  const receipts = way.calls().filter(({ path, body }) => path.endsWith(RECEIPTS) && body.includes(request))
  expect(receipts.length).toBeGreaterThanOrEqual(2)
}, 60_000)

test('a proxy that suddenly wants credentials makes requests wait [proxy_407]', async () => {
  const user = await newUser()
  const refused = way.wantCredentials(3)
  way.endAll()
  const request = await world.ask(user, newPassword())
  await expectOnce(user, request)
  expect(refused.hits()).toBe(3)
}, 60_000)

test('a name of the store that cannot be resolved makes the agent wait, and requests are written once it can [dns_failure]', async () => {
  const user = await newUser()
  const config = readFileSync(world.agentConfigFile, 'utf8')
  await world.agent.stop()
  // Reached past the proxy, which resolves names by itself.
  const nowhere = config.replace(world.storeUrl, 'https://reset.invalid')
  writeFileSync(world.agentConfigFile, nowhere)
  const request = await world.ask(user, newPassword())
  await expect(world.agent.start()).rejects.toThrow('does not start')
  expect(world.agent.output()).toMatch(/ERR_STORE_UNREACHABLE/)
  expect(passwordWrites(proxy, user).sent).toBe(0)
  writeFileSync(world.agentConfigFile, config)
  await world.agent.start()
  await expectOnce(user, request)
}, 60_000)

test('an agent that is revoked in the middle of its work writes nothing more [agent_revoked]', async () => {
  const user = await newUser()
  await proxy.refuseConnections()
  proxy.disconnectAll()
  const request = await world.ask(user, newPassword())
  await sleep(500)
  expect((await world.admin('revokeAgent', undefined, { id: world.agent.id })).status).toBe(204)
  await sleep(500)
  await proxy.acceptConnections()
  expect(await world.verdict(request, 4_000)).toMatchObject({ outcome: null })
  expect(passwordWrites(proxy, user).sent).toBe(0)
  expect(await world.domain.canBind(user.principal, oldPassword())).toBe(true)
  const { json } = await world.ops('/status')
  expect(JSON.stringify(json)).toContain('store_refuses_agent')
}, 60_000)
