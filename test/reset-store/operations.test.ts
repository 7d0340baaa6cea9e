// What differs between the operations at the store: what is sealed, what has a place in the order, what an inspect
// leaves behind; and who a request is asked for, and which policies an agent published.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { ClaimedRequest } from '../../src/protocol/agent-calls.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { runCommand } from '../servers/child-process.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { createMovableClock, sealFor, startStore } from './running-store.ts'
import { accountOf, claimOne, enrolAgent, POLICY, type TestAgent } from './test-agent.ts'

const data = makeScratchDirectory()
const clock = createMovableClock()
const logged: { level: string; message: string; fields: object | undefined }[] = []
const note = (level: string) => (message: string, fields?: object) =>
  void logged.push({ level, message, fields })
const log: Logger = {
  ...{ error: note('error'), warn: note('warn'), info: note('info'), debug: note('debug') },
  child: () => log,
}
let store: Awaited<ReturnType<typeof startStore>>
let agent: TestAgent
let other: TestAgent

beforeAll(async () => {
  store = await startStore(data, { clock, log })
  // Named twice, a directory is served once.
  const directories = ['corp', 'lab', 'corp']
  agent = await enrolAgent(store, { name: 'agent-1', directories, now: clock.wallMs })
  other = await enrolAgent(store, { name: 'agent-2', now: clock.wallMs })
})
afterEach(async () => {
  clock.advance(400_000)
  for (const one of [agent, other]) await one.claim({ places: 0 })
})
afterAll(async () => {
  await store.store.stop()
  await removeScratchDirectory(data)
})

async function addUser(directory = 'corp'): Promise<string> {
  const anchor = randomUUID()
  const user = { name: `user-${anchor}`, displayName: 'Ada', directory, anchor }
  expect((await store.admin('addUser', user)).status).toBe(201)
  return anchor
}

async function create(anchor: string, operation: string, more: object = {}) {
  const call = { directory: 'corp', operation, options: {}, ...more }
  const answer = await store.admin('createRequest', call, { anchor })
  expect([answer.status, answer.text]).toEqual([201, answer.text])
  return answer.json
}

async function ask(anchor: string, operation: string, more: object = {}): Promise<string> {
  const created = await create(anchor, operation, more)
  const passwords = { reset: ['new'], change: ['old', 'new'] }[operation]
  if (passwords) {
    const answer = await store.admin('seal', await sealFor(created, ...passwords), { id: created.request })
    expect(answer.status).toBe(200)
  }
  return created.request
}

const verdictOf = async (id: string) => (await store.admin('verdict', undefined, { id })).json
const claimedIds = async (by: TestAgent, wish = {}) =>
  (await by.claim(wish)).requests.map(({ request }) => request)
const userOf = async (anchor: string) =>
  (await store.admin('listUsers', undefined, {}, `?name=user-${anchor}`)).json.users[0]

/** Asks for an inspect and has it find this entry. */
async function inspect(anchor: string, objectGuid: string): Promise<void> {
  const id = await ask(anchor, 'inspect')
  const claimed = await claimOne(agent)
  expect(claimed.request).toBe(id)
  const outcome = await agent.sign(claimed, { outcome: 'applied', account: accountOf(objectGuid) })
  expect(await agent.report(outcome)).toEqual(['accepted'])
}

test('a change carries both passwords, an unlock and an inspect are on their way when they are made', async () => {
  const anchor = await addUser()
  const changing = await ask(anchor, 'change')
  const claimed = await claimOne(agent)
  expect(claimed.request).toBe(changing)
  expect(await agent.open(claimed)).toMatchObject({
    ...{ passwords: ['old', 'new'], document: { operation: 'change', options: {} } },
  })
  await agent.report(await agent.sign(claimed, { outcome: 'applied' }))
  for (const operation of ['unlock', 'inspect']) {
    const created = await create(anchor, operation)
    expect(created).toMatchObject({ operation, agents: [] })
    const verdict = await verdictOf(created.request)
    expect(verdict).toMatchObject({ state: 'waiting', outcome: null })
    expect(verdict.stages.map(({ stage }: { stage: string }) => stage)).toEqual(['created'])
    const document = await agent.read(await claimOne(agent))
    expect(document).toMatchObject({ id: created.request, operation, expiresAt: created.expiresAt })
    expect('sequence' in document).toBe(operation === 'unlock')
    expect('sealed' in document).toBe(false)
    clock.advance(31_000)
    const account = operation === 'inspect' ? accountOf(anchor) : null
    await agent.report(await agent.sign(await claimOne(agent), { outcome: 'applied', account }))
  }
})

