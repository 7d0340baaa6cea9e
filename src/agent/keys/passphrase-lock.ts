// Protects the private keys at rest under a passphrase: argon2id derives a key (RFC 9106), AES-256-GCM seals with it.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { WritebackError } from '../../errors/writeback-error.ts'

const base64 = z.string().max(65_536)

/** A locked text, with everything but the passphrase that opening needs. */
export const lockedSchema = z.strictObject({
  kdf: z.strictObject({
    algorithm: z.literal('argon2id'),
    memoryKiB: z.int().min(8).max(4_194_304),
    passes: z.int().min(1).max(64),
    salt: base64,
  }),
  nonce: base64,
  ciphertext: base64,
  tag: base64,
})
export type Locked = z.infer<typeof lockedSchema>

const COST = { memoryKiB: 65_536, passes: 3 }

/** Locks a text under a passphrase. */
export async function lockWithPassphrase(text: string, passphrase: Buffer): Promise<Locked> {
  const kdf = { algorithm: 'argon2id' as const, ...COST, salt: randomBytes(16).toString('base64') }
  const key = await deriveKey(passphrase, kdf)
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  key.fill(0)
  return {
    kdf,
    nonce: nonce.toString('base64'),
    ciphertext: ciphertext.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
  }
}

/** Opens a locked text. Throws ERR_KEYS_PASSPHRASE. */
export async function unlockWithPassphrase(locked: Locked, passphrase: Buffer): Promise<string> {
  const key = await deriveKey(passphrase, locked.kdf)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(locked.nonce, 'base64'))
    decipher.setAuthTag(Buffer.from(locked.tag, 'base64'))
    return Buffer.concat([
      decipher.update(Buffer.from(locked.ciphertext, 'base64')),
      decipher.final(),
    ]).toString('utf8')
  } catch (cause) {
    throw new WritebackError('ERR_KEYS_PASSPHRASE', 'the passphrase does not open the key file', { cause })
  } finally {
    key.fill(0)
  }
}

async function deriveKey(passphrase: Buffer, kdf: Locked['kdf']): Promise<Buffer> {
  // Loaded only when a passphrase is configured: most starts do not need it.
  const argon2 = await import('argon2')
  return argon2.hash(passphrase, {
    type: argon2.argon2id,
    raw: true,
    hashLength: 32,
    salt: Buffer.from(kdf.salt, 'base64'),
    memoryCost: kdf.memoryKiB,
    timeCost: kdf.passes,
    parallelism: 1,
  })
}
