// The agent's own certificate for the way to the store: two PEM files, read again when they are renewed.
import { statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Clock } from '../../clock/clock.ts'
import { readCertificates, readKey } from '../../config/pem-file.ts'
import { WritebackError } from '../../errors/writeback-error.ts'

/** Where the two are. */
export interface ClientCertificateFiles {
  readonly certificateFile: string
  readonly keyFile: string
}

/** PEM texts that belong together. */
export interface ClientCertificate {
  readonly cert: string
  readonly key: string
}

/** What is to be shown to the store. */
export interface ClientCertificateWatch {
  /** The newest pair that fits. Looks at the files at most every 5 s. */
  readonly current: () => ClientCertificate
}

const LOOK_EVERY_MS = 5_000

/**
 * Reads the pair, and again whenever one of the files changed. `told` hears why a renewed pair cannot be used, and undefined
 * when one can. Throws ERR_CONFIG_UNREADABLE or ERR_CONFIG_INVALID, at the start only: later the last good pair stays.
 */
export function watchClientCertificate(
  files: ClientCertificateFiles,
  { clock, told }: { readonly clock: Clock; readonly told: (problem: string | undefined) => void },
): ClientCertificateWatch {
  // Before the files are read: a renewal in between is another state.
  let state = stateOf(files)
  let pair = readPair(files)
  let isBad = false
  let lookedMs = clock.monotonicMs()
  const look = () => {
    const now = stateOf(files)
    // What is bad may come back as it was, or be mended behind the same state.
    if (now === state && !isBad) return
    try {
      pair = readPair(files)
      state = now
      isBad = false
      told(undefined)
    } catch (error) {
      isBad = true
      // A pair is renewed one file after the other, so the next look may find it whole.
      told(error instanceof Error ? error.message : String(error))
    }
  }
  return {
    current: () => {
      if (clock.monotonicMs() - lookedMs >= LOOK_EVERY_MS) {
        lookedMs = clock.monotonicMs()
        look()
      }
      return pair
    },
  }
}

/** Never throws: a state that cannot be read is one of its own, and the reading says why. */
const stateOf = ({ certificateFile, keyFile }: ClientCertificateFiles): string =>
  [certificateFile, keyFile]
    .map((file) => {
      try {
        const { ino, mtimeMs, size, mode } = statSync(file)
        return `${ino} ${mtimeMs} ${size} ${mode}`
      } catch (error) {
        return String((error as NodeJS.ErrnoException).code)
      }
    })
    .join(', ')

/** Reads both and holds them against each other. Throws ERR_CONFIG_UNREADABLE, ERR_CONFIG_INVALID. */
function readPair({ certificateFile, keyFile }: ClientCertificateFiles): ClientCertificate {
  const [cert, key] = [readCertificates(certificateFile), readKey(keyFile)]
  try {
    createSecureContext({ cert, key })
  } catch {
    // Without the cause, which may quote a key.
    throw new WritebackError(
      'ERR_CONFIG_INVALID',
      `${certificateFile} and ${keyFile} are no certificate with its key`,
    )
  }
  return { cert, key }
}