test('what has nothing to seal takes no sealed value', async () => {
  const anchor = await addUser()
  const donor = await create(anchor, 'reset')
  for (const operation of ['unlock', 'inspect']) {
    const created = await create(anchor, operation)
    const sealed = await sealFor({ ...donor, request: created.request }, 'x')
    const { status, json } = await store.admin('seal', sealed, { id: created.request })
    expect([status, json.code]).toEqual([422, 'sealed_invalid'])
  }
})

test('an unlock has its place in the order of the subject', async () => {
  const anchor = await addUser()
  const asked = [await ask(anchor, 'reset'), await ask(anchor, 'unlock'), await ask(anchor, 'change')]
  const sequences: number[] = []
  for (const id of asked) {
    const claimed = await claimOne(agent)
    expect([claimed.request, await claimedIds(other)]).toEqual([id, []])
    const document = await agent.read(claimed)
    sequences.push('sequence' in document ? document.sequence : 0)
    expect(await agent.receipt(id, claimed.lease)).toBe('accepted')
    expect(claimed.last === null).toBe(id === asked[0])
    await agent.report(await agent.sign(claimed, { outcome: 'applied', marker: id }))
  }
  expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b))
})

test('an inspect stands beside the order: it is out with a write, and keeps no write from being handed out', async () => {
  const anchor = await addUser()
  const first = await ask(anchor, 'inspect')
  const reset = await ask(anchor, 'reset')
  const second = await ask(anchor, 'inspect')
  expect(await claimedIds(agent)).toEqual([first, reset, second])
  const third = await ask(anchor, 'inspect')
  await ask(anchor, 'unlock')
  expect(await claimedIds(other)).toEqual([third])
})

test('an inspect that is out lets a write be handed to another agent', async () => {
  const anchor = await addUser()
  const inspecting = await ask(anchor, 'inspect')
  expect((await claimOne(agent)).request).toBe(inspecting)
  const reset = await ask(anchor, 'reset')
  expect((await claimOne(other)).request).toBe(reset)
})

test('an inspect gets no receipt, is nobody’s previous one, and ends expired', async () => {
  const anchor = await addUser()
  const inspecting = await ask(anchor, 'inspect')
  const claimed = await claimOne(agent)
  expect(claimed.last).toBeNull()
  expect(await agent.receipt(inspecting, claimed.lease)).toBe('lease_lost')
  const unlocking = await ask(anchor, 'unlock')
  expect(await claimOne(other)).toMatchObject({ request: unlocking, last: null, earlier: [] })
  clock.advance(300_001)
  expect(await verdictOf(inspecting)).toMatchObject({ state: 'closed', outcome: 'expired' })
  expect(await agent.report(await agent.sign(claimed, { outcome: 'expired' }))).toEqual(['accepted'])
})

test('an inspect is handed out also while the store is paused', async () => {
  const anchor = await addUser()
  await store.admin('setPause', { paused: true })
  const unlocking = await ask(anchor, 'unlock')
  const inspecting = await ask(anchor, 'inspect')
  expect(await claimedIds(agent)).toEqual([inspecting])
  await store.admin('setPause', { paused: false })
  expect(await claimedIds(other)).toEqual([unlocking])
})

test('of one account at most 32 writing requests are open; inspects and other accounts are not kept waiting', async () => {
  const [anchor, another] = [await addUser(), await addUser()]
  for (let number = 0; number < 32; number += 1) await create(anchor, 'unlock')
  for (const operation of ['reset', 'change', 'unlock']) {
    const call = { directory: 'corp', operation, options: {} }
    const { status, json } = await store.admin('createRequest', call, { anchor })
    expect([status, json.code]).toEqual([429, 'too_many_requests'])
  }
  await create(another, 'unlock')
  for (const claimed of (await agent.claim()).requests)
    await agent.report(await agent.sign(claimed, { outcome: 'applied' }))
  await create(anchor, 'reset')
  await create(anchor, 'inspect')
})

