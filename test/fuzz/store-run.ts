// Sends bent store messages through an agent and judges where each one ended. Whatever a store says: no crash, no request
// accepted that the store did not sign for this agent, nobody asks a directory for what is invalid, a sound journal.

import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { noteLeases, takeIn } from '../../src/agent/intake/take-in.ts'
import { callEnrol } from '../../src/agent/store-client/create-store-client.ts'
import { ERRORS } from '../../src/errors/error-codes.ts'
import { verifyEnrolled } from '../../src/protocol/enrolment.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { DIRECTORY } from '../agent/sample-requests.ts'
import { HOSTILE_TEXTS } from './hostile-values.ts'
import { bendJson, JSON_BENDS } from './mutate-json.ts'
import { bendJws, JWS_BENDS } from './mutate-jws.ts'
import { createRandom, type Random, seedOf } from './random.ts'
import { whyNot } from './store-oracle.ts'
import {
  claimAnswerOf,
  claimedOf,
  goodAnswers,
  HOSTILE_CONTENTS,
  hostileDocument,
  makeSamples,
  SAMPLE_PASSWORD,
  type Samples,
} from './store-samples.ts'
import { type NextAnswer, openStoreWorld, type StoreWorld } from './store-world.ts'
import { createTally, type Tally } from './tally.ts'

/** One fuzzed message: what it belongs to, how it was bent, and the bytes. */
interface Message {
  readonly call: 'claim' | 'receipts' | 'outcomes' | 'heartbeat' | 'enrol'
  readonly bend: string
  readonly answer: NextAnswer
}

const never = new AbortController().signal
const STATUSES = [
  201, 204, 301, 302, 304, 400, 401, 403, 404, 407, 409, 410, 413, 429, 500, 502, 503, 504, 599, 0, 999,
]
const EVERY = 100
const AGENTS = 3
const MOST_GROWTH = 32 * 1024 * 1024

/** Runs so many messages. Every fault goes to the tally with how to have it again. */
export async function runStoreFuzz(options: {
  readonly messages: number
  readonly seed: number
}): Promise<Tally> {
  const samples = await makeSamples()
  const tally = createTally('store messages')
  // Several agents side by side: while one waits for a signature, another works.
  const agents = Array.from({ length: AGENTS }, (_, index) =>
    createFuzz(samples, createRandom(seedOf(options.seed, index)), tally),
  )
  const share = Math.ceil(options.messages / AGENTS)
  // What the first messages compile and cache is not growth.
  const warm = Math.min(1_000, share >> 2)
  await Promise.all(agents.map((agent) => agent.run(0, warm)))
  const before = tally.heapBytes()
  await Promise.all(agents.map((agent) => agent.run(warm, share)))
  for (const agent of agents) agent.close()
  const growth = tally.heapBytes() - before
  tally.most('heap growth, KiB', Math.round(growth / 1024))
  if (growth > MOST_GROWTH) tally.fault('the heap grew by more than 32 MiB')
  return tally
}

function createFuzz(samples: Samples, random: Random, tally: Tally) {
  let next: NextAnswer = { status: 200, body: Buffer.from('{}') }
  let following: NextAnswer | undefined
  let lease = 0
  const world = openStoreWorld(samples, (call) => {
    const isReceipts = call.endsWith('/receipts')
    return isReceipts && following ? following : next
  })
  const make = createMessages(samples, random, () => (lease += 1))
  const one = async (index: number): Promise<void> => {
    const message = make()
    next = message.answer
    following = message.call === 'receipts' ? undefined : goodReceipts
    const label = `${message.call}: ${message.bend}`
    try {
      const result = await deliver(world, samples, message, random)
      tally.count(label, result)
    } catch (error) {
      const code = (error as { code?: unknown } | undefined)?.code
      const isKnown =
        error instanceof Error && error.name === 'WritebackError' && Object.hasOwn(ERRORS, String(code))
      tally.count(label, isKnown ? String(code) : 'thrown')
      if (!isKnown) tally.fault(`message ${index} (${label}) was thrown: ${String(error)}`, error)
    }
    if (message.bend === 'none' && !tally.hasSeen(label)) tally.fault(`a good ${message.call} is not taken`)
    await judge(world, samples, label, index, random, tally)
  }
  const run = async (from: number, to: number): Promise<void> => {
    for (let index = from; index < to; index += 1) {
      await one(index)
      if (index % EVERY === EVERY - 1) tidy(world, tally)
    }
    tidy(world, tally)
  }
  return { run, close: () => closeWorld(world, tally) }
}

