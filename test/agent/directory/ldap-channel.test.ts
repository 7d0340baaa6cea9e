// One connection by itself: how far a request got, and that its bytes are gone afterwards. The other side is a bare
// TLS server that says what a test wants.
import { readFileSync } from 'node:fs'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createBindGate } from '../../../src/agent/directory/bind-gate.ts'
import { LdapChannel } from '../../../src/agent/directory/ldap-channel.ts'
import { openReadClient } from '../../../src/agent/directory/read-client.ts'
import { parseEndpoint } from '../../../src/agent/directory/server-endpoint.ts'
import { connectTls } from '../../../src/agent/directory/tls-socket.ts'
import { createTlsTrust, type TlsTrust } from '../../../src/agent/directory/tls-trust.ts'
import { openWriteConnection } from '../../../src/agent/directory/write-connection.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import { WritebackError } from '../../../src/errors/writeback-error.ts'
import { encodeModify } from '../../../src/ldap-wire/encode-request.ts'
import { entriesChunk, SERVICE_NAME, startBentServer } from '../../fuzz/bent-server.ts'
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
  onClient = answer
  return new LdapChannel(await connectTls(parseEndpoint(url), trust, 5000), url)
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

test('the bind gate lets one refusal through per delay, and the delay grows', async () => {
  let nowMs = 0
  const gate = createBindGate(
    { ...systemClock, monotonicMs: () => nowMs },
    { firstMs: 1000, longestMs: 4000 },
  )
  let tries = 0
  const refuse = () => {
    tries += 1
    return Promise.reject(new WritebackError('ERR_DIRECTORY_BIND_REFUSED', 'no', { retry: 'later' }))
  }
  const tryMany = () => Promise.allSettled([gate.run(refuse), gate.run(refuse), gate.run(refuse)])
  await tryMany()
  expect(tries).toBe(1)
  expect(() => gate.check()).toThrow('no')
  nowMs = 1000
  await tryMany()
  expect(tries).toBe(2)
  nowMs = 1999
  await tryMany()
  expect(tries).toBe(2)
  nowMs = 3000
  expect(await gate.run(() => Promise.resolve('bound'))).toBe('bound')
  expect(() => gate.check()).not.toThrow()
  await expect(gate.run(() => Promise.reject(new Error('reset')))).rejects.toThrow('reset')
  expect(() => gate.check()).not.toThrow()
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
  await expect(openWriteConnection(bent.endpoint, bent.settings(10_000), SERVICE_NAME)).rejects.toMatchObject(
    { code: 'ERR_LDAP_MALFORMED' },
  )
  expect(await sent).toBeLessThan(8 * MIB)
  await bent.stop()
})
