// Bends the text of a JSON message: what a parser, a scanner for doubled keys and a schema have to withstand.
import { hostileJson } from './hostile-values.ts'
import type { Random } from './random.ts'

/** One way to bend a text. */
type Bend = (text: string, random: Random) => string | Buffer

const at = (text: string, random: Random): number => random.int(text.length + 1)
const insert = (text: string, where: number, piece: string): string =>
  text.slice(0, where) + piece + text.slice(where)

/** Places right after an opening brace, where a member may stand. */
const objectStarts = (text: string): number[] =>
  [...text.matchAll(/\{(?=")/g)].map((match) => match.index + 1)

function withMember(text: string, random: Random, member: string): string {
  const starts = objectStarts(text)
  return starts.length === 0 ? `${text}${member}` : insert(text, random.pick(starts), `${member},`)
}

/** Places of whole member values that are a text, a number or a word. */
function replaceValue(text: string, random: Random, value: string): string {
  const found = [...text.matchAll(/:("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)/g)]
  if (found.length === 0) return value
  const match = random.pick(found)
  return `${text.slice(0, match.index + 1)}${value}${text.slice(match.index + match[0].length)}`
}

function dropMember(text: string, random: Random): string {
  const found = [...text.matchAll(/"\w+":(?:"(?:[^"\\]|\\.)*"|-?\d+|true|false|null),/g)]
  if (found.length === 0) return ''
  const match = random.pick(found)
  return text.slice(0, match.index) + text.slice(match.index + match[0].length)
}

const DEPTHS = [10, 10, 100, 100, 1000, 5000, 50_000]

const BENDS: Readonly<Record<string, Bend>> = {
  'duplicate key': (text, random) => {
    const keys = [...text.matchAll(/"(\w+)":/g)].map((match) => match[1] ?? '')
    return withMember(text, random, `"${keys.length > 0 ? random.pick(keys) : 'a'}":${hostileJson(random)}`)
  },
  'duplicate key in other letters': (text, _random) => {
    const key = /"(\w)(\w*)":/.exec(text)
    const code = (key?.[1] ?? 'a').charCodeAt(0).toString(16).padStart(4, '0')
    return insert(text, Math.max(1, key?.index ?? 1), `"\\u${code}${key?.[2] ?? ''}":1,`)
  },
  'lone surrogate': (text, random) =>
    random.chance(0.5)
      ? replaceValue(text, random, '"\\ud800"')
      : withMember(text, random, '"\\udfff\\ud800":1'),
  nesting: (text, random) => {
    const depth = random.pick(DEPTHS)
    const deep = random.chance(0.5)
      ? '['.repeat(depth) + ']'.repeat(depth)
      : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
    return random.chance(0.3) ? deep : replaceValue(text, random, deep)
  },
  'half open nesting': (text, random) => insert(text, at(text, random), '['.repeat(random.pick(DEPTHS))),
  number: (text, random) => text.replace(/:\d+/, () => `:${hostileJson(random)}`),
  truncated: (text, random) => text.slice(0, random.int(text.length)),
  'byte order mark': (text) => `\ufeff${text}`,
  NUL: (text, random) => insert(text, at(text, random), '\0'),
  'wrong type': (text, random) => replaceValue(text, random, hostileJson(random)),
  'unknown field': (text, random) => withMember(text, random, `"extra":${hostileJson(random)}`),
  'missing field': dropMember,
  prototype: (text, random) =>
    withMember(text, random, `"${random.pick(['__proto__', 'constructor', 'toString'])}":{"polluted":true}`),
  'two values': (text) => text + text,
  nothing: () => '',
  page: () => '<!doctype html><title>Sign in</title>',
  'flipped bytes': (text, random) => {
    const bytes = Buffer.from(text)
    for (let count = 1 + random.int(8); count > 0; count -= 1)
      bytes[random.int(bytes.length)] = random.int(256)
    return bytes
  },
  'cut and doubled bytes': (text, random) => {
    const bytes = Buffer.from(text)
    const [from, to, where] = [random.int(bytes.length), random.int(bytes.length), random.int(bytes.length)]
    return Buffer.concat([
      bytes.subarray(0, where),
      bytes.subarray(Math.min(from, to), Math.max(from, to)),
      bytes.subarray(where),
    ])
  },
  'not UTF-8': (text, random) => {
    const where = at(text, random)
    return Buffer.concat([
      Buffer.from(text.slice(0, where)),
      Buffer.of(0xc0, 0x80),
      Buffer.from(text.slice(where)),
    ])
  },
  UTF16: (text) => Buffer.from(text, 'utf16le'),
  'other letters': (text, random) => {
    const where = at(text, random)
    return text.slice(0, where) + text.slice(where).toUpperCase()
  },
  whitespace: (text, random) => text.replaceAll(',', `,${random.pick([' ', '\n', '\t', '\u00a0', '\v'])}`),
  'one list a thousand times': (text) =>
    text.replace(
      /\[(\{[^[\]]*\})/,
      (_, one: string) => `[${Array.from({ length: 300 }, () => one).join(',')}`,
    ),
}

/** The ways there are. */
export const JSON_BENDS: readonly string[] = Object.keys(BENDS)

/** Bends a text in one named way. */
export function bendJson(name: string, text: string, random: Random): Buffer {
  const bend = BENDS[name]
  if (bend === undefined) throw new Error(`no way to bend a text: ${name}`)
  const bent = text === '' ? '' : bend(text, random)
  return typeof bent === 'string' ? Buffer.from(bent) : bent
}
