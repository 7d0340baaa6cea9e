// One connection by itself: how far a request got, and that its bytes are gone afterwards. The other side is a bare
// TLS server that says what a test wants.
import { readFileSync } from 'node:fs'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { serverNamed } from '../../../src/agent/directory/active-directory/expected-server.ts'
import { createBindGate } from '../../../src/agent/directory/bind-gate.ts'
import { LdapChannel } from '../../../src/agent/directory/ldap-channel.ts'
import { openReadClient } from '../../../src/agent/directory/read-client.ts'
import { parseEndpoint } from '../../../src/agent/directory/server-endpoint.ts'
import { BindRefused } from '../../../src/agent/directory/service-bind.ts'
import { connectTls } from '../../../src/agent/directory/tls-socket.ts'
import { createTlsTrust, type TlsTrust } from '../../../src/agent/directory/tls-trust.ts'
import { openWriteConnection } from '../../../src/agent/directory/write-connection.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import { WritebackError } from '../../../src/errors/writeback-error.ts'
import { constructed, encodeFrame, integer, octets, text } from '../../../src/ldap-wire/ber-write.ts'
import { encodeModify } from '../../../src/ldap-wire/encode-request.ts'
import { createManualClock } from '../../fakes/manual-clock.ts'
import { entriesChunk, SERVICE_NAME, startBentServer } from '../../fuzz/bent-server.ts'
import { readLdapMessage } from '../../servers/ldap-message.ts'
import { testCa } from '../../servers/test-ca.ts'

let server: Server
let trust: TlsTrust
let url: string
let onClient: (socket: TLSSocket) => void
const sockets = new Set<TLSSocket>()
beforeAll(async () => {
  const ca = await testCa()
  server = createServer(
    { cert: readFileSync(ca.server.certFile), key: readFileSync(ca.server.keyFile) },
    (socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      onClient(socket)
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  trust = createTlsTrust({ ca: [readFileSync(ca.caFile, 'utf8')] })
  const at = server.address()
  url = `ldaps://127.0.0.1:${typeof at === 'object' ? at?.port : ''}`
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
})

async function connected(answer: (socket: TLSSocket) => void): Promise<LdapChannel> {
  // The server may finish the handshake later than the client; the next test must not be given this socket.
  const accepted = new Promise<void>((resolve) => {
    onClient = (socket) => {
      answer(socket)
      resolve()
    }
  })
  const channel = new LdapChannel(await connectTls(parseEndpoint(url), trust, 5000), url)
  await accepted
  return channel
}
const modifyFrame = (size = 100) =>
  encodeModify({
    messageId: 1,
    dn: 'x',
    changes: [{ operation: 'replace', attribute: 'a', values: [Buffer.alloc(size, 0x41)] }],
  })
const request = (frame: Buffer, timeoutMs = 5000) => ({
  frame,
  messageId: 1,
  expects: 'modify' as const,
  timeoutMs,
})
const answered = Buffer.from('300c02010167070a010004000400', 'hex')
const isWiped = (frame: Buffer) => frame.every((byte) => byte === 0)

test('an answered request is answered, and its bytes are gone', async () => {
  const channel = await connected((socket) => socket.once('data', () => socket.write(answered)))
  const frame = modifyFrame()
  expect(await channel.exchange(request(frame))).toMatchObject({ kind: 'answered', result: { code: 0 } })
  expect(isWiped(frame)).toBe(true)
  expect(channel.isOpen()).toBe(true)
  channel.close()
  await channel.closed
})

test('a request the other side does not take in is partly written, and its bytes are gone', async () => {
  const channel = await connected((socket) => socket.pause())
  const frame = modifyFrame(32 * 1024 * 1024)
  expect(await channel.exchange(request(frame, 300))).toMatchObject({
    kind: 'lost',
    phase: 'partly_written',
    cause: { code: 'ERR_DIRECTORY_TIMEOUT' },
  })
  expect(isWiped(frame)).toBe(true)
  expect(channel.isOpen()).toBe(false)
})

test('a dead or busy channel sends nothing, and says so', async () => {
  let received = 0
  const channel = await connected((socket) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
  })
  const first = channel.exchange(request(modifyFrame(), 1000))
  const busy = modifyFrame()
  expect((await channel.exchange(request(busy))).kind).toBe('not_sent')
  expect(isWiped(busy)).toBe(true)
  expect((await first).kind).toBe('lost')
  const frames = [modifyFrame(), modifyFrame()]
  for (const frame of frames) {
    expect(await channel.exchange(request(frame))).toMatchObject({
      kind: 'not_sent',
      cause: { code: 'ERR_DIRECTORY_CLOSED' },
    })
    expect(isWiped(frame)).toBe(true)
  }
  expect(received).toBe(modifyFrame().length)
})

test('a request that may not start is not sent, and the channel stays good', async () => {
  let received = 0
  const channel = await connected((socket) =>
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length
      socket.write(answered)
    }),
  )
  const frame = modifyFrame()
  expect((await channel.exchange({ ...request(frame), mayStart: () => false })).kind).toBe('not_sent')
  expect(isWiped(frame)).toBe(true)
  expect((await channel.exchange(request(modifyFrame()))).kind).toBe('answered')
  expect(received).toBe(modifyFrame().length)
  channel.close()
})

