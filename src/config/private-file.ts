// Files that only this service may read: written whole or not at all, and refused when others could read them.
import { constants } from 'node:fs'
import { chmod, type FileHandle, mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ErrorCode } from '../errors/error-codes.ts'
import { WritebackError } from '../errors/writeback-error.ts'

const OTHERS = 0o077

/** Makes a directory for private files, or takes the one that is there, with mode 0700. Throws an error of `code`. */
export async function makePrivateDirectory(path: string, code: ErrorCode): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await chmod(path, 0o700)
  } catch (cause) {
    throw new WritebackError(code, `directory ${path} cannot be used`, { cause })
  }
}

/**
 * Writes a file of mode 0600 so that after a crash either the old or the new content is there. `wipesOld`: the bytes that were
 * there before are overwritten where nothing else names them, as far as that can be done; a disk may still keep copies, and Windows lets
 * nobody rename over an open file. Throws ERR_KEYS_UNUSABLE, also when the new content is there and only may not be durable.
 */
export async function writePrivateFile(
  path: string,
  content: string,
  { wipesOld = false }: { readonly wipesOld?: boolean } = {},
): Promise<void> {
  const unfinished = `${path}.new`
  try {
    await using old =
      wipesOld && process.platform !== 'win32'
        ? await open(path, constants.O_RDWR).catch(() => undefined)
        : undefined
    const file = await open(unfinished, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600)
    try {
      await file.chmod(0o600)
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(unfinished, path)
    await syncDirectory(dirname(path))
    // The new content stands by now: nobody must take it for not written.
    await wipeUnnamed(old).catch(() => {})
  } catch (cause) {
    throw new WritebackError('ERR_KEYS_UNUSABLE', `file ${path} cannot be written`, { cause })
  }
}

// A second name is somebody's copy, and theirs to keep.
async function wipeUnnamed(file: FileHandle | undefined): Promise<void> {
  if (!file) return
  const { nlink, size } = await file.stat()
  if (nlink > 0) return
  await file.write(Buffer.alloc(size), 0, size, 0)
  await file.datasync()
}

/** Reads a private file; undefined when it is not there. Throws ERR_KEYS_UNUSABLE when others could read it. */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path)
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
      throw new WritebackError('ERR_KEYS_UNUSABLE', `file ${path} is open to others; set mode 0600`)
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof WritebackError) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new WritebackError('ERR_KEYS_UNUSABLE', `file ${path} cannot be read`, { cause })
  }
}

// A rename is durable only when its directory is; Windows has no such call and needs none.
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
