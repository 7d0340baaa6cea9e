// A password as unicodePwd wants it: in quotes, UTF-16 little-endian (MS-ADTS §3.1.1.3.1.5.1).
// Bytes to bytes, never a string: what is here can be wiped.
import { WritebackError } from '../../../errors/writeback-error.ts'
import { wipeableBuffer } from '../../../memory/wipeable-buffer.ts'
import { decodeUtf8, utf16Units } from '../../../policy/code-points.ts'
import type { ClearBytes } from '../../decisions/clear-bytes.ts'

const QUOTE = 0x22

/**
 * Transcodes a clear password. The result is the caller's to wipe. Throws ERR_PASSWORD_UNREPRESENTABLE when it is
 * empty, not valid UTF-8 (so also for lone surrogates), or holds a NUL.
 */
export function unicodePassword(clear: ClearBytes): Buffer {
  if (clear.length === 0) throw unrepresentable('empty')
  const points = decodeUtf8(clear)
  if (points === undefined) throw unrepresentable('bytes that are not UTF-8')
  try {
    if (points.includes(0)) throw unrepresentable('a NUL')
    return encode(points)
  } finally {
    points.fill(0)
  }
}

function encode(points: Uint32Array): Buffer {
  const units = points.reduce((sum, point) => sum + utf16Units(point), 0)
  const target = wipeableBuffer(2 * (units + 2))
  let at = target.writeUInt16LE(QUOTE, 0)
  for (const point of points) {
    if (point < 0x10000) at = target.writeUInt16LE(point, at)
    else {
      at = target.writeUInt16LE(0xd800 + ((point - 0x10000) >> 10), at)
      at = target.writeUInt16LE(0xdc00 + ((point - 0x10000) & 0x3ff), at)
    }
  }
  target.writeUInt16LE(QUOTE, at)
  return target
}

function unrepresentable(what: string): WritebackError {
  return new WritebackError('ERR_PASSWORD_UNREPRESENTABLE', `the password is or holds ${what}`)
}
