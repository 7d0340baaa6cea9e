// The few keys that work while a password is typed. It sees bytes, as a terminal in raw mode gives them.
import { wipeableBuffer } from '../memory/wipeable-buffer.ts'

/** Where a line is. */
export type LineState = 'open' | 'done' | 'cancelled' | 'too long'

/** A line that is being typed. */
export interface LineEditor {
  /** Takes bytes up to the end of the line; `used` says how many. */
  readonly take: (bytes: Uint8Array) => { readonly state: LineState; readonly used: number }
  /** A copy of the line; the caller wipes it. */
  readonly line: () => Buffer
  readonly wipe: () => void
}

const CANCEL = new Set([0x03, 0x04])
const END = new Set([0x0a, 0x0d])
const BACKSPACE = new Set([0x08, 0x7f])
const CLEAR = 0x15
const ESCAPE = 0x1b

/** Makes an editor for at most `longest` bytes. Other control keys and arrow keys do nothing. */
export function createLineEditor(longest: number): LineEditor {
  const text = wipeableBuffer(longest)
  let length = 0
  let sequence: 'none' | 'begun' | 'inside' = 'none'

  function eraseCharacter(): void {
    // A character of UTF-8 is its first byte and the continuation bytes (10xxxxxx) after it.
    while (length > 0 && ((text[length - 1] ?? 0) & 0xc0) === 0x80) length -= 1
    length = Math.max(0, length - 1)
  }

  function isKeySequence(byte: number): boolean {
    if (sequence === 'begun') sequence = byte === 0x5b || byte === 0x4f ? 'inside' : 'none'
    else if (sequence === 'inside' && byte >= 0x40) sequence = 'none'
    else if (sequence === 'none') {
      if (byte !== ESCAPE) return false
      sequence = 'begun'
    }
    return true
  }

  function takeByte(byte: number): LineState {
    if (CANCEL.has(byte)) return 'cancelled'
    if (END.has(byte)) return 'done'
    if (isKeySequence(byte)) return 'open'
    if (BACKSPACE.has(byte)) eraseCharacter()
    else if (byte === CLEAR) length = 0
    else if (byte >= 0x20) {
      if (length === longest) return 'too long'
      text[length] = byte
      length += 1
    }
    return 'open'
  }

  return {
    take: (bytes) => {
      for (const [index, byte] of bytes.entries()) {
        const state = takeByte(byte)
        if (state !== 'open') return { state, used: index + 1 }
      }
      return { state: 'open', used: bytes.length }
    },
    line: () => {
      const line = wipeableBuffer(length)
      text.copy(line, 0, 0, length)
      return line
    },
    wipe: () => void text.fill(0),
  }
}
