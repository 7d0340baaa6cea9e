// Passwords as people give them: typed twice without echo, or one line of standard input. Bytes only, wiped after use.

import { WritebackError } from '../errors/writeback-error.ts'
import { wipeableBuffer } from '../memory/wipeable-buffer.ts'
import { checkPassword, SEALED_CONTENT_BYTES } from '../protocol/sealed-password.ts'
import type { Io } from './io.ts'
import { createLineEditor, type LineEditor } from './line-editor.ts'

const LONGEST = SEALED_CONTENT_BYTES
const CARRIAGE_RETURN = 0x0d

/** Asks twice on the terminal. Throws ERR_USAGE, ERR_PASSWORD_UNREPRESENTABLE. The caller wipes the result. */
export async function readNewPassword(io: Io): Promise<Buffer> {
  if (!io.stdin.isTTY)
    throw new WritebackError(
      'ERR_USAGE',
      'no terminal to ask for the password; add --password-stdin or --generate',
    )
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

/** Reads standard input up to the first line end (LF or CR LF), or its own end. Throws as readNewPassword. The caller wipes the result. */
export async function readPasswordLine(io: Io): Promise<Buffer> {
  const line = wipeableBuffer(LONGEST)
  let length = 0
  let hasEnded = false
  try {
    for await (const chunk of io.stdin as AsyncIterable<Buffer>) {
      const end = chunk.indexOf(0x0a)
      const part = end < 0 ? chunk : chunk.subarray(0, end)
      if (length + part.length > LONGEST) throw tooLong()
      part.copy(line, length)
      length += part.length
      chunk.fill(0)
      hasEnded = end >= 0
      if (hasEnded) break
    }
    if (hasEnded && line[length - 1] === CARRIAGE_RETURN) length -= 1
    const password = wipeableBuffer(length)
    line.copy(password, 0, 0, length)
    checkPassword(password)
    return password
  } finally {
    line.fill(0)
  }
}

async function ask(io: Io, prompt: string): Promise<Buffer> {
  io.stderr.write(prompt)
  const editor = createLineEditor(LONGEST)
  io.stdin.setRawMode(true)
  try {
    return await readLine(io, editor)
  } finally {
    editor.wipe()
    io.stdin.setRawMode(false)
    io.stdin.pause()
    io.stderr.write('\n')
  }
}

function readLine(io: Io, editor: LineEditor): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      io.stdin.off('data', take)
      io.stdin.off('end', ended)
      settle()
    }
    const ended = () => done(() => reject(new WritebackError('ERR_USAGE', 'cancelled')))
    const take = (chunk: Buffer) => {
      const { state, used } = editor.take(chunk)
      // What was pasted beyond this line belongs to the next question.
      if (used < chunk.length) io.stdin.unshift(Buffer.from(chunk.subarray(used)))
      chunk.fill(0)
      if (state === 'cancelled') ended()
      else if (state === 'too long') done(() => reject(tooLong()))
      else if (state === 'done') done(() => resolve(editor.line()))
    }
    io.stdin.on('data', take)
    io.stdin.on('end', ended)
    // Paused after the question before; a listener alone does not resume it.
    io.stdin.resume()
  })
}

const tooLong = (): WritebackError =>
  new WritebackError('ERR_PASSWORD_UNREPRESENTABLE', 'a password is too long')
