// Says when the disk of the state directory runs full, before the journal or the audit record meet it.
import { statfs } from 'node:fs/promises'
import type { Conditions } from '../telemetry/conditions.ts'

const MEBIBYTE = 1024 * 1024
const LOW_BYTES = 512 * MEBIBYTE
// Less than the journal, the audit record and Redis may write at once.
const FULL_BYTES = 16 * MEBIBYTE

/** Bytes that this process may still write below the directory. */
export async function readFreeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}

/** Looks once. Called on the clock. Rejects where the directory cannot be asked. */
export async function watchDisk(
  stateDirectory: string,
  conditions: Pick<Conditions, 'raise' | 'clear'>,
  readFree: (directory: string) => Promise<number> = readFreeBytes,
): Promise<void> {
  const free = await readFree(stateDirectory)
  const detail = `${Math.floor(free / MEBIBYTE)} MiB free in ${stateDirectory}`
  for (const [code, holds] of [
    ['disk_full', free < FULL_BYTES],
    ['disk_low', free >= FULL_BYTES && free < LOW_BYTES],
  ] as const) {
    if (holds) conditions.raise(code, '', detail)
    else conditions.clear(code, '')
  }
}
