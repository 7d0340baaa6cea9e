// Certificates and keys for TLS, in PEM files.
import { readFileSync, statSync } from 'node:fs'
import { WritebackError } from '../errors/writeback-error.ts'

const CERTIFICATE = /-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/
const PRIVATE_KEY = /-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----/

/** Reads certificates: a server's, a client's, or authorities. Throws ERR_CONFIG_UNREADABLE, ERR_CONFIG_INVALID. */
export function readCertificates(file: string): string {
  const text = readText(file)
  requireCertificates(text, file)
  return text
}

/** Throws ERR_CONFIG_INVALID unless the text holds a certificate in PEM. */
export function requireCertificates(text: string, what: string): void {
  // TLS in Node.js takes an empty text for none at all: authorities would be those of the world, and no certificate be shown.
  if (!CERTIFICATE.test(text))
    throw new WritebackError('ERR_CONFIG_INVALID', `${what} holds no certificate in PEM`)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `PEM file ${file} cannot be read`, { cause })
  }
}

// The group may read: that is how a service manager hands credentials on.
const OTHERS = 0o037

/** Reads a private key. Throws ERR_CONFIG_UNREADABLE, also where others could read it, and ERR_CONFIG_INVALID. */
export function readKey(file: string): string {
  let mode: number
  try {
    mode = statSync(file).mode
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `PEM file ${file} cannot be read`, { cause })
  }
  if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
    throw new WritebackError('ERR_CONFIG_UNREADABLE', `key file ${file} is open to others; set mode 0600`)
  const text = readText(file)
  if (!PRIVATE_KEY.test(text))
    throw new WritebackError('ERR_CONFIG_INVALID', `${file} holds no private key in PEM`)
  return text
}
