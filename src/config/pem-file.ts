// Certificates and keys for TLS, in PEM files.
import { readFileSync, statSync } from 'node:fs'
import { WritebackError } from '../errors/writeback-error.ts'

/** Reads a PEM file. Throws ERR_CONFIG_UNREADABLE. */
export function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `PEM file ${file} cannot be read`, { cause })
  }
}

// The group may read: that is how a service manager hands credentials on.
const OTHERS = 0o037

/** Reads a private key. Throws ERR_CONFIG_UNREADABLE, also where others could read it. */
export function readKey(file: string): string {
  let mode: number
  try {
    mode = statSync(file).mode
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `PEM file ${file} cannot be read`, { cause })
  }
  if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `key file ${file} is open to others; set mode 0600`)
  return readPem(file)
}
