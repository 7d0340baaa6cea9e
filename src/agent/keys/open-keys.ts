// The keys in use: signs with the identity, opens sealed passwords for the time of one call.
import { type CryptoKey, importJWK } from 'jose'
import { WritebackError } from '../../errors/writeback-error.ts'
import { keepSigner } from '../../protocol/compact-jws.ts'
import type { PublicKey } from '../../protocol/identifiers.ts'
import { importOpener, type OpenerKey } from '../../protocol/open-jwe.ts'
import { openSealed, type Sealed, type SealedFor, splitPasswords } from '../../protocol/sealed-password.ts'
import type { SigningKey } from '../../protocol/signed-message.ts'
import type { ClearBytes } from '../decisions/clear-bytes.ts'
import { type KeptSealingKey, type KeySet, publicPartOf } from './key-file.ts'

/** A sealing key that can still open. `acceptedAt`: when the store accepted it, by its clock. */
export interface SealingKey {
  readonly publicKey: PublicKey
  readonly createdAt: number
  readonly acceptedAt: number | undefined
}

/** What the rest of the agent can do with its keys; the private parts stay inside. */
export interface Keys {
  readonly identity: { readonly publicKey: PublicKey; readonly signer: SigningKey }
  /** Every key that can still open, newest last. */
  readonly sealingKeys: readonly SealingKey[]
  /** From now on these open, and no others. */
  readonly replaceSealingKeys: (kept: readonly KeptSealingKey[]) => Promise<void>
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
  keepSigner(signer.key, set.identity)
  let openers = importOpeners(set.sealing)
  let sealingKeys = set.sealing.map(describe)
  return {
    identity: { publicKey: publicPartOf(set.identity), signer },
    get sealingKeys() {
      return sealingKeys
    },
    replaceSealingKeys: async (kept) => {
      openers = importOpeners(kept)
      sealingKeys = kept.map(describe)
    },
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

const describe = ({ key, createdAt, acceptedAt }: KeptSealingKey): SealingKey => ({
  publicKey: publicPartOf(key),
  ...{ createdAt, acceptedAt },
})

const importOpeners = (kept: readonly KeptSealingKey[]): ReadonlyMap<string, OpenerKey> =>
  new Map(kept.map(({ key }) => [key.kid, importOpener(key)]))

function findOpener(
  sealed: Sealed,
  openers: ReadonlyMap<string, OpenerKey>,
): { kid: string; key: OpenerKey } {
  for (const { header } of sealed.recipients) {
    const key = openers.get(header.kid)
    if (key) return { kid: header.kid, key }
  }
  throw new WritebackError('ERR_SEALED_INVALID', 'the value was not sealed to a key of this agent')
}
