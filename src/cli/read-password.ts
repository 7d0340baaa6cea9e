// Passwords as people give them: typed without echo, or lines of standard input. Bytes only, wiped after use.

import { WritebackError } from '../errors/writeback-error.ts'
import { wipeableBuffer } from '../memory/wipeable-buffer.ts'
import { checkPassword, SEALED_CONTENT_BYTES } from '../protocol/sealed-password.ts'
import type { Io } from './io.ts'
import { createLineEditor, type LineEditor } from './line-editor.ts'

const LONGEST = SEALED_CONTENT_BYTES
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
// Editors and shells of Windows put it before UTF-8; as part of a password nobody could type it.
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** Asks twice on the terminal. Throws ERR_USAGE, ERR_PASSWORD_UNREPRESENTABLE. The caller wipes the result. */
export async function readNewPassword(io: Io): Promise<Buffer> {
  if (!io.stdin.isTTY)
    throw new WritebackError(
      'ERR_USAGE',
      'no terminal to ask for the password; add --password-stdin or --generate',
    )
  return withoutEcho(io, () => askTwice(io))
}

/** Asks on the terminal for the current password and twice for the new one. Throws as readNewPassword. The caller wipes both. */
export async function readChangedPassword(io: Io): Promise<readonly [current: Buffer, next: Buffer]> {
  if (!io.stdin.isTTY)
    throw new WritebackError('ERR_USAGE', 'no terminal to ask for the passwords; add --password-stdin')
  return withoutEcho(io, async () => {
    const current = await ask(io, 'current password: ')
    try {
      checkPassword(current)
      return [current, await askTwice(io)]
    } catch (error) {
      current.fill(0)
      throw error
    }
  })
}

async function askTwice(io: Io): Promise<Buffer> {
  const first = await ask(io, 'new password: ')
  let second: Buffer | undefined
  try {
    checkPassword(first)
    second = await ask(io, 'again: ')
    if (!first.equals(second)) throw new WritebackError('ERR_USAGE', 'the two passwords differ')
    return first
  } catch (error) {
    first.fill(0)
    throw error
  } finally {
    second?.fill(0)
  }
}

// Before the first question is shown and until the last one is answered: whoever pastes or types fast must not be shown either.
async function withoutEcho<T>(io: Io, work: () => Promise<T>): Promise<T> {
  io.stdin.setRawMode(true)
  try {
    return await work()
  } finally {
    io.stdin.setRawMode(false)
    io.stdin.pause()
  }
}

/**
 * Reads passwords from standard input, one a line; a line ends with LF or CR LF, the last one also with the input. Throws
 * as readNewPassword; ERR_USAGE also where one of two lines is missing, or begins with a byte order mark. The caller
 * wipes the results.
 */
export async function readPasswordLines(io: Io, count: number): Promise<readonly Buffer[]> {
  const lines = createLineCutter(count)
  try {
    for await (const chunk of io.stdin as AsyncIterable<Buffer>) {
      const isDone = lines.take(chunk)
      chunk.fill(0)
      if (isDone) break
    }
    return lines.finish()
  } catch (error) {
    for (const password of lines.passwords) password.fill(0)
    throw error
  } finally {
    lines.wipe()
  }
}

function createLineCutter(count: number) {
  const line = wipeableBuffer(LONGEST)
  const passwords: Buffer[] = []
  let length = 0

  function cut(): void {
    if (length >= BYTE_ORDER_MARK.length && line.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK))
      throw new WritebackError('ERR_USAGE', 'the password begins with a byte order mark; save it without one')
    const password = wipeableBuffer(length)
    line.copy(password, 0, 0, length)
    length = 0
    passwords.push(password)
    checkPassword(password)
  }

  return {
    passwords,
    /** True when there is nothing more to take. */
    take: (chunk: Buffer): boolean => {
      for (const byte of chunk) {
        if (byte === LINE_FEED) {
          if (line[length - 1] === CARRIAGE_RETURN) length = Math.max(0, length - 1)
          cut()
          if (passwords.length === count) return true
        } else {
          if (length === LONGEST) throw tooLong()
          line[length] = byte
          length += 1
        }
      }
      return false
    },
    finish: (): readonly Buffer[] => {
      if (passwords.length < count && (length > 0 || count === 1)) cut()
      if (passwords.length < count)
        throw new WritebackError('ERR_USAGE', 'two lines are needed: the current password, then the new one')
      return passwords
    },
    wipe: () => void line.fill(0),
  }
}

async function ask(io: Io, prompt: string): Promise<Buffer> {
  io.stderr.write(prompt)
  const editor = createLineEditor(LONGEST)
  try {
    return await readLine(io, editor)
  } finally {
    editor.wipe()
    io.stderr.write('\n')
  }
}

function readLine(io: Io, editor: LineEditor): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      io.stdin.off('data', take)
      io.stdin.off('end', ended)
      io.stdin.pause()
      settle()
    }
    const ended = () => done(() => reject(new WritebackError('ERR_USAGE', 'cancelled')))
    const take = (chunk: Buffer) => {
      const { state, used } = editor.take(chunk)
      const rest = state === 'done' ? Buffer.from(chunk.subarray(used)) : undefined
      chunk.fill(0)
      if (state === 'cancelled') ended()
      else if (state === 'too long') done(() => reject(tooLong()))
      else if (state === 'done') done(() => resolve(editor.line()))
      // What was pasted beyond this line belongs to the next question; a stream that flows would give it to this one.
      if (rest && rest.length > 0) io.stdin.unshift(rest)
    }
    io.stdin.on('data', take)
    io.stdin.on('end', ended)
    // Paused after the question before; a listener alone does not resume it.
    io.stdin.resume()
  })
}

const tooLong = (): WritebackError =>
  new WritebackError('ERR_PASSWORD_UNREPRESENTABLE', 'a password is too long')
