// The agent's private keys on disk: one file, mode 0600, locked under a passphrase when one is configured.
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { z } from 'zod'
import { readPrivateFile, writePrivateFile } from '../../config/private-file.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import { type PublicKey, publicKeySchema, timeSchema } from '../../protocol/identifiers.ts'
import { thumbprintOf } from '../../protocol/sealing-key.ts'
import { lockedSchema, lockWithPassphrase, unlockWithPassphrase } from './passphrase-lock.ts'

/** A private key as kept: the public part and the private scalar (RFC 7518 section 6.2.2). */
export const privateKeySchema = publicKeySchema.extend({ d: z.string().regex(/^[\w-]{43}$/) })
export type PrivateKey = z.infer<typeof privateKeySchema>

const keySetSchema = z.strictObject({
  identity: privateKeySchema,
  sealing: z
    .array(
      z.strictObject({
        key: privateKeySchema,
        createdAt: timeSchema,
        /** When the store accepted it, by the store's clock; left out before. */
        acceptedAt: timeSchema.optional(),
      }),
    )
    .min(1)
    .max(16),
})
/** All private keys of one agent. The newest sealing key is the last. */
export type KeySet = z.infer<typeof keySetSchema>
/** One sealing key of them. */
export type KeptSealingKey = KeySet['sealing'][number]

const fileSchema = z.discriminatedUnion('protection', [
  z.strictObject({ version: z.literal(1), protection: z.literal('none'), keys: keySetSchema }),
  z.strictObject({ version: z.literal(1), protection: z.literal('passphrase'), locked: lockedSchema }),
])

const fileOf = (stateDirectory: string): string => join(stateDirectory, 'keys.json')

/** Makes an identity key and a first sealing key. */
export async function generateKeySet(nowMs: number): Promise<KeySet> {
  return {
    identity: await generateKey('sig', 'ES256'),
    sealing: [await generateSealingKey(nowMs)],
  }
}

/** Makes one more sealing key. */
export const generateSealingKey = async (nowMs: number): Promise<KeptSealingKey> => ({
  key: await generateKey('enc', 'ECDH-ES+A256KW'),
  createdAt: nowMs,
})

/** The public part of a private key. */
export function publicPartOf({ d: _private, ...key }: PrivateKey): PublicKey {
  return key
}

/** Writes the key file, locked when a passphrase is given. Throws ERR_KEYS_UNUSABLE, before a file that could not be read again. */
export async function writeKeyFile(
  stateDirectory: string,
  keys: KeySet,
  passphrase: Buffer | undefined,
): Promise<void> {
  if (!keySetSchema.safeParse(keys).success)
    throw new WritebackError('ERR_KEYS_UNUSABLE', 'these keys could not be read again and are not written')
  const content = passphrase
    ? {
        version: 1,
        protection: 'passphrase',
        locked: await lockWithPassphrase(JSON.stringify(keys), passphrase),
      }
    : { version: 1, protection: 'none', keys }
  await writePrivateFile(fileOf(stateDirectory), `${JSON.stringify(content)}\n`, { wipesOld: true })
}

/** Reads the key file; undefined when there is none. Throws ERR_KEYS_UNUSABLE or ERR_KEYS_PASSPHRASE. */
export async function readKeyFile(
  stateDirectory: string,
  passphrase: Buffer | undefined,
): Promise<KeySet | undefined> {
  const text = await readPrivateFile(fileOf(stateDirectory))
  if (text === undefined) return undefined
  const file = parseKeys(text, fileSchema)
  if (file.protection === 'none') return file.keys
  if (!passphrase)
    throw new WritebackError(
      'ERR_KEYS_PASSPHRASE',
      'the key file is locked, and no passphrase file is configured',
    )
  return parseKeys(await unlockWithPassphrase(file.locked, passphrase), keySetSchema)
}

function parseKeys<T>(text: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    // The parser's message would quote the keys.
    throw new WritebackError('ERR_KEYS_UNUSABLE', 'the key file is damaged')
  }
}

async function generateKey(use: 'sig' | 'enc', alg: PublicKey['alg']): Promise<PrivateKey> {
  const { privateKey } = await generateKeyPair(alg, { crv: 'P-256', extractable: true })
  const { x = '', y = '', d = '' } = await exportJWK(privateKey)
  const base = { kty: 'EC' as const, crv: 'P-256' as const, x, y, use, alg }
  return { ...base, kid: await thumbprintOf({ ...base, kid: '-' }), d }
}
