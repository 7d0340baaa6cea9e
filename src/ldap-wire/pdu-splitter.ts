// Cuts the byte stream of a server into LDAP messages. Holds at most one incomplete message, each byte copied once at most.

import { readLength } from './ber-read.ts'
import { BER } from './ber-write.ts'
import { malformed } from './malformed.ts'

/** The largest message accepted, header included, in bytes. */
export const LONGEST_MESSAGE = 1024 * 1024

/** A splitter of one connection. `push` gives the messages that are complete now. */
export interface PduSplitter {
  /** Throws ERR_LDAP_MALFORMED; afterwards the stream cannot be used any more. */
  readonly push: (chunk: Buffer) => Buffer[]
}

const LONGEST_HEADER = 6

/** Makes a splitter. Messages lie in the chunk they arrived in where they can, else in a buffer of their exact size. */
export function createPduSplitter(limit = LONGEST_MESSAGE): PduSplitter {
  let header = Buffer.alloc(0)
  let body: Buffer | undefined
  let filled = 0

  const continueBody = (target: Buffer, chunk: Buffer, at: number): number => {
    const taken = Math.min(target.length - filled, chunk.length - at)
    chunk.copy(target, filled, at, at + taken)
    filled += taken
    return at + taken
  }

  const beginBody = (known: Buffer, size: number, chunk: Buffer, at: number): number => {
    body = Buffer.allocUnsafeSlow(size)
    filled = known.copy(body, 0, 0, Math.min(known.length, size))
    header = Buffer.alloc(0)
    return continueBody(body, chunk, at)
  }

  const push = (chunk: Buffer): Buffer[] => {
    const messages: Buffer[] = []
    let at = 0
    while (at < chunk.length) {
      if (body !== undefined) at = continueBody(body, chunk, at)
      else if (header.length > 0) {
        // The header came in pieces: only its few bytes are ever joined.
        const wanted = Math.min(LONGEST_HEADER - header.length, chunk.length - at)
        const joined = Buffer.concat([header, chunk.subarray(at, at + wanted)])
        const size = messageSize(joined, limit)
        if (size === undefined) {
          header = joined
          at += wanted
        } else at = beginBody(header, size, chunk, at)
      } else {
        const rest = chunk.subarray(at)
        const size = messageSize(rest, limit)
        if (size === undefined) {
          header = Buffer.from(rest)
          at = chunk.length
        } else if (rest.length >= size) {
          messages.push(rest.subarray(0, size))
          at += size
        } else at = beginBody(Buffer.alloc(0), size, chunk, at)
      }
      if (body !== undefined && filled === body.length) {
        messages.push(body)
        body = undefined
      }
    }
    return messages
  }
  return { push }
}

function messageSize(bytes: Buffer, limit: number): number | undefined {
  if (bytes[0] !== BER.sequence) throw malformed('a message does not begin with a sequence')
  const header = readLength(bytes, 1, bytes.length)
  if (header === undefined) return undefined
  const size = header.headerLength + header.contentLength
  if (size > limit) throw malformed(`a message is longer than ${limit} bytes`)
  return size
}
