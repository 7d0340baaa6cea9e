// One TCP and TLS connection to a domain controller. No byte of LDAP is sent before the certificate is accepted.
import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { WritebackError } from '../../errors/writeback-error.ts'
import { type ServerEndpoint, serverNameIndication } from './server-endpoint.ts'
import type { TlsTrust } from './tls-trust.ts'

// Long enough to cost nothing, short enough to notice a dead peer before most next requests.
const KEEP_ALIVE_MS = 30_000

/**
 * Connects, within one deadline for TCP and TLS together. Throws ERR_DIRECTORY_UNREACHABLE, ERR_DIRECTORY_TLS or
 * ERR_DIRECTORY_TIMEOUT, all to be tried again later.
 */
export function connectTls(endpoint: ServerEndpoint, trust: TlsTrust, timeoutMs: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    let tcpIsOpen = false
    const socket = connect({
      host: endpoint.host,
      port: endpoint.port,
      ...(endpoint.lookup === undefined ? {} : { lookup: endpoint.lookup }),
      servername: serverNameIndication(endpoint),
      secureContext: trust.secureContext,
      // Said aloud, or an environment variable of Node.js could switch the check off.
      rejectUnauthorized: true,
      // Node judges the name it connected to; behind a proxy or an address the certificate's name may be another.
      checkServerIdentity: (_host, certificate) => trust.checkIdentity(endpoint.serverName, certificate),
    })
    const settle = (error?: WritebackError) => {
      clearTimeout(timer)
      socket.removeAllListeners('connect').removeAllListeners('secureConnect').removeAllListeners('close')
      socket.removeAllListeners('error')
      if (error === undefined) return resolve(socket)
      // A destroyed socket may still report an error, and nobody else listens.
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(
      () => settle(failure('ERR_DIRECTORY_TIMEOUT', endpoint, 'no connection in time')),
      timeoutMs,
    )
    socket.once('connect', () => {
      tcpIsOpen = true
      socket.setKeepAlive(true, KEEP_ALIVE_MS)
      socket.setNoDelay(true)
    })
    socket.once('secureConnect', () => settle())
    socket.once('close', () =>
      settle(failure('ERR_DIRECTORY_CLOSED', endpoint, 'closed during the TLS handshake')),
    )
    socket.once('error', (cause: NodeJS.ErrnoException) => settle(connectFailure(endpoint, tcpIsOpen, cause)))
  })
}

function connectFailure(
  endpoint: ServerEndpoint,
  tcpIsOpen: boolean,
  cause: NodeJS.ErrnoException,
): WritebackError {
  // A reset is the network's or a restarting server's doing, not a word about a certificate.
  const network =
    !tcpIsOpen || cause.code === 'ECONNRESET' || cause.code === 'EPIPE' || cause.code === 'ETIMEDOUT'
  return network
    ? failure('ERR_DIRECTORY_UNREACHABLE', endpoint, 'no connection', cause)
    : failure('ERR_DIRECTORY_TLS', endpoint, `no trusted TLS as ${nameOf(endpoint)}`, cause)
}

function nameOf(endpoint: ServerEndpoint): string {
  return isIP(endpoint.serverName) === 0 ? endpoint.serverName : `address ${endpoint.serverName}`
}

function failure(
  code: 'ERR_DIRECTORY_UNREACHABLE' | 'ERR_DIRECTORY_TLS' | 'ERR_DIRECTORY_TIMEOUT' | 'ERR_DIRECTORY_CLOSED',
  endpoint: ServerEndpoint,
  what: string,
  cause?: unknown,
): WritebackError {
  return new WritebackError(code, `${endpoint.url}: ${what}`, {
    retry: 'later',
    ...(cause === undefined ? {} : { cause }),
  })
}
