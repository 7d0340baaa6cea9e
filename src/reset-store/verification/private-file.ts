// Files that only the store may read, written whole or not at all.
import {
  chmodSync,
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { WritebackError } from '../../errors/writeback-error.ts'

/** Creates the store's data directory, or takes the one that is there, with mode 0700. Throws ERR_DATABASE_UNUSABLE. */
export function preparePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    chmodSync(path, 0o700)
  } catch (cause) {
    throw new WritebackError('ERR_DATABASE_UNUSABLE', `data directory ${path} cannot be used`, { cause })
  }
}

const OTHERS = 0o077

/** Reads a file; undefined when there is none. Throws ERR_KEYS_UNUSABLE, also when others could read or write it. */
export function readPrivateFile(path: string): Buffer | undefined {
  try {
    const file = openSync(path, 'r')
    try {
      if (process.platform !== 'win32' && (fstatSync(file).mode & OTHERS) !== 0)
        throw new WritebackError('ERR_KEYS_UNUSABLE', `${path} is open to others; set mode 0600`)
      return readFileSync(file)
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    if (cause instanceof WritebackError) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new WritebackError('ERR_KEYS_UNUSABLE', `${path} cannot be read`, { cause })
  }
}

/** Writes a file with mode 0600, durable when this returns. Throws ERR_KEYS_UNUSABLE. */
export function writePrivateFile(path: string, content: string): void {
  const next = `${path}.new`
  try {
    const file = openSync(next, 'w', 0o600)
    try {
      writeSync(file, content)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(next, path)
    syncDirectory(dirname(path))
  } catch (cause) {
    throw new WritebackError('ERR_KEYS_UNUSABLE', `${path} cannot be written`, { cause })
  }
}

function syncDirectory(path: string): void {
  if (process.platform === 'win32') return
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
