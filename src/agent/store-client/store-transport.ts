// HTTPS to the reset store: own trust, deadlines everywhere, no redirect ever followed. The client of Node.js itself does:
// it follows no redirect, unpacks nothing, and knows CONNECT proxies.
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import tls from 'node:tls'
import { WritebackError } from '../../errors/writeback-error.ts'

/** The part of fetch that the client needs. The fetch of Node.js fits too; ours does the same with less work. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: Uint8Array
    readonly redirect: 'manual'
    readonly signal: AbortSignal
  },
) => Promise<{
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: AsyncIterable<Uint8Array> | null
}>

/** A way to the store, and how to let it go. */
export interface StoreTransport {
  readonly fetch: Fetch
  readonly close: () => Promise<void>
}

const MOST_CONNECTIONS = 8

/**
 * Makes the transport. `caFile` replaces the system's authorities. A proxy is taken from HTTPS_PROXY and NO_PROXY of
 * the environment that is handed in. Throws ERR_CONFIG_UNREADABLE when the CA file cannot be read.
 */
export function createStoreTransport(options: {
  readonly caFile: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}): StoreTransport {
  const agent = new Agent({
    ca:
      options.caFile === undefined
        ? [...tls.getCACertificates('default'), ...tls.getCACertificates('system')]
        : readCa(options.caFile),
    minVersion: 'TLSv1.2',
    // Said aloud, or an environment variable of Node.js could switch the check off.
    rejectUnauthorized: true,
    keepAlive: true,
    maxSockets: MOST_CONNECTIONS,
    proxyEnv: { ...options.env },
  })
  return {
    fetch: (url, init) => send(agent, url, init),
    close: async () => agent.destroy(),
  }
}

function send(agent: Agent, url: string, init: Parameters<Fetch>[1]): ReturnType<Fetch> {
  return new Promise((resolve, reject) => {
    const { method, headers, body, signal } = init
    const outgoing = request(
      url,
      { agent, method, headers: { ...headers, 'content-length': body?.length ?? 0 }, signal },
      (incoming) => resolve(answerOf(incoming)),
    )
    outgoing.once('error', (error) => reject(signal.aborted ? signal.reason : error))
    outgoing.end(body)
  })
}

const answerOf = (incoming: IncomingMessage): Awaited<ReturnType<Fetch>> => ({
  status: incoming.statusCode ?? 0,
  headers: { get: (name) => incoming.headers[name]?.toString() ?? null },
  body: incoming,
})

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `CA file ${file} cannot be read`, { cause })
  }
}
