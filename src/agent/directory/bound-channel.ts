// The only way to a usable connection: connect, verify, bind. What comes out is bound, or nothing comes out.
import type { BindGate } from './bind-gate.ts'
import { LdapChannel } from './ldap-channel.ts'
import type { ServerEndpoint } from './server-endpoint.ts'
import { type BindDialect, bindService } from './service-bind.ts'
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
  /** Default: a bind asks for nothing beside it. */
  readonly bindDialect?: BindDialect
}

/** A channel that is bound. */
export interface BoundChannel {
  readonly channel: LdapChannel
  /** OIDs of the controls that came with the answer to the bind. */
  readonly bindControls: ReadonlySet<string>
}

/**
 * Opens a bound channel. Throws ERR_DIRECTORY_UNREACHABLE, _TLS, _TIMEOUT, _CLOSED, _BIND_REFUSED or
 * ERR_LDAP_MALFORMED, all to be tried again later.
 */
export async function openBoundChannel(
  endpoint: ServerEndpoint,
  settings: ConnectionSettings,
): Promise<BoundChannel> {
  await settings.gate.check()
  const socket = await connectTls(endpoint, settings.trust, settings.connectTimeoutMs)
  const channel = new LdapChannel(socket, endpoint.url)
  try {
    const { bindName: name, operationTimeoutMs, bindDialect } = settings
    const { controls } = await settings.gate.run((password) =>
      bindService(channel, { name, password }, operationTimeoutMs, bindDialect),
    )
    return { channel, bindControls: new Set(controls.map(({ oid }) => oid)) }
  } catch (error) {
    channel.close()
    throw error
  }
}
