// Compact JWS with ES256, the one way messages are signed here (RFC 7515, RFC 7518 section 3.4).
import { type CryptoKey, errors, importJWK } from 'jose'
import type { z } from 'zod'
import { WritebackError } from '../errors/writeback-error.ts'
import { signCompact, verifyCompact } from './compact-jws.ts'
import type { PublicKey } from './identifiers.ts'
import { parseStrictJson } from './strict-json.ts'

/** The `typ` of each kind of signed message, so that one can never pass for another. */
export type MessageType =
  | 'wb-request+jws'
  | 'wb-outcome+jws'
  | 'wb-sealing-key+jws'
  | 'wb-enrolment+jws'
  | 'wb-enrolled+jws'
  | 'wb-audit+jws'

/** A private key and the id under which others know its public half. */
export interface SigningKey {
  readonly kid: string
  readonly key: CryptoKey
}

/** Finds the public key of a `kid`; undefined when nobody trusted has it. */
export type FindKey = (kid: string) => Promise<CryptoKey | undefined> | CryptoKey | undefined

/** Signs a JSON value. The result is compact JWS text; ES256 is not deterministic, so keep it to repeat it. */
export async function signMessage(type: MessageType, payload: unknown, signer: SigningKey): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(payload))
  return signCompact(bytes, { alg: 'ES256', typ: type, kid: signer.kid }, signer.key)
}

/**
 * Verifies compact JWS text and reads its payload by `schema`. Throws ERR_SIGNATURE_INVALID when the signature, the
 * type or the key does not fit, ERR_JSON_INVALID or ERR_DOCUMENT_INVALID when the payload does not.
 */
export async function verifyMessage<T>(
  type: MessageType,
  jws: string,
  schema: z.ZodType<T>,
  findKey: FindKey,
): Promise<{ readonly payload: T; readonly kid: string }> {
  let verified: Awaited<ReturnType<typeof verifyCompact>>
  try {
    verified = await verifyCompact(jws, async ({ kid }) => requireKey(kid, findKey))
  } catch (cause) {
    if (cause instanceof WritebackError) throw cause
    if (cause instanceof errors.JOSEError || cause instanceof TypeError)
      throw new WritebackError('ERR_SIGNATURE_INVALID', `${type} does not verify`, { cause })
    throw cause
  }
  const { header } = verified
  const { kid = '' } = header
  const { typ, crit, b64 } = header
  // Another reader might take the payload for something else (RFC 7797).
  if (crit !== undefined || b64 !== undefined)
    throw new WritebackError(
      'ERR_SIGNATURE_INVALID',
      `${type} asks for an extension that the contract does not have`,
    )
  if (typ !== type)
    throw new WritebackError('ERR_SIGNATURE_INVALID', `${type} expected, another type was signed`)
  return { payload: parseDocument(type, parseStrictJson(verified.payload), schema), kid }
}

async function requireKey(kid: string | undefined, findKey: FindKey): Promise<CryptoKey> {
  const key = kid === undefined ? undefined : await findKey(kid)
  if (!key) throw new WritebackError('ERR_SIGNATURE_INVALID', 'signed with a key that is not known here')
  return key
}

/** Reads a value by a schema. Throws ERR_DOCUMENT_INVALID naming each place, never a value. */
export function parseDocument<T>(what: string, value: unknown, schema: z.ZodType<T>): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const places = result.error.issues.map((issue) => `${issue.path.join('.') || 'the whole'}: ${issue.code}`)
  throw new WritebackError('ERR_DOCUMENT_INVALID', `${what} has faults: ${places.slice(0, 10).join('; ')}`)
}

/** Imports a public key for verifying (ES256) or sealing (ECDH-ES+A256KW). */
export async function importPublicKey(jwk: PublicKey): Promise<CryptoKey> {
  try {
    return (await importJWK(jwk, jwk.alg)) as CryptoKey
  } catch (cause) {
    throw new WritebackError('ERR_DOCUMENT_INVALID', 'a public key is not a point of P-256', { cause })
  }
}
