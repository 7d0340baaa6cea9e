// How a Redis is reached, and the one way this room opens a client to it.
import { Redis } from 'ioredis'
import { WritebackError } from '../../errors/writeback-error.ts'

/** Where a Redis is and how to sign in to it. The password is Redis's own, never one of the directory. */
export interface RedisConnection {
  /** Unix socket; else `host` and `port`. */
  readonly path?: string
  readonly host?: string
  readonly port?: number
  readonly db?: number
  readonly username?: string
  readonly password?: string
  readonly tls?: {
    readonly rejectUnauthorized: true
    readonly ca?: string
    readonly servername?: string
  }
}

/**
 * `once`: no second try, for checks. `producer`: fails at once while Redis is away, so that no caller hangs.
 * `worker`: waits for Redis to come back.
 */
export type ClientRole = 'once' | 'producer' | 'worker'

/** No command of a check or a producer may take longer. */
export const COMMAND_LIMIT_MS = 5000

const LONGEST_RECONNECT_MS = 1000

/** Makes a client that is not connected yet. Its `error` event has a listener, so it never ends the process. */
export function createClient(connection: RedisConnection, role: ClientRole): Redis {
  const client = new Redis({
    ...connection,
    // The installed types want a mutable object.
    ...(connection.tls === undefined ? {} : { tls: { ...connection.tls } }),
    lazyConnect: true,
    // As Redis's CLIENT LIST shows it.
    connectionName: `writeback-${role}`,
    connectTimeout: COMMAND_LIMIT_MS,
    // ioredis keeps a timer that long after a disconnect, and with it the process.
    disconnectTimeout: 100,
    ...(role === 'worker'
      ? { maxRetriesPerRequest: null }
      : {
          maxRetriesPerRequest: 0,
          enableOfflineQueue: false,
          commandTimeout: COMMAND_LIMIT_MS,
          // Without it a connection that a firewall forgot is asked again and again.
          socketTimeout: COMMAND_LIMIT_MS,
        }),
    retryStrategy: (times) => (role === 'once' ? null : Math.min(25 * 2 ** times, LONGEST_RECONNECT_MS)),
  })
  client.on('error', () => {})
  return client
}

/**
 * Waits for `work` at most `limitMs`. Throws ERR_REDIS_UNREACHABLE after that and for every connection error,
 * ERR_REDIS_UNSUITABLE when Redis answered and said no: full, read-only, no right.
 */
export async function bounded<T>(what: string, limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unreachable(`${what}: no answer in ${limitMs} ms`)), limitMs)
  })
  try {
    return await Promise.race([work, limit])
  } catch (cause) {
    throw cause instanceof WritebackError ? cause : translate(what, cause)
  } finally {
    clearTimeout(timer)
  }
}

function translate(what: string, cause: unknown): WritebackError {
  if ((cause as { name?: unknown } | undefined)?.name !== 'ReplyError') return unreachable(what, cause)
  return new WritebackError('ERR_REDIS_UNSUITABLE', `${what}: Redis refuses`, { cause, retry: 'later' })
}

/** Makes the error of a Redis that does not answer. */
export function unreachable(what: string, cause?: unknown): WritebackError {
  return new WritebackError('ERR_REDIS_UNREACHABLE', what, { cause, retry: 'later' })
}
