// Bends a signed message: its header, its signature, and what stands between the dots.
import { createHmac, type KeyObject, sign } from 'node:crypto'
import { hostileJson } from './hostile-values.ts'
import type { Random } from './random.ts'

/** The keys a forger may have: the store's public key as everybody has it, and one of their own. */
export interface Forger {
  readonly kid: string
  readonly type: string
  /** The store's own private key: for headers that only a faulty or hostile store would sign. */
  readonly storeKey: KeyObject
  readonly storePublicPem: string
  readonly ownKey: KeyObject
}

/** Compact JWS text made by hand, so that it may be as wrong as one likes. */
export function jwsOf(header: unknown, payload: string | Buffer, key: KeyObject): string {
  const input = `${encode(JSON.stringify(header))}.${encode(payload)}`
  return `${input}.${es256(input, key)}`
}

const encode = (value: string | Buffer): string => Buffer.from(value).toString('base64url')
const es256 = (input: string, key: KeyObject): string =>
  sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')

type Bend = (parts: readonly [string, string, string], random: Random, forger: Forger) => string

const headerOf = (text: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>

/** A header with other fields, signed by the store's own key all the same. */
const resigned =
  (change: (header: Record<string, unknown>, random: Random) => Record<string, unknown>): Bend =>
  ([header, payload], random, { storeKey }) =>
    jwsOf(change(headerOf(header), random), Buffer.from(payload, 'base64url'), storeKey)

const BENDS: Readonly<Record<string, Bend>> = {
  'alg none': ([header, payload], random) => {
    const alg = random.pick(['none', 'None', 'NONE', ''])
    return `${encode(JSON.stringify({ ...headerOf(header), alg }))}.${payload}.${random.pick(['', 'AA'])}`
  },
  'HMAC with the public key': ([header, payload], _random, { storePublicPem }) => {
    const input = `${encode(JSON.stringify({ ...headerOf(header), alg: 'HS256' }))}.${payload}`
    return `${input}.${createHmac('sha256', storePublicPem).update(input).digest('base64url')}`
  },
  'another alg': resigned((header, random) => ({
    ...header,
    alg: random.pick(['ES384', 'RS256', 'PS256', 'EdDSA', 'ES256K', 'es256', null, 7]),
  })),
  'another kid': resigned((header, random) => ({
    ...header,
    kid: random.pick<unknown>(['', 'x', '__proto__', null, 7, [], {}, 'k'.repeat(10_000)]),
  })),
  'no kid': resigned(({ kid: _kid, ...header }) => header),
  crit: resigned((header, random) => ({
    ...header,
    crit: random.pick<unknown>([['b64'], ['exp'], [], 'b64', [7], ['crit']]),
  })),
  b64: resigned((header, random) => ({
    ...header,
    b64: random.pick<unknown>([false, true, 'false']),
    ...(random.chance(0.7) ? { crit: ['b64'] } : {}),
  })),
  'another typ': resigned((header, random) => ({
    ...header,
    typ: random.pick<unknown>(['wb-outcome+jws', 'wb-enrolled+jws', 'JWT', '', null, 7, 'WB-REQUEST+JWS']),
  })),
  'a key in the header': ([header, payload], _random, { ownKey }) =>
    jwsOf(
      { ...headerOf(header), jwk: ownKey.export({ format: 'jwk' }), jku: 'https://attacker.test/keys' },
      Buffer.from(payload, 'base64url'),
      ownKey,
    ),
  'signed by a stranger': ([header, payload], _random, { ownKey }) =>
    jwsOf(headerOf(header), Buffer.from(payload, 'base64url'), ownKey),
  'header bent': ([, payload, signature], random) => `${encode(hostileJson(random))}.${payload}.${signature}`,
  'header nested': ([, payload, signature]) => `${encode('{"alg":'.repeat(3000))}.${payload}.${signature}`,
  'payload bent': ([header, payload, signature], random) => {
    const bytes = Buffer.from(payload, 'base64url')
    bytes[random.int(bytes.length)] = random.int(256)
    return `${header}.${encode(bytes)}.${signature}`
  },
  'payload of another': ([header, , signature], random) =>
    `${header}.${encode(hostileJson(random))}.${signature}`,
  detached: ([header, , signature]) => `${header}..${signature}`,
  'signature flipped': ([header, payload, signature], random) => {
    const bytes = Buffer.from(signature, 'base64url')
    const where = random.int(bytes.length)
    bytes[where] = (bytes[where] ?? 0) ^ (1 << random.int(8))
    return `${header}.${payload}.${encode(bytes)}`
  },
  'signature of another length': ([header, payload, signature], random) => {
    const bytes = Buffer.from(signature, 'base64url')
    const length = random.pick([0, 1, 32, 63, 65, 96, 128])
    return `${header}.${payload}.${encode(Buffer.concat([bytes, bytes]).subarray(0, length))}`
  },
  'signature of zeros': ([header, payload]) => `${header}.${payload}.${encode(Buffer.alloc(64))}`,
  'signature in DER': ([header, payload], _random, { storeKey }) =>
    `${header}.${payload}.${encode(sign('sha256', Buffer.from(`${header}.${payload}`), storeKey))}`,
  'spare bits of base64': ([header, payload, signature], random) =>
    `${header}.${payload}.${signature.slice(0, -1)}${random.pick([...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'])}`,
  'segments swapped': ([header, payload, signature], random) =>
    random.pick([
      `${payload}.${header}.${signature}`,
      `${header}.${signature}.${payload}`,
      `${header}.${header}.${header}`,
    ]),
  'segments added': ([header, payload, signature], random) =>
    random.pick([
      `${header}.${payload}.${signature}.`,
      `.${header}.${payload}.${signature}`,
      `${header}.${payload}`,
      `${header}.${payload}.${signature}.a.b`,
      `${header}.${payload}.${signature}=`,
      ` ${header}.${payload}.${signature}\n`,
      JSON.stringify({ protected: header, payload, signature }),
    ]),
  'standard base64': ([header, payload, signature]) =>
    `${header}.${payload}.${signature.replaceAll('-', '+').replaceAll('_', '/')}`,
}

/** The ways there are. */
export const JWS_BENDS: readonly string[] = Object.keys(BENDS)

/** Bends a compact JWS in one named way. */
export function bendJws(name: string, jws: string, random: Random, forger: Forger): string {
  const bend = BENDS[name]
  const [header = '', payload = '', signature = ''] = jws.split('.')
  if (bend === undefined) throw new Error(`no way to bend a signed message: ${name}`)
  return bend([header, payload, signature], random, forger)
}
