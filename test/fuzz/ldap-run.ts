// Gives bent answers to the real write connection and the real read client, and judges what they make of them: a write is
// `accepted` only when the bytes really say so, every end is clean and in time, and no flood fills the memory.
import { duplexPair } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { serverNamed } from '../../src/agent/directory/active-directory/expected-server.ts'
import { classifyRefusal } from '../../src/agent/directory/classify-error.ts'
import { LdapChannel } from '../../src/agent/directory/ldap-channel.ts'
import { openReadClient } from '../../src/agent/directory/read-client.ts'
import { openWriteConnection } from '../../src/agent/directory/write-connection.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import { encodeModify } from '../../src/ldap-wire/encode-request.ts'
import {
  type BentServer,
  entriesChunk,
  longMessageChunk,
  playAnswer,
  SERVICE_NAME,
  type Step,
  startBentServer,
} from './bent-server.ts'
import {
  bendAnswer,
  entryMessage,
  LDAP_BENDS,
  type LdapAnswer,
  meaningOf,
  resultMessage,
} from './ldap-answers.ts'
import { createRandom, type Random, seedOf } from './random.ts'
import { createTally, type Tally } from './tally.ts'

const TIMEOUT_MS = 150
const LATEST_MS = 1_000
const AT_ONCE = 48
// A handshake costs both sides work; more of them at a time only wait for each other.
const TLS_AT_ONCE = 8
const TLS_TIMEOUT_MS = 600
const MIB = 1024 * 1024
const MOST_MEMORY = 8 * MIB
const FLOOD_BYTES = 64 * MIB
const FLOOD_LIMIT_MS = 20_000
/** Of one answer to a read; what is under way in sockets comes on top. */
const MOST_OF_A_READ = 16 * MIB
const UNDER_WAY = 6 * MIB

/** Runs so many answers: one in twenty over real TLS, and one in twenty to reads. */
export async function runLdapFuzz(options: {
  readonly answers: number
  readonly seed: number
}): Promise<readonly Tally[]> {
  const writes = createTally('answers to writes')
  const reads = createTally('answers to reads')
  const server = await startBentServer()
  const share = Math.ceil(options.answers / 20)
  const random = (part: number) => createRandom(seedOf(options.seed, part))
  try {
    await inBatches(writes, share * 18, random(1), AT_ONCE, (index, chance) =>
      onChannel(writes, index, chance),
    )
    await inBatches(writes, share, random(2), TLS_AT_ONCE, (index, chance) =>
      overTls(writes, server, index, chance),
    )
    await inBatches(reads, share, random(3), TLS_AT_ONCE, (index, chance) =>
      onRead(reads, server, index, chance),
    )
    await floodWrites(writes, server)
    await floodReads(reads, server)
  } finally {
    await server.stop()
  }
  return [writes, reads]
}

/** Many at a time; their memory is measured from after the first batches to the end. */
async function inBatches(
  tally: Tally,
  count: number,
  random: Random,
  atOnce: number,
  run: (index: number, random: Random) => Promise<void>,
): Promise<void> {
  let next = 0
  const worker = async (until: number) => {
    while (next < until) {
      next += 1
      await run(next, random)
    }
  }
  const all = (until: number) => Promise.all(Array.from({ length: atOnce }, () => worker(until)))
  await all(Math.min(count, 10 * atOnce))
  await settled()
  const before = tally.heapBytes()
  await all(count)
  await settled()
  const growth = tally.heapBytes() - before
  tally.most('memory growth, KiB', Math.round(growth / 1024))
  if (growth > MOST_MEMORY) tally.fault(`memory grew by ${Math.round(growth / MIB)} MiB`)
}

// A closed channel is held by its last timer for a second.
const settled = () => new Promise((resolve) => setTimeout(resolve, 1_500))

const frameOf = (messageId: number): Buffer =>
  encodeModify({
    messageId,
    dn: '<GUID=0d0d0d0d-1111-4222-8333-444444444444>',
    changes: [{ operation: 'replace', attribute: 'unicodePwd', values: [Buffer.from('not a password')] }],
  })

