// A few connections to one server, opened when needed, kept, and replaced when dead. One user at a time each.
import { WritebackError } from '../../errors/writeback-error.ts'

/** What the pool needs to know of a connection. */
export interface Pooled {
  readonly isOpen: () => boolean
  readonly close: () => void
  readonly closed: Promise<void>
}

/** A bounded pool. */
export interface ConnectionPool<T extends Pooled> {
  /** Lends a live connection to `work`. Throws what opening one throws. */
  readonly use: <R>(work: (connection: T) => Promise<R>) => Promise<R>
  /** Puts an open connection into the pool. */
  readonly adopt: (connection: T) => void
  /** From now on connections are closed when their user is done; idle ones at once. */
  readonly retire: () => void
  /** Closes every connection, also the ones in use. */
  readonly stop: () => void
}

/** Makes a pool. `onDeath` hears of connections that ended by themselves or could not be opened. */
export function createConnectionPool<T extends Pooled>(options: {
  readonly size: number
  readonly open: () => Promise<T>
  readonly onDeath: () => void
}): ConnectionPool<T> {
  const idle: T[] = []
  const all = new Set<T>()
  const queue: (() => void)[] = []
  let places = options.size
  let retired = false
  let stopped = false

  const adopt = (connection: T) => {
    all.add(connection)
    idle.push(connection)
    void connection.closed.then(() => {
      if (all.delete(connection)) options.onDeath()
    })
  }
  const drop = (connection: T) => {
    all.delete(connection)
    connection.close()
  }
  const takeIdle = () => {
    for (let next = idle.pop(); next !== undefined; next = idle.pop()) {
      if (next.isOpen()) return next
      drop(next)
    }
    return undefined
  }
  const open = async () => {
    if (stopped)
      throw new WritebackError('ERR_DIRECTORY_CLOSED', 'the directory is stopped', { retry: 'later' })
    try {
      const connection = await options.open()
      adopt(connection)
      idle.splice(idle.indexOf(connection), 1)
      return connection
    } catch (error) {
      options.onDeath()
      throw error
    }
  }
  const enter = () => {
    if (places > 0) {
      places--
      return Promise.resolve()
    }
    return new Promise<void>((resolve) => queue.push(resolve))
  }
  const leave = () => {
    const next = queue.shift()
    if (next === undefined) places++
    else next()
  }

  return {
    adopt,
    use: async (work) => {
      await enter()
      try {
        const connection = takeIdle() ?? (await open())
        try {
          return await work(connection)
        } finally {
          if (retired) drop(connection)
          else if (connection.isOpen()) idle.push(connection)
          else if (all.delete(connection)) options.onDeath()
        }
      } finally {
        leave()
      }
    },
    retire: () => {
      retired = true
      for (const connection of idle.splice(0)) drop(connection)
    },
    stop: () => {
      retired = true
      stopped = true
      for (const connection of all) drop(connection)
      idle.length = 0
    },
  }
}
