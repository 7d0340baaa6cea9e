// The token that opens the queue board. Only its argon2id hash is kept, in the configuration.
import { randomBytes } from 'node:crypto'

/** A new token and what the configuration holds of it. */
export interface OperatorToken {
  readonly token: string
  readonly hash: string
}

// OWASP's smallest argon2id setting: the token is random, the hash only guards a configuration that somebody reads.
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
const TOKEN_BYTES = 24

/** Makes a token of 192 random bits. */
export async function makeOperatorToken(): Promise<OperatorToken> {
  const { argon2id, hash } = await import('argon2')
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  return { token, hash: await hash(token, { ...COST, type: argon2id }) }
}

/** True when the token fits the hash; compared in constant time. False for a hash that is none. */
export async function fitsTokenHash(hash: string, token: string): Promise<boolean> {
  const { verify } = await import('argon2')
  return verify(hash, token).catch(() => false)
}
