// Compact JWS with ES256 (RFC 7515, RFC 7518 section 3.4) by the cryptography of Node.js itself, on the thread that asks: half
// the work of Web Crypto, which goes through promises and a thread for each step.
import { createPrivateKey, KeyObject, sign, verify } from 'node:crypto'
import { type CryptoKey, errors, type JWK } from 'jose'

/** The protected header, as it was sent. */
export type JwsHeader = Readonly<Record<string, unknown>> & { readonly alg?: unknown; readonly kid?: string }

const PARTS = 3
const SIGNATURE_BYTES = 64
const CURVE = 'prime256v1'
// Read from the key itself: Node.js would try whether an object around it is a key, by an error with its stack, twice.
const FORMAT = { dsaEncoding: 'ieee-p1363' } as const

const objects = new WeakMap<CryptoKey, KeyObject>()

/** Makes a private key ready to sign here though its CryptoKey does not let itself be taken out. */
export function keepSigner(key: CryptoKey, jwk: JWK): void {
  objects.set(key, madeReady(createPrivateKey({ key: jwk as Record<string, unknown>, format: 'jwk' })))
}

function objectOf(key: CryptoKey): KeyObject {
  const known = objects.get(key) ?? madeReady(KeyObject.from(key as never))
  objects.set(key, known)
  return known
}

function madeReady(key: KeyObject): KeyObject {
  if (key.asymmetricKeyDetails?.namedCurve !== CURVE) throw new TypeError('ES256 takes keys of P-256 only')
  return Object.assign(key, FORMAT)
}

/** Signs bytes. Throws TypeError for a key that ES256 does not take. */
export async function signCompact(bytes: Uint8Array, header: JwsHeader, key: CryptoKey): Promise<string> {
  const head = Buffer.from(JSON.stringify(header)).toString('base64url')
  const text = `${head}.${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')}`
  const signature = sign('sha256', Buffer.from(text), objectOf(key))
  return `${text}.${signature.toString('base64url')}`
}

/**
 * Verifies compact JWS text with the key that `findKey` gives for its header. Throws JOSEError for what is not one, is signed
 * otherwise than with ES256, or does not verify; TypeError for a key that ES256 does not take; what `findKey` throws.
 */
export async function verifyCompact(
  jws: string,
  findKey: (header: JwsHeader) => Promise<CryptoKey>,
): Promise<{ readonly payload: Uint8Array; readonly header: JwsHeader }> {
  const parts = jws.split('.', PARTS + 1)
  const [head, payload, tail] = parts
  // What is not base64url is refused where it is decoded.
  if (parts.length !== PARTS || !head || !payload || !tail) throw new errors.JWSInvalid('not a compact JWS')
  const header = readHeader(decode(head))
  if (header.alg !== 'ES256') throw new errors.JOSEAlgNotAllowed('signed with another algorithm')
  const key = objectOf(await findKey(header))
  if (key.type !== 'public') throw new TypeError('a public key verifies')
  const signature = decode(tail)
  const bytes = decode(payload)
  const text = Buffer.from(jws.slice(0, head.length + 1 + payload.length))
  const isValid = signature.length === SIGNATURE_BYTES && verify('sha256', text, key, signature)
  if (!isValid) throw new errors.JWSSignatureVerificationFailed()
  return { payload: bytes, header }
}

// No other text may pass for the same bytes: Node.js would leave out what does not fit.
function decode(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.toString('base64url') !== part) throw new errors.JWSInvalid('not base64url')
  return bytes
}

function readHeader(bytes: Buffer): JwsHeader {
  try {
    const header: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof header === 'object' && header !== null && !Array.isArray(header)) return header as JwsHeader
  } catch {
    // Said below.
  }
  throw new errors.JWSInvalid('the header is not an object')
}
