// Passwords as code points: numbers in an array that can be wiped, since a string cannot. Single characters may be
// strings, whole passwords never.

/** The UTF-8 forms by their lead byte (RFC 3629, section 3). A code point below `least` is overlong. */
const FORMS = [
  { mask: 0x80, lead: 0x00, least: 0, length: 1 },
  { mask: 0xe0, lead: 0xc0, least: 0x80, length: 2 },
  { mask: 0xf0, lead: 0xe0, least: 0x800, length: 3 },
  { mask: 0xf8, lead: 0xf0, least: 0x10000, length: 4 },
] as const

/**
 * Decodes UTF-8 (RFC 3629) to code points; undefined for any other bytes. The caller wipes the answer. Its memory is
 * outside the garbage-collected heap, where small arrays would be copied about.
 */
export function decodeUtf8(bytes: Uint8Array): Uint32Array | undefined {
  const points = new Uint32Array(new ArrayBuffer(bytes.length * 4))
  let count = 0
  for (let at = 0; at < bytes.length; count += 1) {
    const lead = bytes[at] ?? 0
    const form = FORMS.find(({ mask, lead: mark }) => (lead & mask) === mark)
    const point = form && at + form.length <= bytes.length ? readPoint(bytes, at, form) : undefined
    if (form === undefined || point === undefined) {
      points.fill(0)
      return undefined
    }
    points[count] = point
    at += form.length
  }
  return points.subarray(0, count)
}

function readPoint(bytes: Uint8Array, at: number, form: (typeof FORMS)[number]): number | undefined {
  let point = (bytes[at] ?? 0) & ~form.mask & 0xff
  for (let next = at + 1; next < at + form.length; next += 1) {
    const byte = bytes[next] ?? 0
    if ((byte & 0xc0) !== 0x80) return undefined
    point = (point << 6) | (byte & 0x3f)
  }
  const isSurrogate = point >= 0xd800 && point <= 0xdfff
  return point < form.least || point > 0x10ffff || isSurrogate ? undefined : point
}

/** The code points of a text that is no secret. */
export function codePointsOf(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0)
}

/** UTF-16 code units of one code point. */
export function utf16Units(point: number): number {
  return point > 0xffff ? 2 : 1
}

/** Lower case of an ASCII letter; every other code point as it is. */
export function foldAscii(point: number): number {
  return point >= 0x41 && point <= 0x5a ? point + 0x20 : point
}

/** Simple lower case: one code point for one. What only lengthens to lower case stays as it is. */
export function foldCase(point: number): number {
  if (point < 0x80) return foldAscii(point)
  const lower = String.fromCodePoint(point).toLowerCase()
  const folded = lower.codePointAt(0) ?? point
  return lower.length === utf16Units(folded) ? folded : point
}
