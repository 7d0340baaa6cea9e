// The one server that takes the writes: the one the configuration names, or the only one. slapd has no role that moves by
// itself, and of several providers each would take a write with the same previous marker.
import { v5 } from 'uuid'
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { ConnectionSettings } from '../bound-channel.ts'
import { openReadClient, type ReadClient } from '../read-client.ts'
import { parseEndpoint, type ServerEndpoint } from '../server-endpoint.ts'
import { readSlapdRoot, type SlapdRoot } from './root-dse.ts'

/** A writer with the connection that found it. */
export interface FoundServer {
  readonly endpoint: ServerEndpoint
  readonly client: ReadClient
  readonly root: SlapdRoot
  /** Made from the configured address: slapd keeps no id of its own that a client could read. */
  readonly server: string
}

/** Connects to the writer. Throws ERR_DIRECTORY_UNSUITABLE (later) when it does not hold the base DN, and what connecting throws. */
export async function findServer(
  choice: { readonly url: string; readonly baseDn: string; readonly serverName: string | undefined },
  settings: ConnectionSettings,
): Promise<FoundServer> {
  const endpoint = parseEndpoint(choice.url, { serverName: choice.serverName })
  const client = await openReadClient(endpoint, settings)
  try {
    const root = await readSlapdRoot(client, endpoint.url, choice.baseDn)
    return { endpoint, client, root, server: serverIdOf(endpoint) }
  } catch (error) {
    client.close()
    throw error
  }
}

/** Which of the configured servers is written. Throws ERR_CONFIG_INVALID when there is none. */
export function chooseWriter(servers: readonly string[], writer: string | undefined): string {
  const url = writer ?? servers[0]
  if (url === undefined) throw new WritebackError('ERR_CONFIG_INVALID', 'the directory has no servers')
  return url
}

/** A UUIDv5 (RFC 9562 §5.5, URL namespace) of host and port: the same for every agent that is told the same address. */
export const serverIdOf = ({ host, port }: Pick<ServerEndpoint, 'host' | 'port'>): string =>
  v5(`ldaps://${host.toLowerCase()}:${port}`, v5.URL)
