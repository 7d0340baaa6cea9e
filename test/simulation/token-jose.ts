// What stands for the package `jose` in a simulated process: signatures and sealed values are opaque tokens that only the
// named key makes or opens. Nothing waits for a thread, so a run can be repeated.
import { hash } from 'node:crypto'

/** Stands for a key: who knows the pair's name holds it. */
export interface TokenKey {
  readonly pair: string
  readonly isPrivate: boolean
}

interface Jwk {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y: string
  readonly d?: string
}

class JOSEError extends Error {}

/** The errors that callers look for. */
export const errors = { JOSEError }

let signatures = 0
const sealedContents = new Map<string, { readonly content: Buffer; readonly pairs: ReadonlySet<string> }>()

/** Forgets the tokens of the run before. */
export function forgetTokens(): void {
  signatures = 0
  sealedContents.clear()
}

/** The key behind a JWK. */
export const importJWK = async (jwk: Jwk): Promise<TokenKey> => keyOf(jwk)

/** As importJWK, without a promise. */
export const keyOf = (jwk: Jwk): TokenKey => ({ pair: jwk.x, isPrivate: jwk.d !== undefined })

/** A pair by its name, as JWK. */
export const jwkOf = (name: string) => {
  const x = hash('sha256', name, 'base64url')
  return { kty: 'EC', crv: 'P-256', x, y: x, d: x } as const
}

export const calculateJwkThumbprint = async ({ x }: Jwk): Promise<string> => x
export const generateKeyPair = (): never => refuseKeys()
export const exportJWK = (): never => refuseKeys()

const refuseKeys = (): never => {
  throw new Error('no keys are made in a simulated run')
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const seal = (pair: string, number: string, text: string): string =>
  hash('sha256', `${pair}.${number}.${text}`, 'base64url')

const tagOf = (ciphertext: string, header: string): string => seal(ciphertext, '', header).slice(0, 22)

type Header = Readonly<Record<string, unknown>> & { readonly kid?: string; readonly typ?: string }
type FindKey = (header: Header) => TokenKey | Promise<TokenKey>

// As with ES256, signing the same twice gives two signatures.
function sign(header: Header, payload: string, key: TokenKey): string {
  if (!key.isPrivate) throw new TypeError('signed with a public key')
  const text = `${encode(header)}.${payload}`
  signatures += 1
  const number = signatures.toString(36)
  return `${text}.${number}-${seal(key.pair, number, text)}`
}

async function verify(jws: string, findKey: FindKey) {
  const [head = '', payload = '', signature = ''] = jws.split('.')
  const protectedHeader = readHeader(head)
  const key = await findKey(protectedHeader)
  const cut = signature.indexOf('-')
  const number = signature.slice(0, cut)
  if (signature.slice(cut + 1) !== seal(key.pair, number, `${head}.${payload}`))
    throw new JOSEError('signature verification failed')
  return { payload: new Uint8Array(Buffer.from(payload, 'base64url')), protectedHeader }
}

function readHeader(text: string): Header {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
  } catch {
    throw new JOSEError('no header')
  }
}

export const compactVerify = verify

export class CompactSign {
  readonly #payload: Uint8Array
  #header: Header = {}
  constructor(payload: Uint8Array) {
    this.#payload = payload
  }
  setProtectedHeader(header: Header): this {
    this.#header = header
    return this
  }
  async sign(key: TokenKey): Promise<string> {
    return sign(this.#header, Buffer.from(this.#payload).toString('base64url'), key)
  }
}

export class GeneralEncrypt {
  readonly #content: Uint8Array
  #header: Header = {}
  readonly #recipients: { readonly key: TokenKey; header: Header }[] = []
  constructor(content: Uint8Array) {
    this.#content = content
  }
  setProtectedHeader(header: Header): this {
    this.#header = header
    return this
  }
  addRecipient(key: TokenKey) {
    const recipient = { key, header: {} as Header }
    this.#recipients.push(recipient)
    return {
      setUnprotectedHeader: (header: Header) => {
        recipient.header = header
      },
    }
  }
  async encrypt() {
    const ciphertext = `sealed-${sealedContents.size + 1}`
    const pairs = new Set(this.#recipients.map(({ key }) => key.pair))
    sealedContents.set(ciphertext, { content: Buffer.from(this.#content), pairs })
    return {
      ...{
        protected: encode(this.#header),
        iv: 'iv',
        ciphertext,
        tag: tagOf(ciphertext, encode(this.#header)),
      },
      recipients: this.#recipients.map(({ header, key: { pair: x } }) => ({
        header: { ...header, epk: { kty: 'EC', crv: 'P-256', x, y: x } },
        encrypted_key: 'key',
      })),
    }
  }
}

/** What was sealed for the key's pair. */
export async function openToken(
  jwe: { readonly protected: string; readonly ciphertext: string; readonly tag: string },
  key: TokenKey,
): Promise<Buffer> {
  const known = sealedContents.get(jwe.ciphertext)
  const isWhole = jwe.tag === tagOf(jwe.ciphertext, jwe.protected)
  if (!known || !isWhole || !key.isPrivate || !known.pairs.has(key.pair))
    throw new JOSEError('decryption failed')
  return Buffer.from(known.content)
}
