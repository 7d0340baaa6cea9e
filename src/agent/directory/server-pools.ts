// The connections of one session, for reads and for writes, all to one server.
import type { WriteAnswer } from '../decisions/write-answer.ts'
import { ConnectionPool } from './connection-pool.ts'
import type { ReadClient } from './read-client.ts'
import type { ModifyRequest, WriteConnection } from './write-connection.ts'

/** How the pools get their connections. `first`: the one that found the server. */
export interface ServerPoolsOptions {
  readonly size: number
  readonly first: ReadClient
  readonly openReader: () => Promise<ReadClient>
  readonly openWriter: () => Promise<WriteConnection>
  /** Told of each connection that ended by itself or could not be opened. */
  readonly onDeath: () => void
}

/** Both pools. */
export interface ServerPools {
  readonly readers: ConnectionPool<ReadClient>
  /** Sends one modify. Every end is an answer, also that no connection could be opened. */
  readonly modify: (request: ModifyRequest) => Promise<WriteAnswer>
  /** Lets what is under way finish, then closes. */
  readonly retire: () => void
  readonly stop: () => void
}

/** Makes the pools. */
export function createServerPools({
  size,
  first,
  openReader,
  openWriter,
  onDeath,
}: ServerPoolsOptions): ServerPools {
  const readers = new ConnectionPool<ReadClient>({ size, onDeath, open: openReader })
  const writers = new ConnectionPool<WriteConnection>({ size, onDeath, open: openWriter })
  readers.adopt(first)
  return {
    readers,
    modify: async (request) => {
      let isBegun = false
      try {
        return await writers.use((connection) => {
          isBegun = true
          return connection.modify(request)
        })
      } catch (cause) {
        // A defect after the first byte must not be told as if none had left: then the answer stays open.
        if (isBegun) throw cause
        return { kind: 'not_sent', cause }
      }
    },
    retire: () => {
      readers.retire()
      writers.retire()
    },
    stop: () => {
      readers.stop()
      writers.stop()
    },
  }
}
