// One LDAP connection that this project speaks itself: one request at a time, and always the truth about how far it got.
// A dead channel stays dead: it never connects again by itself.
import type { TLSSocket } from 'node:tls'
import type { ErrorCode } from '../../errors/error-codes.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import {
  decodeResponse,
  type LdapEntry,
  type LdapResponse,
  type LdapResult,
  NOTICE_OF_DISCONNECTION,
} from '../../ldap-wire/decode-response.ts'
import { encodeUnbind } from '../../ldap-wire/encode-request.ts'
import { createPduSplitter } from '../../ldap-wire/pdu-splitter.ts'
import { printable } from './classify-error.ts'

/** One request as bytes. The frame is wiped before the exchange ends, whatever its end. */
interface ChannelRequest {
  readonly frame: Buffer
  readonly messageId: number
  readonly expects: LdapResult['kind']
  readonly timeoutMs: number
  /** Asked right before the first byte; `false` ends the exchange as `not_sent`. */
  readonly mayStart?: () => boolean
}

/** What came of a request. `lost` always leaves a dead channel. */
type Exchange =
  | { readonly kind: 'answered'; readonly result: LdapResult; readonly entries: readonly LdapEntry[] }
  | { readonly kind: 'not_sent'; readonly cause: unknown }
  | { readonly kind: 'lost'; readonly phase: 'partly_written' | 'written'; readonly cause: WritebackError }

interface Waiting {
  readonly request: ChannelRequest
  readonly entries: LdapEntry[]
  readonly settle: (exchange: Exchange) => void
  phase: 'partly_written' | 'written'
}

// Samba refuses any request whose critical control it does not know with an extended answer of the same message id.
function isResultFor(response: LdapResponse, request: ChannelRequest): response is LdapResult {
  if (response.kind === 'search_entry') return false
  return response.kind === request.expects || (response.kind === 'extended' && response.code !== 0)
}

/** A connection that owns its socket. */
export class LdapChannel {
  /** Resolves once, when the connection has ended for whatever reason. */
  readonly closed: Promise<void>
  readonly #socket: TLSSocket
  readonly #where: string
  readonly #splitter = createPduSplitter()
  #waiting: Waiting | undefined
  #open = true
  #lastMessageId = 0
  readonly #onData = (chunk: Buffer) => this.#read(chunk)
  readonly #onEnd = () => this.#fail('ERR_DIRECTORY_CLOSED', 'the server closed the connection')
  readonly #onError = (cause: Error) => this.#fail('ERR_DIRECTORY_CLOSED', 'the connection broke', cause)
  readonly #onClose = () => this.#fail('ERR_DIRECTORY_CLOSED', 'the connection closed')

  /** Takes over a connected socket. `where` names the server in messages. */
  constructor(socket: TLSSocket, where: string) {
    this.#socket = socket
    this.#where = where
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('error', this.#onError)
      .on('close', this.#onClose)
  }

  /** True while requests can be sent. Never again after it was false. */
  isOpen(): boolean {
    return this.#open && this.#socket.writable
  }

  /** An id no other request under way has (RFC 4511 §4.1.1.1). */
  nextMessageId(): number {
    this.#lastMessageId = (this.#lastMessageId % 0x7fff_ffff) + 1
    return this.#lastMessageId
  }

  /** Sends one request and waits for its end. Never throws. */
  async exchange(request: ChannelRequest): Promise<Exchange> {
    try {
      if (this.#waiting !== undefined) return this.#notSent('another request is under way')
      if (!this.isOpen()) return this.#notSent('the connection is closed')
      if (request.mayStart?.() === false) return this.#notSent('the write may not start any more')
      return await this.#send(request)
    } finally {
      request.frame.fill(0)
    }
  }

  /** Hands the idle socket to another reader. The channel must not be used any more. */
  release(): TLSSocket {
    this.#open = false
    const socket = this.#socket
    socket
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('error', this.#onError)
      .off('close', this.#onClose)
    return socket
  }

  /** Says good-bye and closes. What is under way is lost. */
  close(): void {
    if (this.#waiting !== undefined) this.#fail('ERR_DIRECTORY_CLOSED', 'closed from this side')
    if (!this.#open) return
    this.#open = false
    this.#socket.end(encodeUnbind(this.nextMessageId()))
    // A server that never closes its side must not hold the process.
    setTimeout(() => this.#socket.destroy(), 1000).unref()
  }

  #send(request: ChannelRequest): Promise<Exchange> {
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => this.#fail('ERR_DIRECTORY_TIMEOUT', 'no answer in time'),
        request.timeoutMs,
      )
      const settle = (exchange: Exchange) => {
        clearTimeout(timer)
        resolve(exchange)
      }
      const waiting: Waiting = { request, entries: [], phase: 'partly_written', settle }
      this.#waiting = waiting
      this.#socket.write(request.frame, (error) => {
        if (error == null) waiting.phase = 'written'
      })
    })
  }

  #read(chunk: Buffer): void {
    try {
      for (const message of this.#splitter.push(chunk)) if (this.#open) this.#accept(decodeResponse(message))
    } catch (cause) {
      this.#fail('ERR_LDAP_MALFORMED', 'no LDAP answer', cause)
    }
  }

  #accept(response: LdapResponse): void {
    const waiting = this.#waiting
    if (response.kind === 'extended' && response.responseName === NOTICE_OF_DISCONNECTION) {
      this.#fail('ERR_DIRECTORY_CLOSED', `the server ends the connection: ${printable(response.diagnostic)}`)
    } else if (response.messageId !== waiting?.request.messageId) {
      this.#fail('ERR_LDAP_MALFORMED', 'an answer to no request')
    } else if (response.kind === 'search_entry' && waiting.request.expects === 'search_done') {
      // Only base searches are sent here; entries without end would fill the memory.
      if (waiting.entries.length > 0)
        this.#fail('ERR_LDAP_MALFORMED', 'more than the one entry that was asked for')
      else waiting.entries.push(response)
    } else if (isResultFor(response, waiting.request)) {
      this.#waiting = undefined
      waiting.settle({ kind: 'answered', result: response, entries: waiting.entries })
    } else this.#fail('ERR_LDAP_MALFORMED', 'an answer of another kind')
  }

  #fail(code: ErrorCode, what: string, cause?: unknown): void {
    if (!this.#open) return
    this.#open = false
    this.#socket.destroy()
    const waiting = this.#waiting
    this.#waiting = undefined
    const failure = new WritebackError(code, `${this.#where}: ${what}`, { retry: 'later', cause })
    waiting?.settle({ kind: 'lost', phase: waiting.phase, cause: failure })
  }

  #notSent(why: string): Exchange {
    const cause = new WritebackError('ERR_DIRECTORY_CLOSED', `${this.#where}: ${why}`, { retry: 'later' })
    return { kind: 'not_sent', cause }
  }
}
