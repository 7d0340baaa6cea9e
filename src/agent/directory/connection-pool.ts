// A few connections to one server, opened when needed, kept, and replaced when dead. One user at a time each.
import { WritebackError } from '../../errors/writeback-error.ts'

/** What the pool needs to know of a connection. */
export interface Pooled {
  readonly isOpen: () => boolean
  readonly close: () => void
  readonly closed: Promise<void>
}

/** How a pool gets its connections. */
export interface PoolOptions<T> {
  readonly size: number
  readonly open: () => Promise<T>
  /** Told of each connection that ended by itself or could not be opened. */
  readonly onDeath: () => void
}

/** A bounded pool. */
export class ConnectionPool<T extends Pooled> {
  readonly #options: PoolOptions<T>
  readonly #idle: T[] = []
  readonly #all = new Set<T>()
  readonly #queue: (() => void)[] = []
  /** Wait for a connection to be given back, because no further one can be bound. */
  readonly #starved: (() => void)[] = []
  #places: number
  #state: 'open' | 'retired' | 'stopped' = 'open'

  constructor(options: PoolOptions<T>) {
    this.#options = options
    this.#places = options.size
  }

  /** Puts a connection into the pool that was opened elsewhere. */
  adopt(connection: T): void {
    this.#watch(connection)
    this.#idle.push(connection)
  }

  /** Lends a live connection to `work`. Throws what opening one throws, or ERR_DIRECTORY_CLOSED after `stop`. */
  async use<R>(work: (connection: T) => Promise<R>): Promise<R> {
    await this.#enter()
    try {
      const connection = await this.#take()
      try {
        return await work(connection)
      } finally {
        this.#giveBack(connection)
      }
    } finally {
      this.#leave()
    }
  }

  /** Closes idle connections now, and the others when their user is done. */
  retire(): void {
    if (this.#state === 'open') this.#state = 'retired'
    for (const connection of this.#idle.splice(0)) this.#drop(connection)
  }

  /** Closes every connection, also the ones in use. */
  stop(): void {
    this.#state = 'stopped'
    this.#idle.length = 0
    for (const connection of this.#all) this.#drop(connection)
  }

  // A new password in the directory must not stop the connections that were bound before.
  async #take(): Promise<T> {
    for (;;) {
      const idle = this.#takeIdle()
      if (idle !== undefined) return idle
      try {
        return await this.#open()
      } catch (error) {
        const isRefused = error instanceof WritebackError && error.code === 'ERR_DIRECTORY_BIND_REFUSED'
        if (!isRefused || this.#all.size === 0) {
          this.#options.onDeath()
          throw error
        }
        if (this.#idle.length === 0) await new Promise<void>((resolve) => this.#starved.push(resolve))
      }
    }
  }

  #feed(): void {
    for (const resume of this.#starved.splice(0)) resume()
  }

  async #open(): Promise<T> {
    if (this.#state === 'stopped') {
      throw new WritebackError('ERR_DIRECTORY_CLOSED', 'the directory is stopped', { retry: 'later' })
    }
    const connection = await this.#options.open()
    this.#watch(connection)
    return connection
  }

  #watch(connection: T): void {
    this.#all.add(connection)
    void connection.closed.then(() => this.#bury(connection))
  }

  // A connection this pool dropped is no longer in the set, so only a death of its own is told.
  #bury(connection: T): void {
    if (this.#all.delete(connection)) this.#options.onDeath()
    this.#feed()
  }

  #drop(connection: T): void {
    this.#all.delete(connection)
    connection.close()
    this.#feed()
  }

  #takeIdle(): T | undefined {
    for (let next = this.#idle.pop(); next !== undefined; next = this.#idle.pop()) {
      if (next.isOpen()) return next
    }
    return undefined
  }

  #giveBack(connection: T): void {
    if (!connection.isOpen()) this.#bury(connection)
    else if (this.#state === 'open') {
      this.#idle.push(connection)
      this.#feed()
    } else this.#drop(connection)
  }

  #enter(): Promise<void> {
    if (this.#places > 0) {
      this.#places--
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#queue.push(resolve))
  }

  #leave(): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#places++
    else next()
  }
}
