// Every form in which a secret could hide in a file, a log or a process.
import { createHash } from 'node:crypto'

/** One form of a secret as bytes to look for. */
export interface SecretForm {
  readonly name: string
  readonly bytes: Buffer
}

const swapped = (utf16: Buffer): Buffer => Buffer.from(utf16).swap16()

/** Base64 of a value that stands at any offset inside of a longer one: three alignments, without the ambiguous ends. */
function base64Forms(name: string, bytes: Buffer): SecretForm[] {
  return [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const inner = text.slice(offset === 0 ? 0 : offset + 1, -2)
    const url = inner.replaceAll('+', '-').replaceAll('/', '_')
    const forms = [{ name: `${name} base64 +${offset}`, bytes: Buffer.from(inner) }]
    return url === inner
      ? forms
      : [...forms, { name: `${name} base64url +${offset}`, bytes: Buffer.from(url) }]
  })
}

/** All forms of one secret, given as UTF-8. */
export function secretForms(secret: Buffer): readonly SecretForm[] {
  const text = secret.toString('utf8')
  const utf16 = Buffer.from(text, 'utf16le')
  const quoted = Buffer.from(`"${text}"`, 'utf16le')
  const raw = [
    { name: 'UTF-8', bytes: secret },
    { name: 'UTF-16LE', bytes: utf16 },
    { name: 'UTF-16BE', bytes: swapped(utf16) },
    { name: 'quoted UTF-16LE', bytes: quoted },
  ]
  return [
    ...raw,
    ...raw.flatMap(({ name, bytes }) => base64Forms(name, bytes)),
    ...raw.slice(0, 2).flatMap(({ name, bytes }) => textForms(name, bytes)),
    {
      name: 'JSON escapes',
      bytes: Buffer.from(
        [...text].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
      ),
    },
    {
      name: 'percent',
      bytes: Buffer.from([...secret].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')),
    },
    { name: 'URL component', bytes: Buffer.from(encodeURIComponent(text)) },
    { name: 'reversed', bytes: Buffer.from([...text].reverse().join('')) },
    { name: 'SHA-1', bytes: Buffer.from(createHash('sha1').update(secret).digest('hex')) },
    { name: 'SHA-256', bytes: Buffer.from(createHash('sha256').update(secret).digest('hex')) },
  ]
}

function textForms(name: string, bytes: Buffer): SecretForm[] {
  const hex = bytes.toString('hex')
  return [
    { name: `${name} hex`, bytes: Buffer.from(hex) },
    { name: `${name} HEX`, bytes: Buffer.from(hex.toUpperCase()) },
    {
      name: `${name} hex with spaces`,
      bytes: Buffer.from([...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')),
    },
    { name: `${name} byte array`, bytes: Buffer.from([...bytes].join(',')) },
  ]
}

/** The names of the forms that occur in `haystack`. */
export const findForms = (haystack: Buffer, forms: readonly SecretForm[]): readonly string[] =>
  forms.filter(({ bytes }) => haystack.includes(bytes)).map(({ name }) => name)