/** Gives the message to the part of the agent that asked for it; says how it ended. */
async function deliver(
  world: StoreWorld,
  samples: Samples,
  { call, answer }: Message,
  random: Random,
): Promise<string> {
  const { client } = world
  switch (call) {
    case 'claim': {
      const held = world.journal.heldLeases(8).map((one) => ({ request: one.requestId, lease: one.lease }))
      const claim = {
        claimId: '0c0c0c0c-1111-4222-8333-444444444444',
        leases: held,
        places: { [DIRECTORY]: 8 },
      }
      const timed = await client.claim({ ...claim, waitMs: 0 }, never)
      world.storeTime.observe({ ...timed, storeTime: timed.answer.storeTime })
      noteLeases(world.intake, held, timed.answer.renewed, timed.sentMs)
      const taken = await takeIn(world.intake, timed.answer.requests, timed.sentMs, never)
      return taken === 0 ? 'nothing new' : world.seen.enqueued.length > 0 ? 'accepted' : 'invalid'
    }
    case 'receipts':
      return (await world.receipts.confirm([receipt(random)], never)).size > 0 ? 'confirmed' : 'not confirmed'
    case 'outcomes':
      return `answers: ${Math.min((await client.outcomes(['a.b.c'], never)).answer.results.length, 1)}`
    case 'heartbeat':
      return `paused: ${(await client.heartbeat(HEARTBEAT, never)).answer.paused}`
    case 'enrol': {
      const { code, identity } = samples.enrolment
      const sent = await callEnrol(
        { url: world.url, fetch: world.fetch, timeoutMs: 1_000 },
        { code: 'x', name: 'x', identityKey: identity, sealingKey: 'a.b.c', proof: 'a.b.c' },
        never,
      )
      void answer
      const { agent } = await verifyEnrolled(sent.enrolled, sent.keys, code, identity)
      return agent === samples.parties.agent ? 'enrolled' : 'enrolled as another'
    }
  }
}

const HEARTBEAT = {
  version: '1',
  conditions: [],
  queueDepth: 0,
  storeOffsetMs: null,
  sealingKeyIds: [],
  directories: [],
}
const RECEIPT_IDS = [newId(), newId()]
const receipt = (random: Random) => ({
  request: random.pick(RECEIPT_IDS),
  lease: 1,
  server: goodAnswers.server,
})

/** After each message: was what was accepted acceptable, and did what is not stay away from the directory? */
async function judge(
  world: StoreWorld,
  samples: Samples,
  label: string,
  index: number,
  random: Random,
  tally: Tally,
): Promise<void> {
  if (world.seen.asked > 0) tally.fault(`message ${index} (${label}) asked for the directory`)
  for (const requestId of new Set(world.seen.enqueued.splice(0))) {
    const open = world.journal.find(requestId)
    // A second, damaged copy in the same answer may have ended it already.
    const isKnown = open || world.journal.undelivered(1_000).some((one) => one.requestId === requestId)
    if (!isKnown) tally.fault(`message ${index} (${label}) was queued, and is not journaled`)
    const fault =
      open && explain(() => whyNot({ request: requestId, document: open.document }, samples.expected))
    if (fault !== undefined) tally.fault(`message ${index} (${label}) was accepted: ${fault}`)
    if (open && random.chance(0.25)) await carryOut(world, requestId, label, index, tally)
    if (open) world.journal.release(requestId, open.lease, 1)
  }
  for (const requestId of world.seen.invalid.splice(0)) {
    const open = world.journal.find(requestId)
    if (open) world.journal.release(requestId, open.lease, 1)
  }
  for (const { requestId, lease } of world.journal.openLeases()) world.journal.release(requestId, lease, 1)
}

const explain = (judge: () => string | undefined): string | undefined => {
  try {
    return judge()
  } catch (error) {
    return `unreadable: ${String(error)}`
  }
}

/** An accepted request is carried out on a directory in memory: what was sealed is set, or nothing. */
async function carryOut(
  world: StoreWorld,
  requestId: string,
  label: string,
  index: number,
  tally: Tally,
): Promise<void> {
  world.dc.edit({ marker: undefined })
  try {
    const step = await world.process(requestId)
    tally.count(`carried out: ${label.slice(label.indexOf(': ') + 2)}`, step === 'done' ? 'ended' : 'waits')
  } catch (error) {
    tally.fault(`message ${index} (${label}) broke the writeback: ${String(error)}`, error)
  }
  for (const { password } of world.dc.state.effects.splice(0))
    if (password !== SAMPLE_PASSWORD && password !== '')
      tally.fault(`message ${index} (${label}) set another password`)
  world.dc.state.calls.length = 0
  world.dc.state.handed.length = 0
  world.seen.asked = 0
}

function tidy({ journal }: StoreWorld, tally: Tally): void {
  const waiting = journal.undelivered(100_000)
  tally.note('outcomes recorded', waiting.length)
  journal.delivered(
    waiting.map(({ requestId }) => ({ requestId, answer: 'accepted' })),
    1,
  )
  journal.purge(Number.MAX_SAFE_INTEGER)
}

