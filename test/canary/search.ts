// Looks for thousands of forms of secrets in one pass over many megabytes. Every form is at least eleven bytes long, so
// whatever its place, eight bytes of it begin at an offset that four divides: only there the pass looks.
import { type Encoding, secretForms } from './secret-forms.ts'

/** A secret that is looked for, in every encoding. */
export interface Secret {
  readonly kind: string
  /** ASCII, or the raw bytes of a key. */
  readonly bytes: Buffer
}

/** One place where a form of a secret stands. */
export interface Found {
  readonly secret: Secret
  readonly encoding: Encoding
  readonly at: number
}

/** A search that is set up. */
export interface Search {
  /** Forms that are looked for. */
  readonly forms: number
  readonly find: (bytes: Buffer) => readonly Found[]
}

interface Pattern {
  readonly secret: Secret
  readonly encoding: Encoding
  readonly bytes: Buffer
}

interface Window {
  readonly pattern: Pattern
  readonly offset: number
}

const SHORTEST = 11
const FILTER_BITS = 24
const hashOf = (first: number, second: number): number =>
  (Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b)) >>> 0

/** Sets up a search. Throws when a secret is so short that a form of it would be found by chance. */
export function createSearch(secrets: readonly Secret[]): Search {
  const patterns = secrets.flatMap((secret) =>
    secretForms(secret.bytes).map(({ encoding, bytes }) => ({ secret, encoding, bytes })),
  )
  if (patterns.some(({ bytes }) => bytes.length < SHORTEST))
    throw new Error(`a secret has a form of less than ${SHORTEST} bytes`)
  const filter = new Uint32Array(1 << (FILTER_BITS - 5))
  const windows = new Map<number, Window[]>()
  for (const pattern of patterns)
    for (let offset = 0; offset < 4; offset += 1) {
      const hash = hashOf(pattern.bytes.readInt32LE(offset), pattern.bytes.readInt32LE(offset + 4))
      const bit = hash >>> (32 - FILTER_BITS)
      filter[bit >>> 5] = (filter[bit >>> 5] ?? 0) | (1 << (bit & 31))
      const known = windows.get(hash)
      if (known) known.push({ pattern, offset })
      else windows.set(hash, [{ pattern, offset }])
    }
  return { forms: patterns.length, find: (bytes) => pass(aligned(bytes), filter, windows) }
}

const aligned = (bytes: Buffer): Buffer => (bytes.byteOffset % 4 === 0 ? bytes : copyOf(bytes))
const copyOf = (bytes: Buffer): Buffer => {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

function pass(bytes: Buffer, filter: Uint32Array, windows: ReadonlyMap<number, readonly Window[]>): Found[] {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
  const found: Found[] = []
  let first = words[0] ?? 0
  for (let at = 1; at < words.length; at += 1) {
    const second = words[at] as number
    const hash = hashOf(first, second)
    first = second
    const bit = hash >>> (32 - FILTER_BITS)
    if (((filter[bit >>> 5] as number) & (1 << (bit & 31))) !== 0)
      found.push(...compare(bytes, (at - 1) * 4, windows.get(hash) ?? []))
  }
  return found
}

function compare(bytes: Buffer, place: number, candidates: readonly Window[]): Found[] {
  return candidates.flatMap(({ pattern: { secret, encoding, bytes: wanted }, offset }) => {
    const at = place - offset
    const isThere = at >= 0 && bytes.subarray(at, at + wanted.length).equals(wanted)
    return isThere ? [{ secret, encoding, at }] : []
  })
}
