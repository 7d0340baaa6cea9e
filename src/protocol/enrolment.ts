// How an agent and a store come to know each other. The code is carried by a person and names the store's signing key,
// so the first connection is not trusted for more than it proves.
import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { WritebackError } from '../errors/writeback-error.ts'
import {
  agentIdSchema,
  directoryNameSchema,
  type PublicKey,
  plainTextSchema,
  publicKeySchema,
  storeIdSchema,
  thumbprintSchema,
  timeSchema,
} from './identifiers.ts'
import { thumbprintOf } from './sealing-key.ts'
import { importPublicKey, type SigningKey, signMessage, verifyMessage } from './signed-message.ts'

const CODE = /^wbe1-([\w-]{32})-([\w-]{43})$/

/** The two parts of an enrolment code: a secret that serves once, and the thumbprint of the store's signing key. */
export interface EnrolmentCode {
  readonly secret: string
  readonly storeKeyThumbprint: string
}

/** Makes a new code for a store key: 192 random bits. */
export const createEnrolmentCode = (storeKeyThumbprint: string): EnrolmentCode => ({
  secret: randomBytes(24).toString('base64url'),
  storeKeyThumbprint,
})

/** The code as a person carries it. */
export const formatEnrolmentCode = (code: EnrolmentCode): string =>
  `wbe1-${code.secret}-${code.storeKeyThumbprint}`

/** Reads a code. Throws ERR_USAGE. */
export function parseEnrolmentCode(text: string): EnrolmentCode {
  const [, secret, storeKeyThumbprint] = CODE.exec(text.trim()) ?? []
  if (!secret || !storeKeyThumbprint)
    throw new WritebackError('ERR_USAGE', 'this is not an enrolment code; one begins with wbe1-')
  return { secret, storeKeyThumbprint }
}

const proofSchema = z.strictObject({
  code: z.string().describe('SHA-256 of the code’s secret, base64url'),
  identity: thumbprintSchema,
  at: timeSchema,
})

const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url')

/** Proves possession of the identity key, for one code. */
export async function proveIdentity(
  secret: string,
  publicKey: PublicKey,
  signer: SigningKey,
  nowMs: number,
): Promise<string> {
  const proof: z.infer<typeof proofSchema> = {
    code: digestOf(secret),
    identity: await thumbprintOf(publicKey),
    at: nowMs,
  }
  return signMessage('wb-enrolment+jws', proof, signer)
}

/** Verifies the proof at the store. Throws ERR_SIGNATURE_INVALID or ERR_DOCUMENT_INVALID. */
export async function verifyIdentityProof(
  proof: string,
  secret: string,
  identityKey: PublicKey,
): Promise<void> {
  const key = await importPublicKey(identityKey)
  const { payload } = await verifyMessage('wb-enrolment+jws', proof, proofSchema, () => key)
  if (payload.code !== digestOf(secret) || payload.identity !== (await thumbprintOf(identityKey)))
    throw new WritebackError('ERR_SIGNATURE_INVALID', 'a proof of identity is for another code or key')
}

/** What the store promises a new agent, signed by the key that the code named. */
export const enrolledSchema = z.strictObject({
  agent: agentIdSchema,
  identity: thumbprintSchema.describe('thumbprint of the identity key that was enrolled'),
  store: storeIdSchema,
  tenant: plainTextSchema(64),
  directories: z.array(directoryNameSchema).min(1).max(64),
  keys: z.array(publicKeySchema).min(1).max(16).describe('signing keys of the store'),
  at: timeSchema,
})
export type Enrolled = z.infer<typeof enrolledSchema>

/** Signs the promise. */
export const signEnrolled = (enrolled: Enrolled, signer: SigningKey): Promise<string> =>
  signMessage('wb-enrolled+jws', enrolled, signer)

/**
 * Verifies the store's promise against the thumbprint in the code. `keys` are the candidates the store sent along.
 * Throws ERR_SIGNATURE_INVALID when none of them is the one the code named, or the promise is for another agent key.
 */
export async function verifyEnrolled(
  jws: string,
  keys: readonly PublicKey[],
  code: EnrolmentCode,
  identity: PublicKey,
): Promise<Enrolled> {
  const named = await findByThumbprint(keys, code.storeKeyThumbprint)
  if (!named)
    throw new WritebackError(
      'ERR_SIGNATURE_INVALID',
      'the store does not hold the signing key that the enrolment code names',
    )
  const verifier = await importPublicKey(named)
  const { payload } = await verifyMessage('wb-enrolled+jws', jws, enrolledSchema, () => verifier)
  if (payload.identity !== (await thumbprintOf(identity)))
    throw new WritebackError('ERR_SIGNATURE_INVALID', 'the store enrolled another identity key')
  return payload
}

async function findByThumbprint(
  keys: readonly PublicKey[],
  thumbprint: string,
): Promise<PublicKey | undefined> {
  for (const key of keys) if ((await thumbprintOf(key)) === thumbprint) return key
  return undefined
}
