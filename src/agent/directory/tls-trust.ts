// Whom the agent believes to be a domain controller: a certificate that verifies, for the right name, with the pinned key.
import { createHash, X509Certificate } from 'node:crypto'
import {
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type PeerCertificate,
  type SecureContext,
} from 'node:tls'
import { WritebackError } from '../../errors/writeback-error.ts'

/** What the configuration says about trust. All three narrow; none switches verification off. */
export interface TrustOptions {
  /** PEM texts. Absent: the certificates of Node.js and of the operating system. */
  readonly ca?: readonly string[]
  /** The name in the certificate, when it is not the host of the URL. */
  readonly serverName?: string
  /** SHA-256 of the SubjectPublicKeyInfo, base64 (as in RFC 7469 §2.4). Checked beside the verification. */
  readonly pinSha256?: string
}

/** Trust made ready once, for every connection of one directory. */
export interface TlsTrust {
  readonly secureContext: SecureContext
  readonly serverName: string | undefined
  /** For `tls.connect`: judges the name, then the pin. */
  readonly checkIdentity: (host: string, certificate: PeerCertificate) => Error | undefined
}

/** Prepares trust. Throws ERR_CONFIG_INVALID when a CA text is not PEM. */
export function createTlsTrust(options: TrustOptions): TlsTrust {
  const { pinSha256 } = options
  return {
    secureContext: secureContextOf(options),
    serverName: options.serverName,
    checkIdentity: (host, certificate) => {
      const wrongName = checkServerIdentity(host, certificate)
      if (wrongName !== undefined || pinSha256 === undefined) return wrongName
      const pin = keyPin(certificate.raw)
      return pin === pinSha256
        ? undefined
        : new Error(`the key of the certificate has the pin ${pin}, not the configured one`)
    },
  }
}

/** The pin of a certificate's key: SHA-256 over its SubjectPublicKeyInfo, base64. Takes DER or PEM. */
export function keyPin(certificate: Buffer): string {
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('base64')
}

function secureContextOf(options: TrustOptions): SecureContext {
  const ca = options.ca ?? [...getCACertificates('default'), ...getCACertificates('system')]
  try {
    return createSecureContext({ ca: [...ca], minVersion: 'TLSv1.2' })
  } catch (cause) {
    throw new WritebackError('ERR_CONFIG_INVALID', 'a CA certificate of the directory cannot be read', {
      cause,
    })
  }
}