/** The real channel on a pair of streams. */
async function onChannel(tally: Tally, index: number, random: Random): Promise<void> {
  const [ours, theirs] = duplexPair()
  theirs.on('error', () => {})
  const channel = new LdapChannel(ours as unknown as TLSSocket, 'ldaps://fuzz')
  for (let skipped = random.int(300); skipped > 0; skipped -= 1) channel.nextMessageId()
  const messageId = channel.nextMessageId()
  const answer = pickAnswer(resultMessage(messageId, 0x67, 0), messageId, random)
  theirs.once('data', () => void playAnswer(theirs, answer))
  const frame = frameOf(messageId)
  await judge(tally, `write ${index}`, answer, messageId, async () => {
    const exchange = await channel.exchange({ frame, messageId, expects: 'modify', timeoutMs: TIMEOUT_MS })
    if (exchange.kind === 'lost' && channel.isOpen())
      tally.fault(`write ${index}: lost, and the channel is open`)
    if (frame.some((byte) => byte !== 0)) tally.fault(`write ${index}: the frame is not wiped`)
    if (exchange.kind !== 'answered') return exchange.kind
    return exchange.result.code === 0 ? 'accepted' : refusalOf(exchange.result)
  })
  channel.close()
  ours.destroy()
  theirs.destroy()
}

const refusalOf = (result: Parameters<typeof classifyRefusal>[0]): string => {
  const refusal = classifyRefusal(result)
  return refusal.code === 0 ? 'a refusal with code 0' : 'refused'
}

const pickAnswer = (good: Buffer, messageId: number, random: Random): LdapAnswer =>
  bendAnswer(random.pick(LDAP_BENDS), good, messageId, random)

async function judge(
  tally: Tally,
  what: string,
  answer: LdapAnswer,
  messageId: number,
  run: () => Promise<string>,
): Promise<void> {
  const label = `${what} (${answer.bend})`
  const stop = limitTime(tally, label)
  try {
    const result = await run()
    tally.count(answer.bend, result)
    const meaning = meaningOf(Buffer.concat(answer.pieces), messageId)
    if (result === 'accepted' && meaning !== 'success')
      tally.fault(`${label}: accepted, and the bytes say ${meaning}`)
    if (result === 'refused' && meaning !== 'refusal')
      tally.fault(`${label}: refused, and the bytes say ${meaning}`)
    if (answer.bend === 'none' && result !== 'accepted') tally.fault(`${label}: a success is ${result}`)
    if (!['accepted', 'refused', 'lost'].includes(result)) tally.fault(`${label}: ${result}`)
  } catch (error) {
    tally.count(answer.bend, 'thrown')
    tally.fault(`${label} was thrown: ${String(error)}`, error)
  }
  stop()
}

// By timers beside it and not by the clock: on a host that is busy with other things all of them come late.
function limitTime(tally: Tally, label: string): () => void {
  const started = performance.now()
  let timer = setTimeout(() => {
    // Timers that are due together run in no fixed order, so the answer's own gets one more turn.
    timer = setTimeout(() => tally.fault(`${label} took longer than a second`), TIMEOUT_MS)
  }, LATEST_MS - TIMEOUT_MS)
  return () => {
    clearTimeout(timer)
    tally.most('longest, ms', Math.round(performance.now() - started))
  }
}

/** The whole write connection over TLS: bent at the bind, at the look which server it is, or at the modify. */
async function overTls(tally: Tally, server: BentServer, index: number, random: Random): Promise<void> {
  const step: Step = random.pick(['bind', 'service name', 'modify', 'modify', 'modify'])
  let played: LdapAnswer | undefined
  let playedId = 0
  server.play({
    step,
    answer: (messageId) => {
      playedId = messageId
      played = pickAnswer(goodAnswer(step, messageId), messageId, random)
      return played
    },
  })
  const connection = await openWriteConnection(
    server.endpoint,
    server.settings(TLS_TIMEOUT_MS),
    serverNamed(SERVICE_NAME),
  ).catch((error: unknown) => error)
  const bend = played?.bend ?? ''
  if (connection instanceof Error) {
    const code = connection instanceof WritebackError ? connection.code : 'thrown'
    // On a busy host a good answer before the bent one may be late.
    if (!played && code === 'ERR_DIRECTORY_TIMEOUT') return tally.count('not played', 'answered too late')
    tally.count(`TLS ${step}: ${bend}`, code)
    if (step === 'modify' || code === 'thrown')
      tally.fault(`connection ${index} (${step}, ${bend}) does not open: ${String(connection)}`, connection)
    return
  }
  const open = connection as Awaited<ReturnType<typeof openWriteConnection>>
  if (step === 'modify') {
    const asked = open.modify({ dn: 'CN=x', changes: [], controls: [] })
    const kind = await asked.then(({ kind }) => kind)
    if (played) await judge(tally, `TLS write ${index}`, played, playedId, async () => kind)
  } else tally.count(`TLS ${step}: ${bend}`, 'opened')
  open.close()
}

