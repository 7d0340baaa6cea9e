// Records on their way to a syslog collector: a real TLS server that reads frames by their length.
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { afterEach, expect, test } from '@jest/globals'
import { systemClock } from '../../src/clock/clock.ts'
import { createSyslog, type Syslog } from '../../src/telemetry/create-syslog.ts'
import { frameSyslog } from '../../src/telemetry/syslog-frame.ts'
import { testCa } from '../servers/test-ca.ts'

const SOURCE = { host: 'agent host', program: 'writeback', processId: 7 }
const TIME = '2026-10-11T22:14:15.003Z'
const ca = await testCa()
const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step()
})

/** A collector; `messages` are what the frames held. */
async function collect(certificate = ca.server, port = 0) {
  let bytes = Buffer.alloc(0)
  const messages: string[] = []
  const sockets = new Set<TLSSocket>()
  const key = readFileSync(certificate.keyFile)
  const server: Server = createServer({ key, cert: readFileSync(certificate.certFile) }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (part) => {
      bytes = Buffer.concat([bytes, part])
      for (;;) {
        const space = bytes.indexOf(32)
        const length = Number(bytes.toString('latin1', 0, space))
        if (space < 1 || bytes.length < space + 1 + length) return
        messages.push(bytes.toString('utf8', space + 1, space + 1 + length))
        bytes = bytes.subarray(space + 1 + length)
      }
    })
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const stop = () =>
    new Promise((resolve) => {
      for (const socket of sockets) socket.destroy()
      server.close(resolve)
    })
  cleanUp.push(stop)
  return { messages, stop, port: (server.address() as AddressInfo).port }
}

function forwardTo(port: number, mostKept = 100, serverName?: string) {
  const told: (string | undefined)[] = []
  const syslog: Syslog = createSyslog({
    ...{ host: '127.0.0.1', port, serverName, source: SOURCE, clock: systemClock, mostKept },
    ca: readFileSync(ca.caFile, 'utf8'),
    told: (failure) => told.push(failure),
  })
  cleanUp.push(syslog.stop)
  const send = (text: string) => syslog.send({ time: TIME, kind: 'intent', severity: 'info', text })
  return { send, told, stop: syslog.stop }
}

async function until(isReached: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400 && !isReached(); tries += 1) await systemClock.sleep(20)
  expect(isReached()).toBe(true)
}

test('a message has the form of RFC 5424, and its length in bytes stands before it', () => {
  const frame = frameSyslog({ time: TIME, kind: 'intent', severity: 'info', text: '{"name":"Zoë"}' }, SOURCE)
  const message = `<110>1 ${TIME} agenthost writeback 7 intent - {"name":"Zoë"}`
  expect(frame.toString()).toBe(`${Buffer.byteLength(message)} ${message}`)
})

test('records arrive in order over a checked connection', async () => {
  const { messages, port } = await collect()
  const { send, told } = forwardTo(port)
  for (let at = 0; at < 50; at += 1) send(`{"sequence":${at}}`)
  await until(() => messages.length === 50)
  expect(messages.map((text) => text.slice(text.indexOf('{')))).toEqual(
    Array.from({ length: 50 }, (_, at) => `{"sequence":${at}}`),
  )
  expect(told).toEqual([undefined])
})

test('a collector whose certificate is not trusted gets nothing', async () => {
  const { messages, port } = await collect(ca.stranger)
  const { send, told } = forwardTo(port)
  send('{}')
  await until(() => told.length > 0)
  expect(told[0]).toMatch(/certificate/)
  expect(messages).toEqual([])
})

test('while the collector is away the newest are kept, and how many were dropped is said first', async () => {
  const gone = await collect()
  await gone.stop()
  const { send, told } = forwardTo(gone.port, 3)
  for (let at = 0; at < 10; at += 1) send(`{"sequence":${at}}`)
  await until(() => told.length > 0)
  const { messages } = await collect(ca.server, gone.port)
  await until(() => messages.length === 4)
  expect(messages.map((text) => text.slice(text.indexOf('{')))).toEqual([
    '{"kind":"dropped","records":7}',
    ...['{"sequence":7}', '{"sequence":8}', '{"sequence":9}'],
  ])
  expect(messages[0]).toMatch(/^<108>1 /)
  expect(told.at(-1)).toBeUndefined()
})

test('a stop lets what waits leave', async () => {
  const { messages, port } = await collect()
  const { send, stop } = forwardTo(port)
  send('{"sequence":0}')
  await until(() => messages.length === 1)
  for (let at = 1; at < 20; at += 1) send(`{"sequence":${at}}`)
  await stop()
  await until(() => messages.length === 20)
})

test('a certificate is held against the server name, also when that is an address', async () => {
  const { messages, port } = await collect()
  const { send, told } = forwardTo(port, 100, '127.0.0.99')
  send('{}')
  await until(() => told.length > 0)
  expect(told[0]).toMatch(/127\.0\.0\.99/)
  expect(messages).toEqual([])
})

test('a collector that hangs does not keep the agent: its connection is gone soon after the stop', async () => {
  const key = readFileSync(ca.server.keyFile)
  const held: TLSSocket[] = []
  const options = { key, cert: readFileSync(ca.server.certFile), allowHalfOpen: true }
  // It reads nothing and answers no end.
  const server = createServer(options, (socket) => {
    socket.on('error', () => {})
    held.push(socket.pause())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanUp.push(() => {
    for (const socket of held) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  const { send, stop } = forwardTo(port)
  send('{}')
  await until(() => held.length === 1)
  const connections = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'TLSSocketWrap' || name === 'TCPSocketWrap')
      .length
  const before = connections()
  await stop()
  await systemClock.sleep(50)
  expect(connections()).toBeLessThan(before)
})