test('what arrives unasked ends the channel', async () => {
  const unasked: readonly Buffer[] = [answered, Buffer.from('junk')]
  for (const bytes of unasked) {
    const channel = await connected((socket) => socket.write(bytes))
    await channel.closed
    expect(channel.isOpen()).toBe(false)
  }
  const twice = await connected((socket) =>
    socket.once('data', () => socket.write(Buffer.concat([answered, answered]))),
  )
  expect((await twice.exchange(request(modifyFrame()))).kind).toBe('answered')
  expect(twice.isOpen()).toBe(false)
})

test('a close while idle is noticed', async () => {
  const channel = await connected((socket) => setTimeout(() => socket.end(), 20))
  expect(channel.isOpen()).toBe(true)
  await channel.closed
  expect(channel.isOpen()).toBe(false)
})

/** An entry of `bytes` bytes, or the end of the search. */
function searchAnswer(messageId: number, bytes: number | undefined): Buffer {
  const entry = (value: Uint8Array) =>
    constructed(0x64, [
      text(0x04, 'CN=x'),
      constructed(0x30, [constructed(0x30, [text(0x04, 'info'), constructed(0x31, [octets(0x04, value)])])]),
    ])
  const done = constructed(0x65, [integer(0x0a, 0), text(0x04, ''), text(0x04, '')])
  const body = bytes === undefined ? done : entry(Buffer.alloc(bytes, 0x41))
  return encodeFrame(constructed(0x30, [integer(0x02, messageId), body]))
}

test.each([
  ['15 entries of 1 MB are read', 15, undefined],
  ['an answer that does not end is cut off at 16 MiB', 10_000, 'ERR_DIRECTORY_CLOSED'],
] as const)(
  '%s',
  async (_what, entries, code) => {
    let sent = 0
    onClient = (socket) =>
      socket.once('data', () => {
        socket.write(Buffer.from('300c02010161070a010004000400', 'hex'))
        socket.once('data', async (bytes: Buffer) => {
          const { messageId } = readLdapMessage(bytes)
          for (let entry = 0; entry < entries && !socket.destroyed; entry += 1) {
            const pdu = searchAnswer(messageId, 1_000_000)
            sent += pdu.length
            socket.write(pdu)
            while (socket.writableNeedDrain && !socket.destroyed) await systemClock.sleep(1)
          }
          socket.write(searchAnswer(messageId, undefined))
        })
      })
    const reader = await openReadClient(parseEndpoint(url), {
      ...{ trust, bindName: 'svc', connectTimeoutMs: 5000, operationTimeoutMs: 20_000 },
      gate: createBindGate({ clock: systemClock, readPassword: async () => Buffer.from('right') }),
    })
    const before = process.memoryUsage.rss()
    const reading = reader.search('CN=x', { scope: 'sub' })
    if (code === undefined) expect(await reading).toHaveLength(entries)
    else {
      const failure = { code, message: expect.stringContaining('grew past 16 MiB') }
      await expect(reading).rejects.toMatchObject(failure)
      expect([reader.isOpen(), sent < 24_000_000]).toEqual([false, true])
      expect(process.memoryUsage.rss() - before).toBeLessThan(200_000_000)
    }
    reader.close()
    await reader.closed
  },
  30_000,
)

