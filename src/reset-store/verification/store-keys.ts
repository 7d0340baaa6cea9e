// The store's signing key: made at the first start, kept in one file, never anywhere else.
import { exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { z } from 'zod'
import { readPrivateFile, writePrivateFile } from '../../config/private-file.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import { keepSigner } from '../../protocol/compact-jws.ts'
import { type PublicKey, publicKeySchema } from '../../protocol/identifiers.ts'
import { thumbprintOf } from '../../protocol/sealing-key.ts'
import type { SigningKey } from '../../protocol/signed-message.ts'

/** The key that signs request documents, and its public half as agents know it. */
export interface StoreKeys {
  readonly signer: SigningKey
  readonly publicKey: PublicKey
  readonly thumbprint: string
}

const fileSchema = publicKeySchema.extend({ d: z.string().regex(/^[\w-]{43}$/) })

/**
 * Reads the signing key, or makes one when `isFirstStart`. Throws ERR_KEYS_UNUSABLE when it is missing later: agents
 * trust this key alone.
 */
export async function loadStoreKeys(path: string, isFirstStart: boolean): Promise<StoreKeys> {
  const text = await readPrivateFile(path)
  if (text !== undefined) return keysOf(parse(path, text))
  if (!isFirstStart)
    throw new WritebackError('ERR_KEYS_UNUSABLE', `signing key ${path} is missing, but the store had one`)
  const jwk = await makeKey()
  await writePrivateFile(path, `${JSON.stringify(jwk)}\n`)
  return keysOf(jwk)
}

async function makeKey(): Promise<z.infer<typeof fileSchema>> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const { x = '', y = '', d = '' } = await exportJWK(privateKey)
  const key = { kty: 'EC', crv: 'P-256', x, y, use: 'sig', alg: 'ES256' } as const
  return { ...key, kid: await thumbprintOf({ ...key, kid: 'none' }), d }
}

function parse(path: string, text: string): z.infer<typeof fileSchema> {
  try {
    return fileSchema.parse(JSON.parse(text))
  } catch {
    // Without the cause: it may quote the file.
    throw new WritebackError('ERR_KEYS_UNUSABLE', `signing key ${path} is damaged`)
  }
}

async function keysOf({ d, ...publicKey }: z.infer<typeof fileSchema>): Promise<StoreKeys> {
  const { use: _use, kid, ...half } = publicKey
  const key = (await importJWK({ ...half, d } as JWK, 'ES256')) as SigningKey['key']
  keepSigner(key, { ...half, d })
  return { signer: { kid, key }, publicKey, thumbprint: await thumbprintOf(publicKey) }
}
