// Where a domain controller is, out of its configured URL.
import { isIP, type LookupFunction } from 'node:net'
import { WritebackError } from '../../errors/writeback-error.ts'

/** One LDAPS address. `serverName` is the name the certificate must carry. */
export interface ServerEndpoint {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly serverName: string
  /** Resolves the host; undefined: this host does. */
  readonly lookup: LookupFunction | undefined
}

/** What is not in the URL. */
export interface EndpointWay {
  /** The name in the certificate. Default: the host of the URL. */
  readonly serverName?: string | undefined
  readonly lookup?: LookupFunction | undefined
}

const LDAPS_PORT = 636
// They answer reads and refuse every write, so a wrong port looks right until the first reset.
const GLOBAL_CATALOG_PORTS = [3268, 3269]

/** Reads an `ldaps://` URL. Throws ERR_CONFIG_INVALID, or ERR_DIRECTORY_UNSUITABLE for a global catalog port. */
export function parseEndpoint(url: string, { serverName, lookup }: EndpointWay = {}): ServerEndpoint {
  const parsed = URL.parse(url)
  if (parsed?.protocol !== 'ldaps:' || parsed.hostname === '') {
    throw new WritebackError('ERR_CONFIG_INVALID', `not an ldaps URL: ${url}`)
  }
  const port = parsed.port === '' ? LDAPS_PORT : Number(parsed.port)
  if (GLOBAL_CATALOG_PORTS.includes(port)) {
    throw new WritebackError(
      'ERR_DIRECTORY_UNSUITABLE',
      `${url} is a global catalog port, which takes no writes`,
    )
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1')
  return { url, host, port, serverName: serverName ?? host, lookup }
}

/** The name to send in the TLS handshake: none for an IP address (RFC 6066 §3). */
export function serverNameIndication(endpoint: ServerEndpoint): string {
  return isIP(endpoint.serverName) === 0 ? endpoint.serverName : ''
}
