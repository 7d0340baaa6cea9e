// A look at the certificate of a directory server: a TLS handshake, and not a byte of LDAP.
import type { LookupFunction } from 'node:net'
import { endOfPeerChain } from '../../telemetry/certificate-end.ts'
import { parseEndpoint } from './server-endpoint.ts'
import { connectTls } from './tls-socket.ts'
import { createTlsTrust, type TrustOptions } from './tls-trust.ts'

/** How the server is reached and trusted. */
export interface CertificateLook {
  readonly tls: TrustOptions
  /** Default: as this host resolves names. */
  readonly lookup?: LookupFunction | undefined
  readonly timeoutMs: number
}

/**
 * When the first certificate of the server's chain ends, milliseconds since 1970. Throws ERR_DIRECTORY_UNREACHABLE, _TLS or
 * _TIMEOUT, and ERR_CONFIG_INVALID.
 */
export async function readServerCertificate(
  url: string,
  { tls, lookup, timeoutMs }: CertificateLook,
): Promise<number | undefined> {
  const endpoint = parseEndpoint(url, { serverName: tls.serverName, lookup })
  const socket = await connectTls(endpoint, createTlsTrust(tls), timeoutMs)
  try {
    return endOfPeerChain(socket)
  } finally {
    socket.on('error', () => {})
    socket.destroy()
  }
}
