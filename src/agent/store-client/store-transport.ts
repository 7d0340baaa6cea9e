// HTTPS to the reset store: own trust, deadlines everywhere, no redirect ever followed.
import { readFileSync } from 'node:fs'
import tls from 'node:tls'
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici'
import { WritebackError } from '../../errors/writeback-error.ts'

/** The part of fetch that the client needs. The fetch of Node.js fits too; ours does the same with a third of the work. */
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

const CONNECT_TIMEOUT_MS = 5_000
const KEEP_ALIVE_MS = 60_000

/**
 * Makes the transport. `caFile` replaces the system's authorities. A proxy is taken from HTTPS_PROXY and NO_PROXY of
 * the environment that is handed in. Throws ERR_CONFIG_UNREADABLE when the CA file cannot be read.
 */
export function createStoreTransport(options: {
  readonly caFile: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}): StoreTransport {
  const ca =
    options.caFile === undefined
      ? [...tls.getCACertificates('default'), ...tls.getCACertificates('system')]
      : readCa(options.caFile)
  // Said aloud, or an environment variable of Node.js could switch the check off.
  const connect = {
    ca,
    timeout: CONNECT_TIMEOUT_MS,
    minVersion: 'TLSv1.2' as const,
    rejectUnauthorized: true,
  }
  const shared = { connect, keepAliveTimeout: KEEP_ALIVE_MS, connections: 8, pipelining: 1 }
  const proxy = options.env['HTTPS_PROXY'] ?? options.env['https_proxy']
  const dispatcher = proxy
    ? new EnvHttpProxyAgent({
        ...shared,
        requestTls: connect,
        httpsProxy: proxy,
        noProxy: options.env['NO_PROXY'] ?? options.env['no_proxy'] ?? '',
      })
    : new Agent(shared)
  return {
    fetch: (url, init) => send(dispatcher, url, init),
    close: () => dispatcher.destroy(),
  }
}

// Neither follows redirects nor unpacks content: the agent asks for neither.
const send = async (dispatcher: Dispatcher, url: string, init: Parameters<Fetch>[1]): ReturnType<Fetch> => {
  const { statusCode, headers, body } = await request(url, {
    dispatcher,
    method: init.method as Dispatcher.HttpMethod,
    headers: init.headers,
    signal: init.signal,
    ...(init.body === undefined ? {} : { body: init.body }),
  })
  return { status: statusCode, headers: { get: (name) => headers[name]?.toString() ?? null }, body }
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `CA file ${file} cannot be read`, { cause })
  }
}
