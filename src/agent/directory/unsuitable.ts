// The failure for a server that cannot be the writer.
import { WritebackError } from '../../errors/writeback-error.ts'

/** A failure for a server that cannot be the writer. Its role or state may change, so it is tried again. */
export function unsuitable(url: string, why: string, cause?: unknown): WritebackError {
  return new WritebackError('ERR_DIRECTORY_UNSUITABLE', `${url}: ${why}`, { retry: 'later', cause })
}
