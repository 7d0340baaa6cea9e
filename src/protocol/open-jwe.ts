// Opens what was sealed with ECDH-ES+A256KW and A256GCM on P-256 (RFC 7518 sections 4.6 and 5.3, RFC 3394). Keys are unwrapped
// by Node.js itself on the thread that asks: a third of the work of Web Crypto, with a promise and a thread for each step.
import {
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  hash,
  type JsonWebKey,
  type KeyObject,
  subtle,
} from 'node:crypto'

/** The sender's ephemeral key, a point of P-256. */
export interface EphemeralKey {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
}

/** What is opened for one recipient; texts as they were sent, in base64url. */
export interface JweParts {
  readonly protected: string
  readonly iv: string
  readonly ciphertext: string
  readonly tag: string
  readonly encryptedKey: string
  readonly ephemeralKey: EphemeralKey
}

/** A private key that opens. */
export type OpenerKey = KeyObject

/** Makes a private JWK of P-256 ready to open. Throws for what is none. */
export const importOpener = (jwk: object): OpenerKey =>
  createPrivateKey({ key: { ...jwk } as JsonWebKey, format: 'jwk' })

const ALGORITHM = 'ECDH-ES+A256KW'
const KEY_BITS = 256
const WRAPPED_BYTES = KEY_BITS / 8 + 8
const IV_BYTES = 12
const TAG_BYTES = 16
const WRAP_START = Buffer.alloc(8, 0xa6)

// Before the shared secret the number of the round, after it the algorithm, no names of the parties, and the length of the key.
const FIRST_ROUND = uint32(1)
const OTHER_INFO = Buffer.concat([
  ...[uint32(ALGORITHM.length), Buffer.from(ALGORITHM, 'ascii')],
  ...[uint32(0), uint32(0), uint32(KEY_BITS)],
])
// What stands before the two coordinates of a point of P-256 in a SubjectPublicKeyInfo (RFC 5480 section 2).
const POINT_PREFIX = '3059301306072a8648ce3d020106082a8648ce3d03010703420004'
const COORDINATE_DIGITS = 64

/** Gives the clear content; the caller wipes it. Throws an Error for what does not open with this key. */
export async function openJwe(parts: JweParts, key: OpenerKey): Promise<Buffer> {
  const contentKey = unwrapContentKey(bytesOf(parts.encryptedKey), parts.ephemeralKey, key)
  try {
    return await decryptContent(parts, contentKey)
  } finally {
    contentKey.fill(0)
  }
}

function unwrapContentKey(wrapped: Buffer, ephemeral: EphemeralKey, privateKey: KeyObject): Buffer {
  if (wrapped.length !== WRAPPED_BYTES) throw new Error('the wrapped key has a wrong length')
  const secret = diffieHellman({ privateKey, publicKey: publicKeyOf(ephemeral) })
  const input = Buffer.concat([FIRST_ROUND, secret, OTHER_INFO])
  const key = hash('sha256', input, 'buffer')
  try {
    // As an object: Node.js would try twice whether bytes are one, by an error with its stack.
    const unwrap = createDecipheriv('id-aes256-wrap', createSecretKey(key), WRAP_START)
    return Buffer.concat([unwrap.update(wrapped), unwrap.final()])
  } finally {
    for (const bytes of [secret, input, key]) bytes.fill(0)
  }
}

/** Refuses a point that is not on the curve. As text, for the same reason; four errors for a JWK. */
function publicKeyOf({ x, y }: EphemeralKey): KeyObject {
  const point = [x, y].map((part) =>
    Buffer.from(part, 'base64url').toString('hex').padStart(COORDINATE_DIGITS, '0'),
  )
  const bytes = Buffer.from(POINT_PREFIX + point.join(''), 'hex')
  return createPublicKey(`-----BEGIN PUBLIC KEY-----\n${bytes.toString('base64')}\n-----END PUBLIC KEY-----`)
}

// By Web Crypto: a cipher of Node.js itself may leave a second copy of the clear bytes behind, which nobody can wipe.
async function decryptContent(parts: JweParts, contentKey: Buffer): Promise<Buffer> {
  const [iv, tag] = [bytesOf(parts.iv), bytesOf(parts.tag)]
  if (iv.length !== IV_BYTES || tag.length !== TAG_BYTES) throw new Error('IV or tag has a wrong length')
  const key = createSecretKey(contentKey).toCryptoKey('AES-GCM', false, ['decrypt'])
  const bytes = Buffer.concat([bytesOf(parts.ciphertext), tag])
  const additionalData = Buffer.from(parts.protected, 'ascii')
  return Buffer.from(await subtle.decrypt({ name: 'AES-GCM', iv, additionalData }, key, bytes))
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'base64url')

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
