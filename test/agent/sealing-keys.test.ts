// The life of sealing keys, with real key files and a real store: which key opens what, until when, and what a stop leaves.
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import {
  generateKeySet,
  generateSealingKey,
  readKeyFile,
  writeKeyFile,
} from '../../src/agent/keys/key-file.ts'
import { openKeys } from '../../src/agent/keys/open-keys.ts'
import { createSealingKeys, KEEP_OLD_KEY_MS } from '../../src/agent/keys/sealing-keys.ts'
import { createStoreClient } from '../../src/agent/store-client/create-store-client.ts'
import { createStoreTransport } from '../../src/agent/store-client/store-transport.ts'
import {
  type Enrolled,
  parseEnrolmentCode,
  proveIdentity,
  verifyEnrolled,
} from '../../src/protocol/enrolment.ts'
import type { CreateRequestAnswer } from '../../src/protocol/sealer-calls.ts'
import { stateSealingKey } from '../../src/protocol/sealing-key.ts'
import { createMovableClock, sealFor, startStore } from '../reset-store/running-store.ts'
import { enrolAgent, sendEnrolment } from '../reset-store/test-agent.ts'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'
import { testCa } from '../servers/test-ca.ts'

const DAY_MS = 86_400_000
const PASSPHRASE = 'a long passphrase'
const ANCHOR = '5f3c0000-0000-4000-8000-00000000000'

const clock = createMovableClock()
const storeDirectory = makeScratchDirectory()
let store: Awaited<ReturnType<typeof startStore>>
let state = ''
let users = 0
const closes: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  store = await startStore(storeDirectory, { clock, requestLifetimeMs: 3_600_000 })
})
afterAll(async () => {
  await store.store.stop()
  rmSync(storeDirectory, { recursive: true, force: true })
})
beforeEach(() => {
  state = makeScratchDirectory()
})
afterEach(async () => {
  for (const close of closes.splice(0)) await close()
  rmSync(state, { recursive: true, force: true })
})

const passphraseOf = (isLocked: boolean) => (isLocked ? Buffer.from(PASSPHRASE) : undefined)

/** An agent with keys on disk, enrolled at the store. */
async function enrolled(isLocked = false): Promise<Enrolled> {
  const set = await generateKeySet(clock.wallMs())
  await writeKeyFile(state, set, passphraseOf(isLocked))
  const own = await openKeys(set)
  const made = await store.admin('createEnrolmentCode', { directories: ['corp'], validForMs: 600_000 })
  const code = parseEnrolmentCode(made.json.code)
  const { publicKey, signer } = own.identity
  const [newest] = own.sealingKeys
  if (!newest) throw new Error('no key')
  const answer = await sendEnrolment(store, {
    ...{ code: code.secret, name: 'agent', identityKey: publicKey },
    sealingKey: await stateSealingKey(newest.publicKey, own.identity, newest.createdAt),
    proof: await proveIdentity(code.secret, publicKey, signer, clock.wallMs()),
  })
  return verifyEnrolled(answer.json.enrolled, answer.json.keys, code, publicKey)
}

/** The process of an agent: its keys as they stand on disk. */
async function started(agent: Enrolled, isLocked = false) {
  const set = await readKeyFile(state, passphraseOf(isLocked))
  if (!set) throw new Error('no key file')
  const keys = await openKeys(set)
  const transport = createStoreTransport({ caFile: (await testCa()).caFile, env: {} })
  closes.push(transport.close)
  const client = createStoreClient({
    ...{ url: `https://127.0.0.1:${store.port}`, fetch: transport.fetch, clock, timeoutMs: 5_000 },
    ...{ identity: { agent: agent.agent, store: agent.store, signer: keys.identity.signer } },
    nowMs: clock.wallMs,
  })
  const told: string[] = []
  const open = new Set<string>()
  const away = { isAway: false }
  const sealingKeys = createSealingKeys({
    ...{ stateDirectory: state, keys, rotateAfterMs: 28 * DAY_MS, keysOfOpenRequests: async () => open },
    readPassphrase: async () => passphraseOf(isLocked),
    publish: async (statements) => {
      if (away.isAway) throw Object.assign(new Error('away'), { code: 'AWAY' })
      const call = { sealingKeys: [...statements] }
      return (await client.publishSealingKeys(call, AbortSignal.timeout(5_000))).answer
    },
    ...{ nowMs: clock.wallMs, isTimeKnown: () => true, monotonicMs: clock.monotonicMs },
    told: (step) => told.push(step),
  })
  const ids = () => keys.sealingKeys.map(({ publicKey }) => publicKey.kid)
  const claim = async () =>
    (
      await client.claim(
        { claimId: crypto.randomUUID(), leases: [], places: { corp: 9 }, waitMs: 0 },
        AbortSignal.timeout(5_000),
      )
    ).answer.requests.map(({ request }) => request)
  return { keys, sealingKeys, told, ids, open, away, claim }
}

