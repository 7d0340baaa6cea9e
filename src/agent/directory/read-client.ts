// A connection for reads: ldapts on a socket that this project connected, verified and bound. ldapts would connect
// again without a bind when its socket is lost; here it has no way to, so a lost client stays lost.
import type { TLSSocket } from 'node:tls'
import {
  Client,
  type Control,
  type Entry,
  NoSuchObjectError,
  ResultCodeError,
  type SearchOptions,
} from 'ldapts'
import { WritebackError } from '../../errors/writeback-error.ts'
import { type ConnectionSettings, openBoundChannel } from './bound-channel.ts'
import { createCheckedStream } from './checked-stream.ts'
import { classifyRefusal, printable } from './classify-error.ts'
import type { ServerEndpoint } from './server-endpoint.ts'

/** A bound connection that only reads. */
export interface ReadClient {
  readonly isOpen: () => boolean
  /** The entries found; none when the base does not exist. Throws ERR_DIRECTORY_CLOSED, _TIMEOUT, _BUSY, _REFUSED. */
  readonly search: (base: string, options: SearchOptions, control?: Control) => Promise<Entry[]>
  /** OIDs of the controls that came with the answer to its bind. */
  readonly bindControls: ReadonlySet<string>
  readonly close: () => void
  readonly closed: Promise<void>
}

/** Opens a read client. Throws as `openBoundChannel` does. */
export async function openReadClient(
  endpoint: ServerEndpoint,
  settings: ConnectionSettings,
): Promise<ReadClient> {
  const { channel, bindControls } = await openBoundChannel(endpoint, settings)
  const socket = channel.release()
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const { stream, beginAnswer, isFlooded } = createCheckedStream(socket)
  let given = false
  const client = new Client({
    url: `ldaps://${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`,
    timeout: settings.operationTimeoutMs,
    createSecureConnection: () => {
      if (given) throw new Error('the connection is lost')
      given = true
      return stream as TLSSocket
    },
  })
  const isOpen = () => !socket.destroyed && socket.writable
  return {
    ...{ isOpen, closed, bindControls },
    close: () => socket.destroy(),
    search: async (base, options, control) => {
      const started = performance.now()
      beginAnswer()
      try {
        return (await client.search(base, options, control)).searchEntries
      } catch (cause) {
        if (cause instanceof NoSuchObjectError) return []
        if (!(cause instanceof ResultCodeError)) socket.destroy()
        if (isFlooded()) throw flooded(endpoint.url, cause)
        throw readFailure(endpoint.url, cause, performance.now() - started >= settings.operationTimeoutMs)
      }
    },
  }
}

const flooded = (url: string, cause: unknown): WritebackError =>
  new WritebackError('ERR_DIRECTORY_CLOSED', `${url}: the answer to a read grew past 16 MiB`, {
    retry: 'later',
    cause,
  })

function readFailure(url: string, cause: unknown, timedOut: boolean): WritebackError {
  if (cause instanceof ResultCodeError) {
    const { kind, code, diagnostic } = classifyRefusal({
      code: cause.code,
      diagnostic: printable(cause.message),
    })
    const errorCode = kind === 'busy' ? 'ERR_DIRECTORY_BUSY' : 'ERR_DIRECTORY_REFUSED'
    return new WritebackError(errorCode, `${url}: a read was refused (${code}): ${diagnostic}`, {
      retry: 'later',
      cause,
    })
  }
  const code = timedOut ? 'ERR_DIRECTORY_TIMEOUT' : 'ERR_DIRECTORY_CLOSED'
  return new WritebackError(code, `${url}: a read was not answered`, { retry: 'later', cause })
}
