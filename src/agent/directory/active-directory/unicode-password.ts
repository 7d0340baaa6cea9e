// A password as unicodePwd wants it: in quotes, UTF-16 little-endian (MS-ADTS §3.1.1.3.1.5.1).
// Bytes to bytes, never a string: what is here can be wiped.
import { WritebackError } from '../../../errors/writeback-error.ts'
import { wipeableBuffer } from '../../../memory/wipeable-buffer.ts'
import type { ClearBytes } from '../../decisions/clear-bytes.ts'

const QUOTE = 0x22

/**
 * Transcodes a clear password. The result is the caller's to wipe. Throws ERR_PASSWORD_UNREPRESENTABLE when it is
 * empty, not valid UTF-8 (so also for lone surrogates), or holds a NUL.
 */
export function unicodePassword(clear: ClearBytes): Buffer {
  if (clear.length === 0) throw unrepresentable('empty')
  const units = countUnits(clear)
  const target = wipeableBuffer(2 * (units + 2))
  let at = target.writeUInt16LE(QUOTE, 0)
  for (let from = 0; from < clear.length; ) {
    const { point, length } = decodePoint(clear, from)
    from += length
    if (point < 0x10000) at = target.writeUInt16LE(point, at)
    else {
      at = target.writeUInt16LE(0xd800 + ((point - 0x10000) >> 10), at)
      at = target.writeUInt16LE(0xdc00 + ((point - 0x10000) & 0x3ff), at)
    }
  }
  target.writeUInt16LE(QUOTE, at)
  return target
}

// Also the check of the whole input, before anything is allocated.
function countUnits(clear: Uint8Array): number {
  let units = 0
  for (let from = 0; from < clear.length; ) {
    const { point, length } = decodePoint(clear, from)
    if (point === 0) throw unrepresentable('a NUL')
    units += point < 0x10000 ? 1 : 2
    from += length
  }
  return units
}

// RFC 3629 §3 and §4: shortest form only, no surrogates, nothing over U+10FFFF.
const FORMS = [
  { mask: 0x80, lead: 0x00, length: 1, least: 0 },
  { mask: 0xe0, lead: 0xc0, length: 2, least: 0x80 },
  { mask: 0xf0, lead: 0xe0, length: 3, least: 0x800 },
  { mask: 0xf8, lead: 0xf0, length: 4, least: 0x10000 },
] as const

function decodePoint(bytes: Uint8Array, at: number): { point: number; length: number } {
  const first = bytes[at] ?? 0
  const form = FORMS.find(({ mask, lead }) => (first & mask) === lead)
  if (form === undefined) throw unrepresentable('bytes that are not UTF-8')
  let point = first & ~form.mask
  for (let i = 1; i < form.length; i++) {
    const next = bytes[at + i]
    if (next === undefined || (next & 0xc0) !== 0x80) throw unrepresentable('bytes that are not UTF-8')
    point = (point << 6) | (next & 0x3f)
  }
  const surrogate = point >= 0xd800 && point <= 0xdfff
  if (point < form.least || surrogate || point > 0x10ffff) throw unrepresentable('bytes that are not UTF-8')
  return { point, length: form.length }
}

function unrepresentable(what: string): WritebackError {
  return new WritebackError('ERR_PASSWORD_UNREPRESENTABLE', `the password is or holds ${what}`)
}
