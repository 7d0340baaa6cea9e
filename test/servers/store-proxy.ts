// What may stand between an agent and the store: a CONNECT proxy that opens TLS with a certificate of the test CA, passes
// every call on to the real store, and plays faults on the answers of the calls that a test names.
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, createServer as createTlsServer, request } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { testCa } from './test-ca.ts'

/** What becomes of a call. */
export type StoreFault =
  /** The store does not hear of it; the agent gets this status. */
  | { readonly kind: 'status'; readonly status: number }
  /** The store carries it out, and the connection ends instead of an answer. */
  | { readonly kind: 'drop-answer' }
  /** The store carries it out; of the answer all but the last byte comes. */
  | { readonly kind: 'truncate' }
  /** The store carries it out; the answer comes byte by byte, one every `everyMs`. */
  | { readonly kind: 'drip'; readonly everyMs: number }
  /** The store carries it out; the agent gets `edit` of its answer. */
  | { readonly kind: 'edit'; readonly edit: (answer: string) => string }

/** A call as it passed. */
export interface SeenCall {
  readonly path: string
  readonly body: string
  readonly status: number
  readonly answer: string
}

/** A running proxy. */
export interface StoreProxy {
  /** For HTTPS_PROXY. */
  readonly url: string
  /** Plays `fault` on the next `times` (default 1) calls whose path ends with `path`; gives how many it has hit. */
  readonly onCall: (path: string, fault: StoreFault, times?: number) => { readonly hits: () => number }
  /** The next `times` CONNECT calls are answered 407. */
  readonly wantCredentials: (times: number) => { readonly hits: () => number }
  readonly calls: () => readonly SeenCall[]
  /** Ends every connection of the agent. */
  readonly endAll: () => void
  readonly stop: () => Promise<void>
}

interface Rule {
  readonly path: string
  readonly fault: StoreFault
  left: number
  hits: number
}

/** Starts a proxy on a free port of 127.0.0.1. The caller stops it. */
export async function startStoreProxy(): Promise<StoreProxy> {
  const ca = await testCa()
  const agent = new Agent({ ca: readFileSync(ca.caFile), keepAlive: true })
  const rules: Rule[] = []
  const calls: SeenCall[] = []
  const sockets = new Set<Socket>()
  const refusals = { left: 0, hits: 0 }
  const files = { cert: readFileSync(ca.server.certFile), key: readFileSync(ca.server.keyFile) }
  const inside = createTlsServer(files, (incoming, answer) => {
    pass(incoming, answer).catch(() => answer.destroy())
  })
  const pass = async (incoming: IncomingMessage, answer: ServerResponse) => {
    const body = await textOf(incoming)
    const path = incoming.url ?? ''
    const rule = rules.find((one) => one.left > 0 && path.endsWith(one.path))
    if (rule) {
      rule.left -= 1
      rule.hits += 1
    }
    const fault = rule?.fault
    if (fault?.kind === 'status') {
      calls.push({ path, body, status: fault.status, answer: '' })
      return void answer.writeHead(fault.status).end()
    }
    const told = await askStore(agent, incoming, body)
    calls.push({ path, body, ...told })
    return play(fault, told, answer)
  }
  const outside = createServer((_, answer) => void answer.writeHead(405).end())
  outside.on('connect', (_, client: Socket) => {
    if (refusals.left > 0) {
      refusals.left -= 1
      refusals.hits += 1
      return client.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n')
    }
    sockets.add(client)
    client.on('error', () => undefined)
    client.on('close', () => sockets.delete(client))
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    return inside.emit('connection', client)
  })
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  const endAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${(outside.address() as AddressInfo).port}`,
    onCall: (path, fault, times = 1) => {
      const rule: Rule = { path, fault, left: times, hits: 0 }
      rules.push(rule)
      return { hits: () => rule.hits }
    },
    wantCredentials: (times) => {
      const before = refusals.hits
      refusals.left = times
      return { hits: () => refusals.hits - before }
    },
    calls: () => calls,
    endAll,
    stop: async () => {
      endAll()
      agent.destroy()
      outside.close()
      inside.close()
    },
  }
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = ''
  incoming.setEncoding('utf8')
  for await (const part of incoming) text += part
  return text
}

/** Repeats a call at the real store, with its own host, path, headers and body. */
function askStore(
  agent: Agent,
  incoming: IncomingMessage,
  body: string,
): Promise<{ readonly status: number; readonly answer: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `https://${incoming.headers.host}${incoming.url}`,
      { agent, method: incoming.method, headers: incoming.headers },
      (answer) => {
        textOf(answer).then((text) => resolve({ status: answer.statusCode ?? 0, answer: text }), reject)
      },
    )
    outgoing.on('error', reject)
    // A connection that is kept serves many requests.
    const giveUp = () => outgoing.destroy()
    incoming.socket.on('close', giveUp)
    outgoing.on('close', () => incoming.socket.off('close', giveUp))
    outgoing.end(body)
  })
}

function play(
  fault: StoreFault | undefined,
  { status, answer: text }: { readonly status: number; readonly answer: string },
  answer: ServerResponse,
): void {
  const head = () => answer.writeHead(status, { 'content-type': 'application/json' })
  if (fault?.kind === 'drop-answer') answer.destroy()
  else if (fault?.kind === 'truncate') head().end(text.slice(0, -1))
  else if (fault?.kind === 'edit') head().end(fault.edit(text))
  else if (fault?.kind === 'drip') {
    head()
    let sent = 0
    const timer = setInterval(() => {
      if (sent < text.length) answer.write(text[sent++])
      else answer.end()
    }, fault.everyMs)
    answer.on('close', () => clearInterval(timer))
  } else if (text === '') answer.writeHead(status).end()
  else head().end(text)
}