test('requests that nobody seals keep no other one from its turn, until there are 32 of them', async () => {
  const anchor = await addUser()
  for (let number = 0; number < 32; number += 1) await create(anchor, 'reset')
  const { status } = await store.admin(
    'createRequest',
    { directory: 'corp', operation: 'reset', options: {} },
    { anchor },
  )
  expect(status).toBe(429)
  await create(await addUser(), 'reset')
})

test('the oldest is handed out first, whatever it is', async () => {
  const asked: string[] = []
  for (const operation of ['unlock', 'inspect', 'reset', 'inspect', 'change']) {
    asked.push(await ask(await addUser(), operation))
    clock.advance(5)
  }
  expect(await claimedIds(agent, { places: 2 })).toEqual(asked.slice(0, 2))
  expect(await claimedIds(other, { places: 9 })).toEqual(asked.slice(2))
})

test('a directory without free places does not keep another from being served', async () => {
  const corp: string[] = []
  for (let count = 0; count < 3; count += 1) corp.push(await ask(await addUser(), 'unlock'))
  const lab = await ask(await addUser('lab'), 'unlock', { directory: 'lab' })
  expect(await claimedIds(agent, { places: { corp: 0, lab: 1 } })).toEqual([lab])
  clock.advance(31_000)
  expect(await claimedIds(agent, { places: { corp: 1, lab: 5 } })).toEqual([corp[0], lab])
  expect(await claimedIds(other, { places: { corp: 5 } })).toEqual(corp.slice(1))
})

test('what an outcome tells of account, rule and policy is in the verdict and in the list', async () => {
  const anchor = await addUser()
  const inspecting = await ask(anchor, 'inspect')
  const account = accountOf(anchor)
  await agent.report(await agent.sign(await claimOne(agent), { outcome: 'applied', account }))
  expect(await verdictOf(inspecting)).toMatchObject({ account, rule: null, policy: null })
  const resetting = await ask(anchor, 'reset')
  const rule = { kind: 'minimum_length', characters: 12 } as const
  const told = { outcome: 'refused', reason: 'password_too_short', rule, policy: POLICY } as const
  await agent.report(await agent.sign(await claimOne(agent), told))
  const refused = { request: resetting, account: null, rule, policy: POLICY }
  expect(await verdictOf(resetting)).toMatchObject(refused)
  const { requests } = (await store.admin('listRequests')).json
  expect(requests[0]).toMatchObject(refused)
})

test('an inspect pins the entry, which later documents carry; another entry is pinned with a warning', async () => {
  const anchor = await addUser()
  expect(await userOf(anchor)).toMatchObject({ anchor, objectGuid: null })
  const [entry, another] = [randomUUID(), randomUUID()]
  await inspect(anchor, entry)
  expect(await userOf(anchor)).toMatchObject({ objectGuid: entry })
  for (const operation of ['unlock', 'inspect']) {
    await ask(anchor, operation)
    const claimed = await claimOne(agent)
    expect((await agent.read(claimed)).subject).toEqual({ anchor, objectGuid: entry, displayName: 'Ada' })
    const account = operation === 'inspect' ? accountOf(entry) : null
    await agent.report(await agent.sign(claimed, { outcome: 'applied', account }))
  }
  logged.length = 0
  await inspect(anchor, another)
  await inspect(anchor, another)
  expect(await userOf(anchor)).toMatchObject({ objectGuid: another })
  const warnings = logged.filter(({ level }) => level === 'warn')
  expect(warnings).toMatchObject([{ fields: { anchor, before: entry, after: another } }])
  await ask(anchor, 'reset')
  expect((await agent.read(await claimOne(agent))).subject.objectGuid).toBe(another)
})

test('an entry whose own objectGUID is the anchor is pinned like any other', async () => {
  const anchor = await addUser()
  await inspect(anchor, anchor)
  expect(await userOf(anchor)).toMatchObject({ objectGuid: anchor })
  await ask(anchor, 'reset')
  expect((await agent.read(await claimOne(agent))).subject.objectGuid).toBe(anchor)
})

