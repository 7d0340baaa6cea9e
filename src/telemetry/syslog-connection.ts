// The connection to a syslog collector, over TLS. While the collector is away it keeps a bounded number,
// and says afterwards how many it dropped: the file that is forwarded stays the truth.
import { isIP } from 'node:net'
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import type { Clock } from '../clock/clock.ts'
import { frameSyslog, type SyslogMessage, type SyslogSource } from './syslog-frame.ts'

/** Where the collector is, and how it is trusted. */
export interface SyslogOptions {
  readonly host: string
  readonly port: number
  /** PEM; undefined: the system's authorities. */
  readonly ca: string | undefined
  readonly serverName: string | undefined
  readonly source: SyslogSource
  readonly clock: Clock
  /** So many messages are kept while the collector is away. */
  readonly mostKept: number
  /** Told when the way to the collector breaks (with the reason) and when it stands again (undefined). */
  readonly told: (failure: string | undefined) => void
}

const RETRY_MS = { first: 1_000, longest: 30_000 }
const CONNECT_TIMEOUT_MS = 10_000
const FLUSH_LIMIT_MS = 2_000
const END_LIMIT_MS = 1_000
const KEEP_ALIVE_MS = 30_000

/** Takes frames, and never keeps anybody waiting. */
export class SyslogConnection {
  readonly #options: SyslogOptions
  readonly #waiting: Buffer[] = []
  readonly #stopping = new AbortController()
  #dropped = 0
  #socket: TLSSocket | undefined
  #isConnecting = false
  #opening: TLSSocket | undefined

  constructor(options: SyslogOptions) {
    this.#options = options
  }

  /** Takes one frame; the oldest goes when there are too many. */
  take(frame: Buffer): void {
    this.#waiting.push(frame)
    if (this.#waiting.length > this.#options.mostKept) {
      this.#waiting.shift()
      this.#dropped += 1
    }
    this.#send()
  }

  /** Gives what waits a short time to leave, then ends the connection. */
  async leave(): Promise<void> {
    const { clock } = this.#options
    const until = clock.monotonicMs() + FLUSH_LIMIT_MS
    while (this.#waiting.length > 0 && this.#socket && clock.monotonicMs() < until) await clock.sleep(20)
    this.#stopping.abort()
    const socket = this.#socket
    this.#socket = undefined
    if (!socket) return void this.#opening?.destroy()
    // A collector that hangs takes nothing and closes nothing: it must not keep the process.
    const isClosed = new Promise((resolve) => socket.once('close', resolve))
    socket.end()
    const given = new AbortController()
    await Promise.race([isClosed, clock.sleep(END_LIMIT_MS, given.signal)])
    given.abort()
    socket.destroy()
  }

  #send(): void {
    const socket = this.#socket
    if (!socket) return void this.#connect()
    if (this.#dropped > 0) {
      socket.write(frameSyslog(this.#tellDropped(), this.#options.source))
      this.#dropped = 0
    }
    while (this.#waiting.length > 0 && !socket.writableNeedDrain)
      socket.write(this.#waiting.shift() as Buffer)
  }

  #tellDropped(): SyslogMessage {
    const text = JSON.stringify({ kind: 'dropped', records: this.#dropped })
    const time = new Date(this.#options.clock.wallMs()).toISOString()
    return { time, kind: 'dropped', severity: 'warning', text }
  }

  async #connect(): Promise<void> {
    if (this.#isConnecting) return
    this.#isConnecting = true
    const { clock, told } = this.#options
    for (
      let delay = RETRY_MS.first;
      !this.#stopping.signal.aborted;
      delay = Math.min(delay * 2, RETRY_MS.longest)
    ) {
      try {
        this.#socket = await this.#open()
        told(undefined)
        break
      } catch (error) {
        told(error instanceof Error ? error.message : String(error))
        await clock.sleep(delay, this.#stopping.signal)
      }
    }
    this.#isConnecting = false
    if (this.#socket && this.#stopping.signal.aborted) this.#socket.destroy()
    else if (this.#socket) this.#send()
  }

  #open(): Promise<TLSSocket> {
    const { host, port, ca, serverName = host, told } = this.#options
    return new Promise((resolve, reject) => {
      const socket = connect({
        ...{ host, port, minVersion: 'TLSv1.2', timeout: CONNECT_TIMEOUT_MS, rejectUnauthorized: true },
        ...{ keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
        ...(ca === undefined ? {} : { ca: [ca] }),
        // An address is no name for SNI; the certificate is held against it all the same.
        ...(isIP(serverName) ? {} : { servername: serverName }),
        checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
      })
      this.#opening = socket
      socket.once('secureConnect', () => {
        socket.setTimeout(0)
        resolve(socket)
      })
      socket.once('timeout', () => socket.destroy(new Error('no answer in time')))
      // A collector says nothing; what it sends is not kept.
      socket.resume()
      socket.on('drain', () => this.#send())
      socket.on('error', (error) => {
        reject(error)
        if (this.#socket === socket) told(error.message)
      })
      socket.once('close', () => {
        reject(new Error('the connection was closed'))
        if (this.#socket !== socket) return
        this.#socket = undefined
        if (!this.#stopping.signal.aborted) {
          told('the connection was closed')
          void this.#connect()
        }
      })
    })
  }
}
