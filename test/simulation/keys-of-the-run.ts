// Who holds which keys in a run: the store, and each agent.

import type { PrivateKey } from '../../src/agent/keys/key-file.ts'
import { type Keys, openKeys } from '../../src/agent/keys/open-keys.ts'
import type { PublicKey } from '../../src/protocol/identifiers.ts'
import type { SigningKey } from '../../src/protocol/signed-message.ts'
import { jwkOf, keyOf } from './token-jose.ts'

/** The store's id, tenant and directory in every run. */
export const STORE = '5a5a0001'
export const TENANT = 'default'
export const DIRECTORY = 'corp'
/** Where the store is reached. */
export const STORE_URL = 'https://store.test'

const privateKey = (name: string, use: 'sig' | 'enc'): PrivateKey => {
  const jwk = jwkOf(name)
  return { ...jwk, use, alg: use === 'sig' ? 'ES256' : 'ECDH-ES+A256KW', kid: jwk.x }
}

const publicKey = ({ d: _private, ...key }: PrivateKey): PublicKey => key

/** The store's signing key and its public half. */
export function storeKeys(): { readonly signer: SigningKey; readonly publicKey: PublicKey } {
  const key = privateKey('store', 'sig')
  return { signer: { kid: key.kid, key: keyOf(key) as never }, publicKey: publicKey(key) }
}

/** The keys of one agent as it opens them, and their public halves. */
export interface AgentKeys {
  readonly keys: Keys
  readonly identity: PublicKey
  readonly sealing: PublicKey
}

/** Opens the keys of an agent. */
export async function agentKeys(name: string): Promise<AgentKeys> {
  const identity = privateKey(`${name} identity`, 'sig')
  const sealing = privateKey(`${name} sealing`, 'enc')
  const keys = await openKeys({ identity, sealing: [{ key: sealing, createdAt: 1 }] })
  return { keys, identity: publicKey(identity), sealing: publicKey(sealing) }
}
