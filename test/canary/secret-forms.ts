// The fourteen encodings in which a secret could hide in a file, a log, a message or a process.
import { createHash } from 'node:crypto'
import { md4 } from './md4.ts'

/** One form of a secret as bytes to look for. */
export interface SecretForm {
  readonly encoding: Encoding
  readonly bytes: Buffer
}

type FormsOf = (secret: Buffer) => readonly Buffer[]

// Secrets are ASCII, or the raw bytes of a key, of which each is taken for a character.
const wide = (secret: Buffer): Buffer => Buffer.from(secret.toString('latin1'), 'utf16le')
const quoted = (secret: Buffer): Buffer => Buffer.from(`"${secret.toString('latin1')}"`, 'utf16le')
const raw: FormsOf = (secret) => [secret, wide(secret), wide(secret).swap16(), quoted(secret)]
const narrow: FormsOf = (secret) => [secret, wide(secret)]
const text = (value: string): Buffer => Buffer.from(value)
const pairs = (bytes: Buffer): readonly string[] =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0'))
const bothCases = (value: string): readonly Buffer[] => [text(value), text(value.toUpperCase())]

/** Base64 of a value that stands anywhere in a longer one: three alignments, without the ambiguous ends. */
const base64Forms: FormsOf = (bytes) =>
  [0, 1, 2].map((offset) => {
    const all = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    return text(all.slice(offset === 0 ? 0 : offset + 1, -2))
  })

const urlSafe = (form: Buffer): Buffer => text(form.toString().replaceAll('+', '-').replaceAll('/', '_'))

const escapes: FormsOf = (secret) => {
  const lower = pairs(secret).map((pair) => `\\u00${pair}`)
  return [text(lower.join('')), text(lower.map((one) => `\\u${one.slice(2).toUpperCase()}`).join(''))]
}

const percents: FormsOf = (secret) => {
  const component = encodeURIComponent(secret.toString('latin1'))
  const form = new URLSearchParams([['', secret.toString('latin1')]]).toString().slice(1)
  return [
    ...bothCases(
      pairs(secret)
        .map((pair) => `%${pair}`)
        .join(''),
    ),
    text(component),
    text(form),
  ]
}

/** As dumps of BER and filters of LDAP write the value of an octet string. */
const berHex: FormsOf = (bytes) => [':', '\\'].flatMap((mark) => bothCases(pairs(bytes).join(mark)))

const hashes: FormsOf = (secret) => {
  const digests = [
    md4(wide(secret)),
    createHash('sha1').update(secret).digest(),
    createHash('sha256').update(secret).digest(),
  ]
  return digests.flatMap((digest) => [
    digest,
    ...bothCases(digest.toString('hex')),
    ...base64Forms(digest).flatMap((form) => [form, urlSafe(form)]),
  ])
}

const reverse = (bytes: Buffer): Buffer => Buffer.from(bytes).reverse()

/** Every encoding with the forms of a secret in it. A byte of an inspected Buffer is hex, of JSON it is decimal. */
export const ENCODINGS = {
  'UTF-8': (secret) => [secret],
  'UTF-16LE': (secret) => [wide(secret)],
  'UTF-16BE': (secret) => [wide(secret).swap16()],
  'quoted UTF-16LE': (secret) => [quoted(secret)],
  base64: (secret) => raw(secret).flatMap(base64Forms),
  base64url: (secret) => raw(secret).flatMap(base64Forms).map(urlSafe),
  hex: (secret) => raw(secret).flatMap((bytes) => bothCases(bytes.toString('hex'))),
  'JSON escapes': escapes,
  'byte array': (secret) =>
    narrow(secret).flatMap((bytes) => [text([...bytes].join(',')), text([...bytes].join(', '))]),
  'inspected Buffer': (secret) => narrow(secret).map((bytes) => text(pairs(bytes).join(' '))),
  percent: percents,
  'BER hex': (secret) => narrow(secret).flatMap(berHex),
  reversed: (secret) => [reverse(secret), wide(reverse(secret))],
  hash: hashes,
} as const satisfies Record<string, FormsOf>

/** One of the fourteen. */
export type Encoding = keyof typeof ENCODINGS

/** All forms of one secret. */
export const secretForms = (secret: Buffer): readonly SecretForm[] =>
  (Object.keys(ENCODINGS) as Encoding[]).flatMap((encoding) =>
    ENCODINGS[encoding](secret).map((bytes) => ({ encoding, bytes })),
  )
