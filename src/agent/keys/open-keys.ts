// The keys in use: signs with the identity, opens sealed passwords for the time of one call.
import { type CryptoKey, importJWK } from 'jose'
import { WritebackError } from '../../errors/writeback-error.ts'
import type { PublicKey } from '../../protocol/identifiers.ts'
import { openSealed, type Sealed, type SealedFor, splitPasswords } from '../../protocol/sealed-password.ts'
import type { SigningKey } from '../../protocol/signed-message.ts'
import type { ClearBytes } from '../decisions/clear-bytes.ts'
import { type KeySet, publicPartOf } from './key-file.ts'

/** What the rest of the agent can do with its keys; the private parts stay inside. */
export interface Keys {
  readonly identity: { readonly publicKey: PublicKey; readonly signer: SigningKey }
  /** Every key that can still open, newest last. */
  readonly sealingKeys: readonly { readonly publicKey: PublicKey; readonly createdAt: number }[]
  /**
   * Opens a sealed value for one request and hands its passwords to `use`, in the order of the operation. The bytes are
   * wiped when `use` ends, however it ends. Throws ERR_SEALED_INVALID or ERR_PASSWORD_UNREPRESENTABLE.
   */
  readonly withOpened: <T>(
    sealed: Sealed,
    expected: SealedFor,
    use: (passwords: readonly ClearBytes[]) => Promise<T>,
  ) => Promise<T>
}

/** Makes keys usable: imports each once, not extractable. */
export async function openKeys(set: KeySet): Promise<Keys> {
  const signer: SigningKey = {
    kid: set.identity.kid,
    key: (await importJWK(set.identity, 'ES256', { extractable: false })) as CryptoKey,
  }
  const openers = new Map<string, CryptoKey>()
  for (const { key } of set.sealing)
    openers.set(key.kid, (await importJWK(key, key.alg, { extractable: false })) as CryptoKey)
  return {
    identity: { publicKey: publicPartOf(set.identity), signer },
    sealingKeys: set.sealing.map(({ key, createdAt }) => ({ publicKey: publicPartOf(key), createdAt })),
    withOpened: async (sealed, expected, use) => {
      const content = await openSealed(sealed, findOpener(sealed, openers), expected)
      try {
        return await use(splitPasswords(content, expected.operation) as readonly ClearBytes[])
      } finally {
        content.fill(0)
      }
    },
  }
}

function findOpener(
  sealed: Sealed,
  openers: ReadonlyMap<string, CryptoKey>,
): { kid: string; key: CryptoKey } {
  for (const { header } of sealed.recipients) {
    const key = openers.get(header.kid)
    if (key) return { kid: header.kid, key }
  }
  throw new WritebackError('ERR_SEALED_INVALID', 'the value was not sealed to a key of this agent')
}
