// One LDAP connection that this project speaks itself: one request at a time, and always the truth about how far it got.
// A dead channel stays dead: it never connects again by itself.
import type { TLSSocket } from 'node:tls'
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
export interface ChannelRequest {
  readonly frame: Buffer
  readonly messageId: number
  readonly expects: LdapResult['kind']
  readonly timeoutMs: number
  /** Asked right before the first byte; `false` ends the exchange as `not_sent`. */
  readonly mayStart?: () => boolean
}

/** What came of a request. `lost` always leaves a dead channel. */
export type Exchange =
  | { readonly kind: 'answered'; readonly result: LdapResult; readonly entries: readonly LdapEntry[] }
  | { readonly kind: 'not_sent'; readonly cause: unknown }
  | { readonly kind: 'lost'; readonly phase: 'partly_written' | 'written'; readonly cause: WritebackError }

/** A connection that owns its socket. */
export interface LdapChannel {
  readonly isOpen: () => boolean
  readonly nextMessageId: () => number
  readonly exchange: (request: ChannelRequest) => Promise<Exchange>
  /** Hands the idle socket to another reader. The channel must not be used any more. */
  readonly release: () => TLSSocket
  /** Says good-bye and closes. */
  readonly close: () => void
  /** Resolves once, when the connection has ended for whatever reason. */
  readonly closed: Promise<void>
}

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

/** Takes over a connected socket. `where` names the server in messages. */
export function createLdapChannel(socket: TLSSocket, where: string): LdapChannel {
  const splitter = createPduSplitter()
  const ended = Promise.withResolvers<void>()
  let waiting: Waiting | undefined
  let open = true
  let lastMessageId = 0

  const die = (cause: WritebackError) => {
    open = false
    socket.destroy()
    const at = waiting
    waiting = undefined
    at?.settle({ kind: 'lost', phase: at.phase, cause })
  }
  const fail = (code: WritebackError['code'], what: string, cause?: unknown) =>
    die(new WritebackError(code, `${where}: ${what}`, { retry: 'later', cause }))

  const accept = (response: LdapResponse) => {
    if (response.kind === 'extended' && response.responseName === NOTICE_OF_DISCONNECTION) {
      return fail('ERR_DIRECTORY_CLOSED', `the server ends the connection: ${printable(response.diagnostic)}`)
    }
    const at = waiting
    if (at === undefined || response.messageId !== at.request.messageId) {
      return fail('ERR_LDAP_MALFORMED', 'an answer to no request')
    }
    if (response.kind === 'search_entry' && at.request.expects === 'search_done') {
      at.entries.push(response)
    } else if (isResultFor(response, at.request)) {
      waiting = undefined
      at.settle({ kind: 'answered', result: response, entries: at.entries })
    } else fail('ERR_LDAP_MALFORMED', 'an answer of another kind')
  }

  const onData = (chunk: Buffer) => {
    try {
      for (const message of splitter.push(chunk)) if (open) accept(decodeResponse(message))
    } catch (cause) {
      fail('ERR_LDAP_MALFORMED', 'no LDAP answer', cause)
    }
  }
  const onEnd = () => fail('ERR_DIRECTORY_CLOSED', 'the server closed the connection')
  const onError = (cause: Error) => fail('ERR_DIRECTORY_CLOSED', 'the connection broke', cause)
  const onClose = () => {
    if (open) fail('ERR_DIRECTORY_CLOSED', 'the connection closed')
    ended.resolve()
  }
  socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose)

  const send = (request: ChannelRequest) =>
    new Promise<Exchange>((resolve) => {
      const timer = setTimeout(() => fail('ERR_DIRECTORY_TIMEOUT', 'no answer in time'), request.timeoutMs)
      const at: Waiting = {
        request,
        entries: [],
        phase: 'partly_written',
        settle: (exchange) => {
          clearTimeout(timer)
          resolve(exchange)
        },
      }
      waiting = at
      socket.write(request.frame, (error) => {
        if (error == null) at.phase = 'written'
      })
    })

  const notSent = (why: string): Exchange => ({
    kind: 'not_sent',
    cause: new WritebackError('ERR_DIRECTORY_CLOSED', `${where}: ${why}`, { retry: 'later' }),
  })

  return {
    closed: ended.promise,
    isOpen: () => open && socket.writable,
    nextMessageId: () => {
      lastMessageId = (lastMessageId % 0x7fff_ffff) + 1
      return lastMessageId
    },
    exchange: async (request) => {
      try {
        if (waiting !== undefined) return notSent('another request is under way')
        if (!open || !socket.writable) return notSent('the connection is closed')
        if (request.mayStart?.() === false) return notSent('the write may not start any more')
        return await send(request)
      } finally {
        request.frame.fill(0)
      }
    },
    release: () => {
      open = false
      socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose)
      return socket
    },
    close: () => {
      if (!open) return
      if (waiting !== undefined) return fail('ERR_DIRECTORY_CLOSED', 'closed from this side')
      open = false
      socket.end(encodeUnbind(lastMessageId + 1))
      // A server that never closes its side must not hold the process.
      setTimeout(() => socket.destroy(), 1000).unref()
    },
  }
}