function closeWorld(world: StoreWorld, tally: Tally): void {
  if (world.journal.counts().open !== 0) tally.fault('requests stayed open')
  const file = path.join(world.state, 'journal.sqlite')
  world.journal.close()
  const db = new DatabaseSync(file)
  const sound = db.prepare('PRAGMA integrity_check').get()?.['integrity_check']
  if (sound !== 'ok') tally.fault(`the journal is not sound: ${String(sound)}`)
  db.close()
  tally.note('journals sound', sound === 'ok' ? 1 : 0)
  world.remove()
}

/** Makes messages: one in twenty good, the others bent in one way, some in two. */
function createMessages(samples: Samples, random: Random, nextLease: () => number): () => Message {
  const { forger } = samples
  const pickDocument = () => {
    const index = random.int(samples.documents.length)
    const document = samples.documents[index]
    const signed = samples.signed[index]
    if (document === undefined || signed === undefined) throw new Error('no sample')
    return { document, signed }
  }
  const claimOf = (requests: readonly unknown[]): string => JSON.stringify(claimAnswerOf(requests))
  const goodClaim = (): string =>
    claimOf(
      Array.from({ length: random.int(3) + 1 }, () => {
        const { document, signed } = pickDocument()
        return claimedOf(document.id, nextLease(), signed)
      }),
    )
  const goodText = (call: Message['call']): string => {
    if (call === 'claim') return goodClaim()
    if (call === 'heartbeat') return JSON.stringify(goodAnswers.heartbeat())
    if (call === 'enrol') {
      const { storeKey, enrolled } = samples.enrolment
      return JSON.stringify({ keys: [storeKey], enrolled })
    }
    return JSON.stringify(goodAnswers[call](RECEIPT_IDS))
  }
  const statusOf = (call: Message['call']) => (call === 'enrol' ? 201 : 200)
  const bentText = (call: Message['call']): Message => {
    const bend = random.pick(JSON_BENDS)
    let body = bendJson(bend, goodText(call), random)
    if (random.chance(0.1)) body = bendJson(random.pick(JSON_BENDS), body.toString(), random)
    return { call, bend, answer: { status: statusOf(call), body } }
  }
  const bentSignature = (): Message => {
    const bend = random.pick(JWS_BENDS)
    const { document, signed } = pickDocument()
    const claimed = claimedOf(document.id, nextLease(), bendJws(bend, signed, random, forger))
    return { call: 'claim', bend, answer: { status: 200, body: Buffer.from(claimOf([claimed])) } }
  }
  const hostile = (): Message => {
    const bend = random.pick(HOSTILE_CONTENTS)
    const { document } = pickDocument()
    const request = random.chance(0.95) ? document.id : newId()
    const claimed = claimedOf(request, nextLease(), hostileDocument(bend, document, random, forger))
    return { call: 'claim', bend, answer: { status: 200, body: Buffer.from(claimOf([claimed])) } }
  }
  const bentEnrolment = (): Message => {
    const bend = random.pick(JWS_BENDS)
    const { storeKey, enrolled } = samples.enrolment
    const keys = random.chance(0.2)
      ? []
      : [{ ...storeKey, ...(random.chance(0.2) ? { x: 'A'.repeat(43) } : {}) }]
    const promise = bendJws(bend, enrolled, random, { ...forger, type: 'wb-enrolled+jws' })
    return {
      call: 'enrol',
      bend,
      answer: { status: 201, body: Buffer.from(JSON.stringify({ keys, enrolled: promise })) },
    }
  }
  const oddStatus = (call: Message['call']): Message => {
    const detail = random.pick(HOSTILE_TEXTS)
    const problem = JSON.stringify({ code: random.pick(['credential_refused', detail]), detail, more: {} })
    const body = random.chance(0.5)
      ? bendJson(random.pick(JSON_BENDS), problem, random)
      : Buffer.from(problem)
    return { call, bend: 'another status', answer: { status: random.pick(STATUSES), body } }
  }
  const tooLarge = (call: Message['call']): Message => ({
    call,
    bend: 'too large',
    answer: { status: statusOf(call), body: LARGE },
  })
  const calls = ['claim', 'claim', 'claim', 'receipts', 'outcomes', 'heartbeat', 'enrol'] as const
  return () => {
    const call = random.pick(calls)
    const kind = random.int(1000)
    if (kind < 50)
      return { call, bend: 'none', answer: { status: statusOf(call), body: Buffer.from(goodText(call)) } }
    if (kind < 52) return tooLarge(call)
    if (kind < 100) return oddStatus(call)
    if (call === 'enrol' && random.chance(0.5)) return bentEnrolment()
    if (call !== 'claim') return bentText(call)
    return random.pick([bentText, bentSignature, hostile])('claim')
  }
}

const LARGE = Buffer.alloc(1024 * 1024 + 1, ' ')
const goodReceipts = { status: 200, body: Buffer.from('{"results":[]}') }