test('of two inspects the one that was asked for last decides the pin, whichever answers last', async () => {
  const anchor = await addUser()
  await ask(anchor, 'inspect')
  clock.advance(5)
  await ask(anchor, 'inspect')
  const [older, newer] = (await agent.claim()).requests
  const [stale, entry] = [randomUUID(), randomUUID()]
  for (const [claimed, guid] of [
    [newer, entry],
    [older, stale],
  ] as const) {
    const outcome = await agent.sign(claimed as ClaimedRequest, {
      outcome: 'applied',
      account: accountOf(guid),
    })
    expect(await agent.report(outcome)).toEqual(['accepted'])
  }
  expect(await userOf(anchor)).toMatchObject({ objectGuid: entry })
})

test('an outcome that comes too late, or of another operation, pins nothing', async () => {
  const anchor = await addUser()
  await ask(anchor, 'inspect')
  const late = await claimOne(agent)
  clock.advance(300_001)
  const account = accountOf(randomUUID())
  expect(await agent.report(await agent.sign(late, { outcome: 'applied', account }))).toEqual([
    'outcome_closed',
  ])
  await ask(anchor, 'unlock')
  const outcome = await agent.sign(await claimOne(agent), { outcome: 'applied', account })
  await expect(agent.report(outcome)).rejects.toThrow('outcome_invalid')
  expect(await userOf(anchor)).toMatchObject({ objectGuid: null })
})

test('an outcome that does not fit its operation is not taken', async () => {
  const anchor = await addUser()
  const [unlock, inspect] = [await ask(anchor, 'unlock'), await ask(anchor, 'inspect')]
  const claimed = new Map((await agent.claim()).requests.map((one) => [one.request, one]))
  const account = accountOf(anchor)
  for (const [id, fields] of [
    [inspect, { account: null }],
    [inspect, { account, marker: 'wb1' }],
    [unlock, { account }],
    [unlock, { rule: { kind: 'no_names' } }],
    [unlock, { policy: POLICY }],
  ] as const) {
    const outcome = { outcome: 'applied', ...fields } as Parameters<TestAgent['sign']>[1]
    const signed = agent.sign(claimed.get(id) as ClaimedRequest, outcome)
    await expect(signed.then((jws) => agent.report(jws))).rejects.toThrow('outcome_invalid')
    expect(await verdictOf(id)).toMatchObject({ state: 'in_progress', outcome: null })
  }
})

test('nobody pins a user by hand', async () => {
  const anchor = randomUUID()
  const user = { name: 'pinned', displayName: 'Ada', directory: 'corp', anchor, objectGuid: randomUUID() }
  expect((await store.admin('addUser', user)).json.code).toBe('body_invalid')
})

test('the document says on whose behalf it was asked; without a word it was the administrator', async () => {
  const anchor = await addUser()
  const actors = [
    [{}, { kind: 'administrator', name: 'administrator', methods: ['token'] }],
    [{ actor: { kind: 'help_desk' } }, { kind: 'help_desk', name: 'administrator', methods: ['token'] }],
    [{ actor: { kind: 'self' } }, { kind: 'self', name: `user-${anchor}`, methods: [] }],
    [
      { actor: { kind: 'self', name: 'Ada', methods: ['mail', 'totp'] } },
      { kind: 'self', name: 'Ada', methods: ['mail', 'totp'] },
    ],
  ] as const
  for (const [more, actor] of actors) {
    const id = await ask(anchor, 'unlock', more)
    const claimed = await claimOne(agent)
    const document = await agent.read(claimed)
    expect(document.actor).toEqual({ ...actor, audit: `request ${id}` })
    await agent.report(await agent.sign(claimed, { outcome: 'applied' }))
  }
})

test.each([
  ['a kind that is not known', { kind: 'robot' }],
  ['no kind', { name: 'Ada' }],
  ['an audit reference, which is the store’s', { kind: 'self', audit: 'mine' }],
  ['a long name', { kind: 'self', name: 'x'.repeat(257) }],
  ['control characters', { kind: 'self', name: 'a\nb' }],
  ['many methods', { kind: 'self', methods: Array(9).fill('x') }],
  ['a long method', { kind: 'self', methods: ['x'.repeat(65)] }],
])('an actor with %s is refused', async (_what, actor) => {
  const anchor = await addUser()
  const body = { directory: 'corp', operation: 'unlock', options: {}, actor }
  const { status, json } = await store.admin('createRequest', body, { anchor })
  expect([status, json.code]).toEqual([400, 'body_invalid'])
})