test('the bind gate lets one refusal through per delay, and the delay grows', async () => {
  let nowMs = 0
  const gate = createBindGate({
    clock: { ...systemClock, monotonicMs: () => nowMs },
    readPassword: async () => Buffer.from('wrong'),
    backoff: { firstMs: 1000, longestMs: 4000 },
  })
  gate.learn({ threshold: 0, windowMs: 0 })
  let tries = 0
  const refuse = () => {
    tries += 1
    return Promise.reject(new WritebackError('ERR_DIRECTORY_BIND_REFUSED', 'no', { retry: 'later' }))
  }
  const tryMany = () => Promise.allSettled([gate.run(refuse), gate.run(refuse), gate.run(refuse)])
  await tryMany()
  expect(tries).toBe(1)
  await expect(gate.check()).rejects.toThrow('no')
  nowMs = 1000
  await tryMany()
  expect(tries).toBe(2)
  nowMs = 1999
  await tryMany()
  expect(tries).toBe(2)
  nowMs = 3000
  expect(await gate.run(() => Promise.resolve('bound'))).toBe('bound')
  await gate.check()
  await expect(gate.run(() => Promise.reject(new Error('reset')))).rejects.toThrow('reset')
  await gate.check()
})

test('a refused password waits out its delay, another one is tried at once, and never so many that the account locks', async () => {
  const WINDOW_MS = 600_000
  let nowMs = 0
  let password = 'first'
  const handed: Buffer[] = []
  const tried: string[] = []
  const gate = createBindGate({
    clock: { ...systemClock, monotonicMs: () => nowMs },
    readPassword: async () => {
      const bytes = Buffer.from(password)
      handed.push(bytes)
      return bytes
    },
    backoff: { firstMs: 1000, longestMs: 1000 },
  })
  const tryOnce = () =>
    gate
      .run((bytes) => {
        tried.push(bytes.toString())
        if (bytes.toString() === 'right') return Promise.resolve('bound')
        return Promise.reject(new WritebackError('ERR_DIRECTORY_BIND_REFUSED', 'no', { retry: 'later' }))
      })
      .catch(() => 'refused')
  gate.learn({ threshold: 5, windowMs: WINDOW_MS })
  // An hour of tries, every second.
  for (; nowMs < 3_600_000; nowMs += 1000) await tryOnce()
  // Two of one password, then a whole window of peace, by which the directory has forgotten them.
  expect(tried.length).toBeLessThanOrEqual(2 * Math.ceil(3_600_000 / WINDOW_MS))
  expect(tried.length).toBeGreaterThan(4)
  nowMs += WINDOW_MS + 2001
  tried.length = 0
  for (const next of ['first', 'first', 'second', 'second', 'third', 'fourth', 'right']) {
    password = next
    nowMs += 1
    await tryOnce()
  }
  expect(tried).toEqual(['first', 'second', 'third'])
  nowMs += WINDOW_MS + 2001
  expect(await tryOnce()).toBe('bound')
  expect(handed.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true)
})