function goodAnswer(step: Step, messageId: number): Buffer {
  if (step === 'bind') return resultMessage(messageId, 0x61, 0)
  if (step === 'modify') return resultMessage(messageId, 0x67, 0)
  const name = step === 'service name' ? SERVICE_NAME : 'CN=Ada,DC=corp,DC=test'
  const attribute = step === 'service name' ? 'dsServiceName' : 'description'
  const entry = entryMessage(messageId, name, { [attribute]: [Buffer.from(name)] })
  return Buffer.concat([entry, resultMessage(messageId, 0x65, 0)])
}

/** The real read client over TLS. */
async function onRead(tally: Tally, server: BentServer, index: number, random: Random): Promise<void> {
  let bend = ''
  server.play({
    step: 'search',
    answer: (messageId) => {
      const answer = pickAnswer(goodAnswer('search', messageId), messageId, random)
      bend = answer.bend
      return answer
    },
  })
  const client = await openReadClient(server.endpoint, server.settings(TLS_TIMEOUT_MS)).catch(
    (error: unknown) => {
      // On a busy host the good answer to the bind may be late.
      if (!(error instanceof WritebackError) || error.code !== 'ERR_DIRECTORY_TIMEOUT') throw error
    },
  )
  if (client === undefined) return tally.count('not played', 'answered too late')
  const stop = limitTime(tally, `read ${index} (${bend})`)
  try {
    const found = await client.search('DC=corp,DC=test', { scope: 'sub', filter: '(cn=*)' })
    tally.count(bend, `entries: ${found.length}`)
    if (bend === 'none' && found.length !== 1)
      tally.fault(`read ${index}: a good answer gives ${found.length}`)
  } catch (error) {
    const isKnown = error instanceof WritebackError
    tally.count(bend, isKnown ? error.code : 'thrown')
    if (!isKnown) tally.fault(`read ${index} (${bend}) was thrown: ${String(error)}`, error)
  }
  stop()
  client.close()
}

/** Floods at every step of a write connection: memory stays, and the connection ends. */
async function floodWrites(tally: Tally, server: BentServer): Promise<void> {
  for (const [step, make] of [
    ['service name', entriesChunk],
    ['modify', entriesChunk],
    ['modify', longMessageChunk],
    ['bind', entriesChunk],
  ] as const) {
    const memory = watchMemory(tally)
    const flooded = new Promise<number>((resolve) =>
      server.play({ step, answer: (id) => ({ chunk: make(id), most: FLOOD_BYTES, onEnd: resolve }) }),
    )
    try {
      const connection = await openWriteConnection(
        server.endpoint,
        server.settings(FLOOD_LIMIT_MS),
        serverNamed(SERVICE_NAME),
      )
      const { kind } = await connection.modify({ dn: 'CN=x', changes: [], controls: [] })
      tally.count(`flood at ${step}`, kind)
      if (kind === 'accepted') tally.fault(`a flood at ${step} is accepted`)
      connection.close()
    } catch (error) {
      tally.count(`flood at ${step}`, error instanceof WritebackError ? error.code : 'thrown')
      if (!(error instanceof WritebackError)) tally.fault(`a flood at ${step} was thrown`, error)
    }
    memory.end(`a flood at ${step}`, await flooded)
  }
}

/** A search answered with entries without end, and with one endless message. */
async function floodReads(tally: Tally, server: BentServer): Promise<void> {
  let sent = 0
  const flooded = new Promise<void>((resolve) =>
    server.play({
      step: 'search',
      answer: (id) => ({
        chunk: entriesChunk(id),
        most: FLOOD_BYTES,
        onEnd: (bytes) => {
          sent = bytes
          resolve()
        },
      }),
    }),
  )
  const client = await openReadClient(server.endpoint, server.settings(FLOOD_LIMIT_MS))
  const result = await client
    .search('DC=corp,DC=test', { scope: 'sub', filter: '(cn=*)' })
    .catch((error) => error)
  tally.count('flood of entries', result instanceof WritebackError ? result.code : 'taken in')
  client.close()
  await flooded
  tally.most('taken in of one answer, KiB', Math.round(sent / 1024))
  if (sent > MOST_OF_A_READ + UNDER_WAY)
    tally.fault(`a read takes in ${Math.round(sent / MIB)} MiB of one answer, more than 16 MiB`)
}

function watchMemory(tally: Tally) {
  const before = tally.heapBytes()
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, tally.heapBytes() - before)
  }, 20)
  return {
    end: (what: string, sent: number) => {
      clearInterval(timer)
      tally.most('memory in a flood, KiB', Math.round(peak / 1024))
      if (peak > MOST_MEMORY)
        tally.fault(`${what} of ${Math.round(sent / MIB)} MiB took ${Math.round(peak / MIB)} MiB of memory`)
    },
  }
}
