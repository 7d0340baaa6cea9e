// HTTPS to the reset store: own trust, deadlines everywhere, no redirect ever followed. The client of Node.js itself does:
// it follows no redirect, unpacks nothing, and knows CONNECT proxies.
import type { IncomingMessage } from 'node:http'
import { Agent, type AgentOptions, request } from 'node:https'
import tls from 'node:tls'
import { readCertificates } from '../../config/pem-file.ts'
import { endOfPeerChain } from '../../telemetry/certificate-end.ts'
import type { ClientCertificateWatch } from './client-certificate.ts'

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
  /** When the first certificate of the store's chain ends, milliseconds since 1970; by a connection of its own. */
  readonly readCertificate: (url: string, signal: AbortSignal) => Promise<number | undefined>
  readonly close: () => Promise<void>
}

const MOST_CONNECTIONS = 8

/** What the transport is made of. `caFile` replaces the system's authorities. */
export interface TransportOptions {
  readonly caFile: string | undefined
  /** A proxy is taken from HTTPS_PROXY and NO_PROXY in it. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Shown to a store that asks for one. */
  readonly clientCertificate?: ClientCertificateWatch | undefined
}

/** Makes the transport. Throws ERR_CONFIG_UNREADABLE or ERR_CONFIG_INVALID for the CA file. */
export function createStoreTransport(options: TransportOptions): StoreTransport {
  const settings = settingsOf(options)
  const agent = new Agent({ ...settings, keepAlive: true, maxSockets: MOST_CONNECTIONS })
  return {
    fetch: (url, init) => {
      // Connections are kept by what they were made with: a renewed pair makes new ones, and lets the old ones end.
      Object.assign(agent.options, options.clientCertificate?.current())
      return send(agent, url, init)
    },
    readCertificate: (url, signal) =>
      readCertificate(new Agent({ ...settings, ...options.clientCertificate?.current() }), url, signal),
    close: async () => agent.destroy(),
  }
}

function settingsOf({ caFile, env }: TransportOptions): AgentOptions {
  return {
    ca:
      caFile === undefined
        ? [...tls.getCACertificates('default'), ...tls.getCACertificates('system')]
        : readCertificates(caFile),
    minVersion: 'TLSv1.2',
    // Said aloud, or an environment variable of Node.js could switch the check off.
    rejectUnauthorized: true,
    proxyEnv: { ...env },
  }
}

/** A connection of its own: a kept one shows the certificate of the day on which it was made. */
function readCertificate(agent: Agent, url: string, signal: AbortSignal): Promise<number | undefined> {
  return new Promise<number | undefined>((resolve, reject) => {
    const outgoing = request(new URL('/livez', url), { agent, method: 'GET', signal }, (incoming) => {
      resolve(endOfPeerChain(incoming.socket as tls.TLSSocket))
      incoming.destroy()
    })
    outgoing.once('error', reject)
    outgoing.end()
  }).finally(() => agent.destroy())
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