/** Begins a request of a user of its own. */
async function begin(): Promise<CreateRequestAnswer> {
  users += 1
  const anchor = `${ANCHOR}${users}`
  await store.admin('addUser', { name: `user${users}`, displayName: 'U', directory: 'corp', anchor })
  const body = { directory: 'corp', operation: 'reset', options: {} }
  return (await store.admin('createRequest', body, { anchor })).json
}

async function seal(created: CreateRequestAnswer): Promise<readonly string[]> {
  const sealed = await sealFor(created, 'Correct-Horse-7')
  const answer = await store.admin('seal', sealed, { id: created.request })
  if (answer.status !== 200) throw new Error(answer.text)
  return sealed.recipients.map(({ header }) => header.kid)
}

test('a new key takes over; the old one opens until the last request that names it has ended, and is wiped then', async () => {
  const agent = await enrolled()
  const { sealingKeys, ids, told, claim } = await started(agent)
  await sealingKeys.tend()
  const [first = ''] = ids()
  const [early, late] = [await begin(), await begin()]
  expect(await seal(early)).toEqual([first])
  expect(await sealingKeys.rotate()).toEqual({ state: 'rotated', key: ids()[1] })
  // What was begun before the rotation may be sealed to the old key after it.
  expect(await seal(late)).toEqual([first])
  expect(await seal(await begin())).toEqual([ids()[1]])
  expect(await claim()).toHaveLength(3)
  clock.advance(KEEP_OLD_KEY_MS - 60_000)
  await sealingKeys.tend()
  clock.advance(120_000)
  await sealingKeys.tend()
  expect(ids()).toHaveLength(2)
  clock.advance(3_600_000 + 60_000)
  await new Promise((resolve) => setTimeout(resolve, 700))
  await sealingKeys.tend()
  expect(ids()).not.toContain(first)
  expect(ids()).toHaveLength(1)
  expect(told).toEqual(['accepted', 'made', 'accepted', 'wiped'])
  expect(readFileSync(join(state, 'keys.json'), 'utf8')).not.toContain(first)
})

test('a key that a request in this agent’s own journal names is kept, whatever the store says', async () => {
  const { sealingKeys, ids, open } = await started(await enrolled())
  await sealingKeys.tend()
  const [first = ''] = ids()
  await sealingKeys.rotate()
  open.add(first)
  clock.advance(KEEP_OLD_KEY_MS + 1)
  await sealingKeys.tend()
  expect(ids()).toHaveLength(2)
  open.clear()
  await sealingKeys.tend()
  expect(ids()).toHaveLength(1)
})

test('a key is rotated at its age, not before, and not again before the store has accepted it', async () => {
  const agent = await enrolled(true)
  const { sealingKeys, ids, told, away, claim } = await started(agent, true)
  await sealingKeys.tend()
  clock.advance(28 * DAY_MS - 120_000)
  await sealingKeys.tend()
  expect(ids()).toHaveLength(1)
  clock.advance(120_000)
  away.isAway = true
  for (let tries = 0; tries < 3; tries += 1)
    await expect(sealingKeys.tend()).rejects.toMatchObject({ code: 'AWAY' })
  await expect(sealingKeys.rotate()).rejects.toMatchObject({ code: 'AWAY' })
  expect(ids()).toHaveLength(2)
  await claim()
  expect(await seal(await begin())).toEqual([ids()[0]])
  // The process ends here; the next one goes on with the key that is kept.
  const next = await started(agent, true)
  expect(next.ids()).toEqual(ids())
  await next.sealingKeys.tend()
  expect(await seal(await begin())).toEqual([ids()[1]])
  expect([told, next.told]).toEqual([['accepted', 'made'], ['accepted']])
})

