// Secrets come from files only: never from the configuration itself, argv, or the environment.

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { WritebackError } from '../errors/writeback-error.ts'
import { wipeableBuffer } from '../memory/wipeable-buffer.ts'

const LARGEST_SECRET = 4096

/**
 * Reads a secret file as bytes, without one trailing line end. The caller wipes the result. Throws
 * ERR_CONFIG_UNREADABLE when the file is missing, empty, too large, or (except on Windows) readable by others.
 */
export async function readSecretFile(path: string): Promise<Buffer> {
  const file = await openSecret(path)
  const bytes = wipeableBuffer(LARGEST_SECRET + 1)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw unreadable(path, 'is not a file')
    const { mode } = stats
    if (process.platform !== 'win32' && (mode & 0o007) !== 0)
      throw unreadable(path, 'is readable by others; set mode 0600')
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    if (bytesRead > LARGEST_SECRET) throw unreadable(path, 'is too large for a secret')
    const end = lengthWithoutLineEnd(bytes.subarray(0, bytesRead))
    if (end === 0) throw unreadable(path, 'is empty')
    const secret = wipeableBuffer(end)
    bytes.copy(secret, 0, 0, end)
    return secret
  } finally {
    bytes.fill(0)
    await file.close()
  }
}

async function openSecret(path: string) {
  try {
    return await open(path, constants.O_RDONLY)
  } catch (cause) {
    throw unreadable(path, 'cannot be opened', cause)
  }
}

function lengthWithoutLineEnd(bytes: Buffer): number {
  let end = bytes.length
  if (bytes[end - 1] === 0x0a) end -= 1
  if (bytes[end - 1] === 0x0d) end -= 1
  return end
}

function unreadable(path: string, why: string, cause?: unknown): WritebackError {
  return new WritebackError('ERR_CONFIG_UNREADABLE', `secret file ${path} ${why}`, { cause })
}
