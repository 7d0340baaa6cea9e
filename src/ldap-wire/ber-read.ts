// Reads BER elements out of one complete message, never past its end.
import { malformed } from './malformed.ts'

/** Where one element lies: its tag, and the range of its content. */
export interface BerElement {
  readonly tag: number
  readonly start: number
  readonly end: number
}

/** What the first bytes of an element say. `undefined` when more bytes are needed to know. */
export interface BerHeader {
  readonly headerLength: number
  readonly contentLength: number
}

/**
 * Reads the length field at `at` (RFC 4511 §5.1: definite form only; any number of length octets up to four,
 * because Windows always sends four). Throws ERR_LDAP_MALFORMED.
 */
export function readLength(bytes: Uint8Array, at: number, end: number): BerHeader | undefined {
  const first = bytes[at]
  if (at >= end || first === undefined) return undefined
  if (first < 0x80) return { headerLength: 2, contentLength: first }
  const size = first & 0x7f
  if (size === 0) throw malformed('indefinite length')
  if (size > 4) throw malformed('length field over four bytes')
  if (at + 1 + size > end) return undefined
  let contentLength = 0
  for (let i = 1; i <= size; i++) contentLength = contentLength * 0x100 + (bytes[at + i] ?? 0)
  return { headerLength: 2 + size, contentLength }
}

/** Reads the element at `at`, which must end at or before `end`. Throws ERR_LDAP_MALFORMED. */
export function readElement(bytes: Uint8Array, at: number, end: number): BerElement {
  const tag = bytes[at]
  if (at >= end || tag === undefined) throw malformed('an element is missing')
  if ((tag & 0x1f) === 0x1f) throw malformed('tag over one byte')
  const header = readLength(bytes, at + 1, end)
  if (header === undefined) throw malformed('a length field is cut')
  const start = at + header.headerLength
  if (start + header.contentLength > end) throw malformed('an element ends outside its parent')
  return { tag, start, end: start + header.contentLength }
}

/** Reads the element at `at` and insists on its tag. Throws ERR_LDAP_MALFORMED. */
export function expectElement(bytes: Uint8Array, at: number, end: number, tag: number): BerElement {
  const element = readElement(bytes, at, end)
  if (element.tag !== tag) throw malformed('an element has the wrong type')
  return element
}

/** All elements between `start` and `end`. Throws ERR_LDAP_MALFORMED. */
export function readElements(bytes: Uint8Array, start: number, end: number): BerElement[] {
  const elements: BerElement[] = []
  for (let at = start; at < end; ) {
    const element = readElement(bytes, at, end)
    elements.push(element)
    at = element.end
  }
  return elements
}

/** The value of an integer or enumerated element, 0 to 2^31 - 1. Throws ERR_LDAP_MALFORMED. */
export function integerOf(bytes: Uint8Array, element: BerElement): number {
  const length = element.end - element.start
  if (length < 1 || length > 4) throw malformed('a number has the wrong size')
  let value = 0
  for (let at = element.start; at < element.end; at++) value = value * 0x100 + (bytes[at] ?? 0)
  const negative = ((bytes[element.start] ?? 0) & 0x80) !== 0
  if (negative) throw malformed('a number is negative')
  return value
}

/** The text of an element as UTF-8; what is not UTF-8 is replaced, for it is shown and never decided on. */
export function textOf(bytes: Buffer, element: BerElement): string {
  return bytes.toString('utf8', element.start, element.end)
}