test('a store that lost the new key hears of it again, and one that was told too much forgets', async () => {
  const agent = await enrolled()
  const { sealingKeys, keys, ids } = await started(agent)
  await sealingKeys.rotate()
  const backup = readFileSync(join(state, 'keys.json'), 'utf8')
  clock.advance(KEEP_OLD_KEY_MS + 1)
  await sealingKeys.tend()
  expect(ids()).toHaveLength(1)
  // As a store that was restored: it has the keys of before, and seals to the older one.
  writeFileSync(join(state, 'keys.json'), backup, { mode: 0o600 })
  const set = await readKeyFile(state, undefined)
  if (!set) throw new Error('no key file')
  await writeKeyFile(state, { ...set, sealing: set.sealing.slice(0, 1) }, undefined)
  const restored = await started(agent)
  await restored.sealingKeys.tend()
  const lost = await begin()
  expect(await seal(lost)).toEqual([restored.ids()[0]])
  clock.advance(60_000)
  const kept = keys.sealingKeys.map(({ publicKey }) => publicKey.kid)
  await sealingKeys.tend()
  const whole = await begin()
  expect(await seal(whole)).toEqual(kept)
  // Nobody could open it: it is not handed out, and expires.
  const claimed = await (await started(agent)).claim()
  expect(claimed).not.toContain(lost.request)
})

test('so many rotations at once are refused, and nothing is made', async () => {
  const { sealingKeys, ids } = await started(await enrolled())
  await sealingKeys.tend()
  for (let count = 0; count < 7; count += 1) expect((await sealingKeys.rotate()).state).toBe('rotated')
  expect(await sealingKeys.rotate()).toEqual({ state: 'full', key: null })
  expect(ids()).toHaveLength(8)
})

test('a key that a failed try left in the file is taken, and no other one is made beside it', async () => {
  const { sealingKeys, ids } = await started(await enrolled())
  await sealingKeys.tend()
  const set = await readKeyFile(state, undefined)
  if (!set) throw new Error('no key file')
  // As a rename that came through, and whose directory could not be made durable.
  const left = await generateSealingKey(clock.wallMs())
  await writeKeyFile(state, { ...set, sealing: [...set.sealing, left] }, undefined)
  clock.advance(28 * DAY_MS)
  await sealingKeys.tend()
  expect(ids()).toEqual([set.sealing[0]?.key.kid, left.key.kid])
  expect((await readKeyFile(state, undefined))?.sealing).toHaveLength(2)
})

test('rotations asked for at once come one after the other, and each is on the disk', async () => {
  const { sealingKeys, ids } = await started(await enrolled())
  await Promise.all([sealingKeys.rotate(), sealingKeys.rotate(), sealingKeys.tend()])
  const kept = (await readKeyFile(state, undefined))?.sealing ?? []
  expect(kept.map(({ key }) => key.kid)).toEqual(ids())
  expect(kept.every(({ acceptedAt }) => acceptedAt !== undefined)).toBe(true)
  expect(statSync(join(state, 'keys.json')).mode & 0o777).toBe(0o600)
})

test('a time of acceptance that lies ahead of the store’s clock does not keep an old key for ever', async () => {
  const { sealingKeys, keys, ids } = await started(await enrolled())
  await sealingKeys.rotate()
  const set = await readKeyFile(state, undefined)
  if (!set) throw new Error('no key file')
  const ahead = set.sealing.map((one) => ({ ...one, acceptedAt: clock.wallMs() + 900 * DAY_MS }))
  await writeKeyFile(state, { ...set, sealing: ahead }, undefined)
  await keys.replaceSealingKeys(ahead)
  await sealingKeys.tend()
  clock.advance(KEEP_OLD_KEY_MS + 1)
  await sealingKeys.tend()
  expect(ids()).toHaveLength(1)
})

test('the store takes no key that the agent’s identity does not vouch for, twice the same, or of another agent', async () => {
  const [one, other] = [
    await enrolAgent(store, { now: clock.wallMs }),
    await enrolAgent(store, { now: clock.wallMs }),
  ]
  const state = (by: typeof one, key: typeof one) =>
    stateSealingKey(key.keys.sealing.publicKey, by.keys.identity, clock.wallMs())
  const publish = async (...sealingKeys: string[]) => {
    const { status, json } = await one.call('publishSealingKeys', { sealingKeys })
    return status === 200 ? json.needed : json.code
  }
  const own = await state(one, one)
  expect(await publish(own)).toEqual([])
  expect(await publish(await state(other, one))).toBe('body_invalid')
  expect(await publish(own, own)).toBe('body_invalid')
  expect(await publish(await state(one, other))).toBe('body_invalid')
  expect(await publish(own, 'a.b.c')).toBe('body_invalid')
  expect(await publish()).toBe('body_invalid')
  expect(await publish(own)).toEqual([])
})