test('refusals are counted on after a restart, until the directory has forgotten them', async () => {
  const WINDOW_MS = 600_000
  const clock = createManualClock(1_000_000)
  let kept: string | undefined
  let tried = 0
  const start = () => {
    const gate = createBindGate({
      clock,
      readPassword: async () => Buffer.from('wrong'),
      backoff: { firstMs: 1000, longestMs: 1000 },
      memory: {
        read: () => kept,
        write: (refusals) => {
          kept = refusals
        },
      },
    })
    gate.learn({ threshold: 5, windowMs: WINDOW_MS })
    return gate
  }
  const refuse = () => {
    tried += 1
    return Promise.reject(new WritebackError('ERR_DIRECTORY_BIND_REFUSED', 'no', { retry: 'later' }))
  }
  for (let restart = 0; restart < 20; restart += 1) {
    await expect(start().run(refuse)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_BIND_REFUSED' })
    clock.pass(10_000)
  }
  expect(tried).toBe(3)
  await expect(start().check()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_BIND_REFUSED' })
  // A wall clock that was set back does not make them older, nor forgotten.
  clock.shiftWall(-3_600_000)
  await expect(start().check()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_BIND_REFUSED' })
  clock.shiftWall(3_600_000)
  clock.pass(WINDOW_MS)
  expect(await start().run(async () => 'bound')).toBe('bound')
  expect(kept).toBeUndefined()
})

test('what the directory counts as no wrong password does not close the gate for good', async () => {
  let nowMs = 0
  const clock = { ...systemClock, monotonicMs: () => nowMs }
  const tries = async (isCounted: boolean) => {
    const backoff = { firstMs: 1000, longestMs: 1000 }
    const gate = createBindGate({ clock, readPassword: async () => Buffer.from('same'), backoff })
    let tried = 0
    for (let second = 0; second < 20; second += 1, nowMs += 1000)
      await gate
        .run(() => {
          tried += 1
          return Promise.reject(new BindRefused('svc', 'no', isCounted))
        })
        .catch(() => {})
    return tried
  }
  expect([await tries(true), await tries(false)]).toEqual([2, 20])
})

test('binds that are asked for together are made one after the other', async () => {
  const gate = createBindGate({ clock: systemClock, readPassword: async () => Buffer.from('right') })
  let underWay = 0
  let most = 0
  const bind = async () => {
    underWay += 1
    most = Math.max(most, underWay)
    await systemClock.sleep(2)
    underWay -= 1
  }
  await Promise.all(Array.from({ length: 10 }, () => gate.run(bind)))
  expect(most).toBe(1)
})

const MIB = 1024 * 1024

test('a read ends when a value reaches beyond its set, when an answer is no LDAP, and after 16 MiB of one answer', async () => {
  const bent = await startBentServer()
  const endless =
    '3021020102641c0404434e3d7830143012040b6465736372697074696f6e312b040178300c02010265070a010004000400'
  for (const bytes of [Buffer.from(endless, 'hex'), Buffer.from('HTTP/1.1 400 Bad Request')]) {
    bent.play({ step: 'search', answer: () => ({ bend: '', pieces: [bytes], restMs: 0, ends: false }) })
    const client = await openReadClient(bent.endpoint, bent.settings(5000))
    await expect(client.search('DC=x', {})).rejects.toMatchObject({ code: 'ERR_DIRECTORY_CLOSED' })
    expect(client.isOpen()).toBe(false)
  }
  const sent = new Promise<number>((resolve) =>
    bent.play({
      step: 'search',
      answer: (id) => ({ chunk: entriesChunk(id), most: 64 * MIB, onEnd: resolve }),
    }),
  )
  const client = await openReadClient(bent.endpoint, bent.settings(10_000))
  await expect(client.search('DC=x', {})).rejects.toMatchObject({ code: 'ERR_DIRECTORY_CLOSED' })
  expect(await sent).toBeLessThan(24 * MIB)
  await bent.stop()
})

test('a search of one entry that brings many ends the channel at the second', async () => {
  const bent = await startBentServer()
  const sent = new Promise<number>((resolve) =>
    bent.play({
      step: 'service name',
      answer: (id) => ({ chunk: entriesChunk(id), most: 64 * MIB, onEnd: resolve }),
    }),
  )
  await expect(
    openWriteConnection(bent.endpoint, bent.settings(10_000), serverNamed(SERVICE_NAME)),
  ).rejects.toMatchObject({ code: 'ERR_LDAP_MALFORMED' })
  expect(await sent).toBeLessThan(8 * MIB)
  await bent.stop()
})
