// Stands between agents, commands and the store: ends their TLS with a certificate of the test CA, keeps every header,
// address and body of both directions, and passes all of it on over verified TLS.
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { testCa } from '../servers/test-ca.ts'

/** What of a message is kept apart from the rest. */
export type HttpPart = 'address' | 'request header' | 'answer header' | 'request body' | 'answer body'

/** One kept piece. */
export interface RecordedPiece {
  readonly part: HttpPart
  readonly bytes: Buffer
}

/** A running recorder. */
export interface HttpRecorder {
  readonly url: string
  readonly pieces: () => readonly RecordedPiece[]
  /** Every bearer token so far. */
  readonly tokens: () => ReadonlySet<string>
  readonly stop: () => Promise<void>
}

/** Starts a recorder on the loopback. */
export async function startHttpRecorder(storeUrl: string): Promise<HttpRecorder> {
  const { server: certificate, caFile } = await testCa()
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: true, ca: readFileSync(caFile) })
  const pieces: RecordedPiece[] = []
  const tokens = new Set<string>()
  const keep = (part: HttpPart, bytes: Buffer | string) => pieces.push({ part, bytes: Buffer.from(bytes) })
  const files = { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) }
  const server = createServer(files, (incoming, answer) => {
    keep('address', `${incoming.method} ${incoming.url}\n`)
    keep('request header', headerText(incoming))
    const token = /^Bearer (\S+)$/.exec(incoming.headers.authorization ?? '')?.[1]
    if (token !== undefined) tokens.add(token)
    passOn(incoming, answer, { agent, target: new URL(incoming.url ?? '/', storeUrl), keep })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pieces: () => pieces,
    tokens: () => tokens,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      agent.destroy()
    },
  }
}

const headerText = ({ rawHeaders }: IncomingMessage): string => `${rawHeaders.join('\n')}\n`

function passOn(
  incoming: IncomingMessage,
  answer: ServerResponse,
  way: {
    readonly agent: Agent
    readonly target: URL
    readonly keep: (part: HttpPart, bytes: Buffer | string) => void
  },
): void {
  const { agent, target, keep } = way
  const { method = 'GET', headers } = incoming
  const outgoing = httpsRequest(target, { agent, method, headers }, (response) => {
    keep('answer header', headerText(response))
    answer.writeHead(response.statusCode ?? 502, response.headers)
    response.on('error', () => answer.destroy())
    gather(response, (bytes) => keep('answer body', bytes))
    response.pipe(answer)
  })
  outgoing.on('error', () => answer.destroy())
  answer.on('close', () => outgoing.destroy())
  gather(incoming, (bytes) => keep('request body', bytes))
  incoming.on('error', () => outgoing.destroy())
  incoming.pipe(outgoing)
}

function gather(stream: IncomingMessage, keep: (bytes: Buffer) => void): void {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('close', () => keep(Buffer.concat([...chunks, Buffer.from('\n')])))
}
