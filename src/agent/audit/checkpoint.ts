// Checkpoints: lines that the agent signs with its identity key. Whoever forges the chain up to one must hold that key.
import { z } from 'zod'
import { agentIdSchema, type PublicKey, publicKeySchema } from '../../protocol/identifiers.ts'
import { thumbprintOf } from '../../protocol/sealing-key.ts'
import {
  importPublicKey,
  type SigningKey,
  signMessage,
  verifyMessage,
} from '../../protocol/signed-message.ts'
import { sha256 } from './audit-line.ts'

/** Why a checkpoint was made. */
export type CheckpointReason = 'start' | 'interval' | 'rotation' | 'retention' | 'stop'

/** Who signs. */
export interface CheckpointSigner {
  readonly agent: string
  readonly publicKey: PublicKey
  readonly signer: SigningKey
}

const payloadSchema = z.strictObject({
  agent: agentIdSchema,
  key: publicKeySchema,
  digest: z.string().regex(/^[0-9a-f]{64}$/),
})

/** Signs a text. The public key is in it: what it must be is the thumbprint that the agent was enrolled with. */
export const signText = (text: string, { agent, publicKey, signer }: CheckpointSigner): Promise<string> =>
  signMessage('wb-audit+jws', { agent, key: publicKey, digest: sha256(text) }, signer)

/** True when the key of this thumbprint signed the text. */
export async function isSignedText(text: string, signature: string, thumbprint: string): Promise<boolean> {
  try {
    // Other text could decode to the same bytes.
    const isExact = signature
      .split('.')
      .every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
    if (!isExact) return false
    // Read before it is believed: the key stands in what it signs, and its thumbprint decides.
    const unread = signature.split('.')[1] ?? ''
    const claimed = payloadSchema.parse(JSON.parse(Buffer.from(unread, 'base64url').toString('utf8')))
    if ((await thumbprintOf(claimed.key)) !== thumbprint) return false
    const key = await importPublicKey(claimed.key)
    const { payload } = await verifyMessage('wb-audit+jws', signature, payloadSchema, () => key)
    return payload.digest === sha256(text)
  } catch {
    return false
  }
}
