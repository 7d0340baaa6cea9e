// A TLS server that speaks just enough LDAP to be bound to, and gives the answer a run wants at the step it wants.
import { readFileSync } from 'node:fs'
import { createServer, type TLSSocket } from 'node:tls'
import { createBindGate } from '../../src/agent/directory/bind-gate.ts'
import type { ConnectionSettings } from '../../src/agent/directory/bound-channel.ts'
import { parseEndpoint, type ServerEndpoint } from '../../src/agent/directory/server-endpoint.ts'
import { createTlsTrust } from '../../src/agent/directory/tls-trust.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { testCa } from '../servers/test-ca.ts'
import { element, entryMessage, type LdapAnswer, resultMessage } from './ldap-answers.ts'

/** Which request of a connection gets the wanted answer. */
export type Step = 'bind' | 'service name' | 'modify' | 'search'

/** What one connection is to meet. */
export interface Scene {
  readonly step: Step
  readonly answer: (messageId: number) => LdapAnswer | Flood
}

/** The same chunk again and again, until the other side goes away or `most` bytes were sent. */
export interface Flood {
  readonly chunk: Buffer
  readonly most: number
  readonly onEnd: (sent: number) => void
}

/** The name of the server's settings entry, which a write connection compares. */
export const SERVICE_NAME = 'CN=NTDS Settings,CN=DC1,DC=corp,DC=test'
const BASE_SEARCH_OF_ROOT = 0

/** A running server. Scenes are played in the order in which they were put on. */
export interface BentServer {
  readonly endpoint: ServerEndpoint
  readonly settings: (timeoutMs: number) => ConnectionSettings
  readonly play: (scene: Scene) => void
  readonly stop: () => Promise<void>
}

/** Starts the server on loopback. */
export async function startBentServer(): Promise<BentServer> {
  const ca = await testCa()
  const scenes: Scene[] = []
  const sockets = new Set<TLSSocket>()
  const server = createServer(
    { cert: readFileSync(ca.server.certFile), key: readFileSync(ca.server.keyFile) },
    (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket)).on('error', () => {})
      const scene = scenes.shift()
      if (scene === undefined) socket.destroy()
      else socket.on('data', (request: Buffer) => answerRequest(socket, request, scene))
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = server.address()
  const url = `ldaps://127.0.0.1:${typeof at === 'object' ? at?.port : ''}`
  const trust = createTlsTrust({ ca: [readFileSync(ca.caFile, 'utf8')] })
  return {
    endpoint: parseEndpoint(url),
    settings: (operationTimeoutMs) => ({
      trust,
      bindName: 'svc',
      gate: createBindGate({ clock: systemClock, readPassword: async () => Buffer.from('not a secret') }),
      connectTimeoutMs: 5_000,
      operationTimeoutMs,
    }),
    play: (scene) => scenes.push(scene),
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function answerRequest(socket: TLSSocket, request: Buffer, scene: Scene): void {
  const { messageId, step } = readRequest(request)
  if (step === scene.step) {
    const answer = scene.answer(messageId)
    if ('most' in answer) flood(socket, answer)
    else void playAnswer(socket, answer)
  } else if (step === 'bind') socket.write(resultMessage(messageId, 0x61, 0))
  else if (step === 'service name') {
    const entry = entryMessage(messageId, '', { dsServiceName: [Buffer.from(SERVICE_NAME)] })
    socket.write(Buffer.concat([entry, resultMessage(messageId, 0x65, 0)]))
  }
}

function readRequest(request: Buffer): { readonly messageId: number; readonly step: Step | 'other' } {
  const header = (request[1] ?? 0) < 0x80 ? 2 : 2 + ((request[1] ?? 0) & 0x7f)
  const size = request[header + 1] ?? 1
  const messageId = request.readUIntBE(header + 2, size)
  const at = header + 2 + size
  const tag = request[at]
  if (tag === 0x60) return { messageId, step: 'bind' }
  if (tag === 0x66) return { messageId, step: 'modify' }
  if (tag !== 0x63) return { messageId, step: 'other' }
  const inner = (request[at + 1] ?? 0) < 0x80 ? at + 2 : at + 2 + ((request[at + 1] ?? 0) & 0x7f)
  return { messageId, step: request[inner + 1] === BASE_SEARCH_OF_ROOT ? 'service name' : 'search' }
}

/** Sends the pieces of an answer with its rests. */
export async function playAnswer(
  socket: {
    readonly write: (bytes: Buffer) => unknown
    readonly end: () => unknown
    readonly destroyed: boolean
  },
  { pieces, restMs, ends }: LdapAnswer,
): Promise<void> {
  for (const [index, piece] of pieces.entries()) {
    if (index > 0 && restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
    if (socket.destroyed) return
    socket.write(piece)
  }
  if (ends) socket.end()
}

function flood(socket: TLSSocket, { chunk, most, onEnd }: Flood): void {
  let sent = 0
  const more = () => {
    while (!socket.destroyed && sent < most) {
      sent += chunk.length
      if (!socket.write(chunk)) return void socket.once('drain', more)
    }
    if (sent >= most) socket.end()
  }
  socket.once('close', () => onEnd(sent))
  more()
}

/** A piece of a flood of entries: many small messages that each are right. */
export function entriesChunk(messageId: number): Buffer {
  const one = entryMessage(messageId, 'CN=Flood,DC=corp,DC=test', { description: [Buffer.alloc(900, 'x')] })
  return Buffer.concat(Array.from({ length: 64 }, () => one))
}

/** A piece of one message that says it has just under 1 MiB. */
export const longMessageChunk = (): Buffer => element(0x30, Buffer.alloc(1024 * 1024 - 64, 4))
