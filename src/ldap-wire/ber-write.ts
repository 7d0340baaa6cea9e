// Writes BER in the restricted form LDAP uses: definite lengths, one-byte tags (RFC 4511 §5.1).
// A message is measured first and then written into one frame, so that no value exists in a second copy.
import { wipeableBuffer } from '../memory/wipeable-buffer.ts'

/** Tags of the universal types LDAP messages are made of (X.690). */
export const BER = {
  boolean: 0x01,
  integer: 0x02,
  octetString: 0x04,
  enumerated: 0x0a,
  sequence: 0x30,
  set: 0x31,
} as const

/** A measured element: its tag, the length of its content, and the content itself or the elements inside. */
export interface BerPart {
  readonly tag: number
  readonly length: number
  readonly content: Uint8Array | readonly BerPart[]
}

/** An element with raw content. The bytes are referred to, not copied. */
export function octets(tag: number, content: Uint8Array): BerPart {
  return { tag, length: content.length, content }
}

/** An element with UTF-8 text. Never for a password: text cannot be wiped. */
export function text(tag: number, content: string): BerPart {
  return octets(tag, Buffer.from(content, 'utf8'))
}

/** A boolean; true is 0xFF (RFC 4511 §5.1). */
export function boolean(value: boolean): BerPart {
  return octets(BER.boolean, Buffer.of(value ? 0xff : 0))
}

/** A number from 0 to 2^31 - 1 in the fewest bytes. */
export function integer(tag: number, value: number): BerPart {
  const bytes = [value & 0xff]
  // The top bit is the sign, so a byte of 0x80 and above needs a zero before it.
  for (let rest = value; rest > 0x7f; ) {
    rest = Math.floor(rest / 0x100)
    bytes.unshift(rest & 0xff)
  }
  return octets(tag, Buffer.from(bytes))
}

/** An element made of others. */
export function constructed(tag: number, parts: readonly BerPart[]): BerPart {
  return { tag, length: parts.reduce((sum, part) => sum + encodedLength(part), 0), content: parts }
}

/** Writes an element into a frame of its exact size, outside the buffer pool: the caller may wipe all of it. */
export function encodeFrame(part: BerPart): Buffer {
  const frame = wipeableBuffer(encodedLength(part))
  writePart(frame, 0, part)
  return frame
}

function encodedLength(part: BerPart): number {
  return 1 + lengthOctets(part.length) + part.length
}

function lengthOctets(length: number): number {
  if (length < 0x80) return 1
  if (length < 0x100) return 2
  if (length < 0x10000) return 3
  return length < 0x1000000 ? 4 : 5
}

function writePart(frame: Buffer, at: number, part: BerPart): number {
  frame[at] = part.tag
  const start = writeLength(frame, at + 1, part.length)
  if (part.content instanceof Uint8Array) {
    frame.set(part.content, start)
    return start + part.length
  }
  return part.content.reduce((next, inner) => writePart(frame, next, inner), start)
}

function writeLength(frame: Buffer, at: number, length: number): number {
  const size = lengthOctets(length) - 1
  if (size === 0) {
    frame[at] = length
    return at + 1
  }
  frame[at] = 0x80 | size
  return frame.writeUIntBE(length, at + 1, size)
}
