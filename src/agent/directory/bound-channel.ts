// The only way to a usable connection: connect, verify, bind. What comes out is bound, or nothing comes out.
import type { BindGate } from './bind-gate.ts'
import { LdapChannel } from './ldap-channel.ts'
import type { ServerEndpoint } from './server-endpoint.ts'
import { bindService } from './service-bind.ts'
import { connectTls } from './tls-socket.ts'
import type { TlsTrust } from './tls-trust.ts'

/** All that connections of one directory have in common. */
export interface ConnectionSettings {
  readonly trust: TlsTrust
  /** The service account: a DN, user@realm, or DOMAIN\\user. */
  readonly bindName: string
  readonly gate: BindGate
  readonly connectTimeoutMs: number
  readonly operationTimeoutMs: number
}

/**
 * Opens a bound channel. Throws ERR_DIRECTORY_UNREACHABLE, _TLS, _TIMEOUT, _CLOSED, _BIND_REFUSED or
 * ERR_LDAP_MALFORMED, all to be tried again later.
 */
export async function openBoundChannel(
  endpoint: ServerEndpoint,
  settings: ConnectionSettings,
): Promise<LdapChannel> {
  await settings.gate.check()
  const socket = await connectTls(endpoint, settings.trust, settings.connectTimeoutMs)
  const channel = new LdapChannel(socket, endpoint.url)
  try {
    await settings.gate.run((password) =>
      bindService(channel, { name: settings.bindName, password }, settings.operationTimeoutMs),
    )
    return channel
  } catch (error) {
    channel.close()
    throw error
  }
}
