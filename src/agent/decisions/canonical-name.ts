// One spelling for each distinguished name (RFC 4514), to find out whether two of them mean the same entry.

// RFC 4519 §2, RFC 4514 §3: the attribute types that names are made of, under all their names.
const TYPES: Readonly<Record<string, string>> = {
  commonname: 'cn',
  '2.5.4.3': 'cn',
  surname: 'sn',
  '2.5.4.4': 'sn',
  countryname: 'c',
  '2.5.4.6': 'c',
  localityname: 'l',
  '2.5.4.7': 'l',
  stateorprovincename: 'st',
  '2.5.4.8': 'st',
  streetaddress: 'street',
  '2.5.4.9': 'street',
  organizationname: 'o',
  '2.5.4.10': 'o',
  organizationalunitname: 'ou',
  '2.5.4.11': 'ou',
  userid: 'uid',
  '0.9.2342.19200300.100.1.1': 'uid',
  domaincomponent: 'dc',
  '0.9.2342.19200300.100.1.25': 'dc',
}

/** The parts of a name, from the entry upwards, each in one spelling. */
export type CanonicalName = readonly string[]

/**
 * Reads a name: escapes become what they stand for, the pairs of one part are sorted, spaces are collapsed, types get their
 * short name, and all is lower case. undefined: it is no DN, or has a value as `#hex`.
 */
export function canonicalName(dn: string): CanonicalName | undefined {
  const parts: string[] = []
  for (const part of splitAt(dn, /[,;]/)) {
    const pairs = splitAt(part, /\+/).map(canonicalPair)
    if (pairs.includes(undefined)) return undefined
    parts.push(JSON.stringify(pairs.sort()))
  }
  return parts
}

/** True unless the first entry is known to be neither the second nor below it: of a name that cannot be read, nothing is known. */
export function mayBeWithin(dn: string, base: string): boolean {
  const [name, above] = [canonicalName(dn), canonicalName(base)]
  if (name === undefined || above === undefined) return true
  const tail = name.slice(Math.max(0, name.length - above.length))
  return tail.length === above.length && above.every((part, index) => part === tail[index])
}

/** True unless the two are known to be different entries. */
export const mayBeSame = (one: string, other: string): boolean =>
  mayBeWithin(one, other) && mayBeWithin(other, one)

/** Pieces between separators that no backslash escapes and no quotes enclose (RFC 2253 §4 still had quotes). */
function splitAt(text: string, separator: RegExp): readonly string[] {
  const pieces = ['']
  let isQuoted = false
  for (const [token] of text.matchAll(/\\[\s\S]|[\s\S]/gu)) {
    if (token === '"') isQuoted = !isQuoted
    if (!isQuoted && separator.test(token) && token.length === 1) pieces.push('')
    else pieces.push(`${pieces.pop()}${token}`)
  }
  return pieces
}

const PAIR = /^\s*(?:oid\.)?([a-z][a-z0-9-]*|\d+(?:\.\d+)+)\s*=([\s\S]*)$/i

function canonicalPair(pair: string): string | undefined {
  const [, name, spelled] = PAIR.exec(pair) ?? []
  const value = spelled === undefined ? undefined : unescapeValue(spelled)
  if (name === undefined || value === undefined) return undefined
  const type = name.toLowerCase()
  return `${TYPES[type] ?? type}=${value.replace(/\s+/gu, ' ').trim().normalize('NFKC').toLowerCase()}`
}

/** A value as its characters; undefined: malformed, or written as hexadecimal BER. */
function unescapeValue(spelled: string): string | undefined {
  const trimmed = spelled.trimStart()
  if (trimmed.startsWith('#')) return undefined
  const bytes: Buffer[] = []
  for (const [token, hex, character] of trimmed.matchAll(/\\([0-9a-f]{2})|\\([\s\S])|[\s\S]/giu)) {
    if (token === '\\') return undefined
    if (hex !== undefined) bytes.push(Buffer.from(hex, 'hex'))
    else if (character !== undefined) bytes.push(Buffer.from(character))
    else if (token !== '"') bytes.push(Buffer.from(token))
  }
  return Buffer.concat(bytes).toString('utf8')
}
