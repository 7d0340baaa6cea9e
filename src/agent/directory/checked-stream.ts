// Stands between a socket and ldapts, which trusts every length it reads: only whole, well-formed messages get through, and
// no more of one answer than fits. ldapts would turn in a circle for ever on a value that ends outside of its set.
import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { WritebackError } from '../../errors/writeback-error.ts'
import { checkSearchAnswer } from '../../ldap-wire/check-search-answer.ts'
import { createPduSplitter } from '../../ldap-wire/pdu-splitter.ts'

/** The most bytes of the answer to one search; beyond it the connection ends. */
const LONGEST_ANSWER = 16 * 1024 * 1024

/** The stream that ldapts is given in place of the socket, and the sign that a new search begins. */
export interface CheckedStream {
  readonly stream: Duplex
  readonly beginAnswer: () => void
  /** True when an answer grew past the limit. */
  readonly isFlooded: () => boolean
}

/** Takes over a connected socket; ends with it, and ends it. */
export function createCheckedStream(socket: TLSSocket): CheckedStream {
  const splitter = createPduSplitter()
  let received = 0
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  const take = (chunk: Buffer): void => {
    received += chunk.length
    if (received > LONGEST_ANSWER)
      throw new WritebackError('ERR_LDAP_MALFORMED', `an answer is longer than ${LONGEST_ANSWER} bytes`, {
        retry: 'later',
      })
    for (const message of splitter.push(chunk)) {
      checkSearchAnswer(message)
      if (!stream.push(message)) socket.pause()
    }
  }
  socket
    .on('data', (chunk: Buffer) => {
      try {
        take(chunk)
      } catch (cause) {
        stream.destroy(cause instanceof Error ? cause : undefined)
      }
    })
    .on('error', (cause) => stream.destroy(cause))
    .on('close', () => stream.destroy())
  stream.on('error', () => {})
  // What ldapts asks of a socket to know that it is connected already.
  Object.assign(stream, { connecting: false, readyState: 'open' })
  return {
    stream,
    beginAnswer: () => {
      received = 0
    },
    isFlooded: () => received > LONGEST_ANSWER,
  }
}
