// Seals passwords to every agent that an answer of `createRequest` offers: the one way for all who hold a password first.
import { type Sealed, sealPasswords } from './sealed-password.ts'
import type { CreateRequestAnswer } from './sealer-calls.ts'
import { verifySealingKey } from './sealing-key.ts'
import { importPublicKey } from './signed-message.ts'

/** Checks each offered key and seals to all of them. The caller wipes the passwords. Throws ERR_SIGNATURE_INVALID. */
export async function sealToAgents(
  created: CreateRequestAnswer,
  passwords: readonly Uint8Array[],
): Promise<Sealed> {
  const { request: requestId, operation, anchor, directory, expiresAt, agents } = created
  const recipients = await Promise.all(
    agents.map(async ({ sealingKey, identityKey }) => {
      const key = await verifySealingKey(sealingKey, identityKey)
      return { kid: key.kid, key: await importPublicKey(key) }
    }),
  )
  return sealPasswords(passwords, { requestId, operation, anchor, directory, expiresAt }, recipients)
}