const policies = { readAt: 1, policies: [POLICY], problems: [{ name: 'strict', problem: 'no right' }] }
const publish = (by: TestAgent, name: string, body: unknown = policies) =>
  by.call('publishPolicies', body, undefined, { name })
const readPolicies = (name: string) => store.admin('readPolicies', undefined, { name })

test('the policies that an agent published last are read with who and when', async () => {
  expect((await readPolicies('corp')).json.code).toBe('policies_not_found')
  expect((await publish(other, 'corp')).status).toBe(204)
  expect((await readPolicies('corp')).json).toMatchObject({ ...policies, name: 'agent-2', agent: other.id })
  const newer = { ...policies, readAt: 2, problems: [] }
  const publishedAt = clock.wallMs()
  expect((await publish(agent, 'corp', newer)).status).toBe(204)
  const { json } = await readPolicies('corp')
  expect(json).toEqual({
    ...{ ...newer, directory: 'corp', agent: agent.id, name: 'agent-1' },
    publishedAt: json.publishedAt,
  })
  expect(json.publishedAt - publishedAt).toBeGreaterThanOrEqual(0)
  expect((await readPolicies('lab')).json.code).toBe('policies_not_found')
})

test('an agent publishes for its own directories only, and in the contract’s form only', async () => {
  const foreign = await publish(other, 'lab')
  expect([foreign.status, foreign.json.code]).toEqual([403, 'not_allowed'])
  const refused = await store.admin('publishPolicies', policies, { name: 'corp' })
  expect(refused.json.code).toBe('credential_refused')
  for (const wrong of [
    { ...policies, policies: Array(257).fill(POLICY) },
    { ...policies, problems: Array(257).fill({ name: 'x', problem: 'y' }) },
    { ...policies, policies: [{ ...POLICY, minimumLength: -1 }] },
    { ...policies, directory: 'corp' },
  ])
    expect((await publish(agent, 'corp', wrong)).json.code).toBe('body_invalid')
})

test('a domain whose own policy cannot be read is published as a problem alone', async () => {
  const none = { readAt: 1, policies: [], problems: [{ name: 'domain', problem: 'no right to read it' }] }
  expect((await publish(agent, 'corp', none)).status).toBe(204)
  expect((await readPolicies('corp')).json).toMatchObject(none)
})

test('a directory whose name every object knows has no places but its own', async () => {
  const odd = await enrolAgent(store, { name: 'odd', directories: ['constructor'], now: clock.wallMs })
  const anchor = await addUser('constructor')
  const id = await ask(anchor, 'unlock', { directory: 'constructor' })
  expect(await claimedIds(odd, { places: {} })).toEqual([])
  expect(await claimedIds(odd, { places: { constructor: 1 } })).toEqual([id])
})

test('the manual’s question is answered by a copy of a running store’s database', async () => {
  const anchor = await addUser()
  for (let count = 0; count < 3; count += 1) await create(anchor, 'unlock')
  const manual = readFileSync(new URL('../../docs/scope.md', import.meta.url), 'utf8')
  const [commands = '', question = ''] = ['sh', 'sql'].map(
    (language) => new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(manual)?.[1],
  )
  const [, file = ''] = /^ *sqlite3 (\S+)$/m.exec(commands) ?? []
  await runCommand('sh', ['-ec', `cd "$0"\n${commands.replace(/^ *sqlite3 .*$/m, '')}`, data])
  const copy = new DatabaseSync(path.join(data, file))
  const [asked] = copy.prepare(question.replace('unixepoch()', String(clock.wallMs() / 1000))).all()
  copy.close()
  expect(asked).toMatchObject({ kind: 'administrator', name: 'administrator' })
  expect(Number(asked?.['requests'])).toBeGreaterThanOrEqual(3)
  expect(() =>
    new DatabaseSync(path.join(data, 'store.db'), { readOnly: true }).exec('SELECT * FROM users'),
  ).toThrow('locked')
})

test('the largest possible list of policies is taken and given back', async () => {
  const many = {
    ...{ readAt: 1, policies: Array(256).fill({ ...POLICY, name: '東'.repeat(256) }) },
    problems: Array(256).fill({ name: '東'.repeat(256), problem: '東'.repeat(500) }),
  }
  expect((await publish(agent, 'corp', many)).status).toBe(204)
  expect((await readPolicies('corp')).json).toMatchObject(many)
})
