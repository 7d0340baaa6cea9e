// A look at the certificate of a directory server: a TLS handshake, and not a byte of LDAP.
import { endOfPeerChain } from '../../telemetry/certificate-end.ts'
import { parseEndpoint } from './server-endpoint.ts'
import { connectTls } from './tls-socket.ts'
import { createTlsTrust, type TrustOptions } from './tls-trust.ts'

/**
 * When the first certificate of the server's chain ends, milliseconds since 1970. Throws ERR_DIRECTORY_UNREACHABLE, _TLS or
 * _TIMEOUT, and ERR_CONFIG_INVALID.
 */
export async function readServerCertificate(
  url: string,
  tls: TrustOptions,
  timeoutMs: number,
): Promise<number | undefined> {
  const socket = await connectTls(parseEndpoint(url, tls.serverName), createTlsTrust(tls), timeoutMs)
  try {
    return endOfPeerChain(socket)
  } finally {
    socket.on('error', () => {})
    socket.destroy()
  }
}
