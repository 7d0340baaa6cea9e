// An agent's public sealing key, vouched for by the agent's own identity key.
import { calculateJwkThumbprint } from 'jose'
import { z } from 'zod'
import { WritebackError } from '../errors/writeback-error.ts'
import {
  compactJwsSchema,
  type PublicKey,
  plainTextSchema,
  publicKeySchema,
  thumbprintSchema,
  timeSchema,
} from './identifiers.ts'
import { importPublicKey, type SigningKey, signMessage, verifyMessage } from './signed-message.ts'

const statementSchema = z.strictObject({
  identity: thumbprintSchema.describe('thumbprint of the identity key that signs this'),
  key: publicKeySchema,
  createdAt: timeSchema,
})
export type SealingKeyStatement = z.infer<typeof statementSchema>

/** One agent to seal to, as the store hands it to whoever seals. */
export const sealingAgentSchema = z.strictObject({
  agent: plainTextSchema(64),
  identityKey: publicKeySchema,
  sealingKey: compactJwsSchema.describe('JWS of type wb-sealing-key+jws by the identity key'),
})

/** The SHA-256 thumbprint of a public key, base64url (RFC 7638). */
export const thumbprintOf = (key: PublicKey): Promise<string> =>
  calculateJwkThumbprint({ kty: key.kty, crv: key.crv, x: key.x, y: key.y }, 'sha256')

/** Vouches for a sealing key with the identity key. */
export async function stateSealingKey(
  key: PublicKey,
  identity: { readonly publicKey: PublicKey; readonly signer: SigningKey },
  createdAt: number,
): Promise<string> {
  const statement: SealingKeyStatement = { identity: await thumbprintOf(identity.publicKey), key, createdAt }
  return signMessage('wb-sealing-key+jws', statement, identity.signer)
}

/**
 * Verifies that the identity key vouches for the sealing key it names. Throws ERR_SIGNATURE_INVALID or
 * ERR_DOCUMENT_INVALID.
 */
export async function verifySealingKey(statement: string, identityKey: PublicKey): Promise<PublicKey> {
  const verifier = await importPublicKey(identityKey)
  const { payload } = await verifyMessage('wb-sealing-key+jws', statement, statementSchema, () => verifier)
  if (payload.identity !== (await thumbprintOf(identityKey)))
    throw new WritebackError('ERR_SIGNATURE_INVALID', 'a sealing key is vouched for by another identity')
  if (payload.key.use !== 'enc' || payload.key.alg !== 'ECDH-ES+A256KW')
    throw new WritebackError('ERR_DOCUMENT_INVALID', 'a sealing key is not for sealing')
  return payload.key
}
