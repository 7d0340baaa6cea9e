// An offline list of forbidden passwords: words, or hashes as breach lists give them. Nothing here asks a network, and
// no listed word is kept: words too become digests, of their lower case.
import { sha1 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { WritebackError } from '../errors/writeback-error.ts'
import { codePointsOf, decodeUtf8, foldCase } from './code-points.ts'
import { createDigestCollector, DIGEST_BYTES, type DigestTable } from './digest-table.ts'

/** An offline list of forbidden passwords. */
export interface Blocklist {
  /** True when the password (UTF-8) is listed: as a word in any case, or exactly by its hash. */
  readonly has: (password: Uint8Array) => boolean
  /** The number of different entries. */
  readonly size: number
}

/** Longest line, in UTF-16 code units. */
const LONGEST_LINE = 1_024

/** Breach lists give hashes in hex, with how often each was seen. */
const HEX = /^[0-9a-f]+(?::\d+)?$/i
const SHA1_DIGITS = 40
const SHA256_DIGITS = 64
/** MD5 or NTLM, and SHA-512: with a count they are hashes, which would protect nobody if taken for words. */
const OTHER_DIGITS = [32, 128]

/**
 * Reads a list. A line is a word; or the SHA-1 or SHA-256 of a password in hex, which `:count` may follow; or blank; or a
 * comment that begins with `#`. Throws ERR_CONFIG_INVALID, naming the line by number only, for a line of over 1,024
 * characters, one with a control character, and a hash with a count that is neither SHA-1 nor SHA-256.
 */
export function parseBlocklist(text: string): Blocklist {
  const [words, sha1s, sha256s] = [createDigestCollector(), createDigestCollector(), createDigestCollector()]
  const digest = new Uint8Array(DIGEST_BYTES)
  forEachLine(text, (line, number) => {
    refuseFaultyLine(line, number)
    if (line.trim() === '' || line.startsWith('#')) return
    const digits = hashDigits(line)
    if (digits === undefined) words.add(digestOfWord(Uint32Array.from(codePointsOf(line))))
    else if (digits === SHA1_DIGITS || digits === SHA256_DIGITS) {
      readHex(line, digest)
      ;(digits === SHA1_DIGITS ? sha1s : sha256s).add(digest)
    } else throw invalid(number, 'holds a hash that is neither SHA-1 nor SHA-256')
  })
  return createBlocklist({ words: words.toTable(), sha1s: sha1s.toTable(), sha256s: sha256s.toTable() })
}

interface Tables {
  readonly words: DigestTable
  readonly sha1s: DigestTable
  readonly sha256s: DigestTable
}

function createBlocklist({ words, sha1s, sha256s }: Tables): Blocklist {
  return {
    size: words.size + sha1s.size + sha256s.size,
    has: (password) =>
      hasDigest(sha1s, sha1(password)) || hasDigest(sha256s, sha256(password)) || hasWord(words, password),
  }
}

function hasWord(words: DigestTable, password: Uint8Array): boolean {
  const points = decodeUtf8(password)
  if (points === undefined) return false
  try {
    return hasDigest(words, digestOfWord(points))
  } finally {
    points.fill(0)
  }
}

function hasDigest(table: DigestTable, digest: Uint8Array): boolean {
  const isListed = table.has(digest)
  digest.fill(0)
  return isListed
}

/** Folds the code points in place. Their byte order is the machine's: digests of words never leave it. */
function digestOfWord(points: Uint32Array): Uint8Array {
  for (const [at, point] of points.entries()) points[at] = foldCase(point)
  return sha256(new Uint8Array(points.buffer, points.byteOffset, points.byteLength))
}

/** Lines count from 1. No array of them is made: a list may have millions. */
function forEachLine(text: string, visit: (line: string, number: number) => void): void {
  let start = text.startsWith('\ufeff') ? 1 : 0
  for (let number = 1; start < text.length; number += 1) {
    const next = text.indexOf('\n', start)
    const end = next === -1 ? text.length : next
    visit(text.slice(start, end > start && text[end - 1] === '\r' ? end - 1 : end), number)
    start = end + 1
  }
}

function refuseFaultyLine(line: string, number: number): void {
  if (line.length > LONGEST_LINE) throw invalid(number, `is longer than ${LONGEST_LINE} characters`)
  if (/\p{Cc}/u.test(line)) throw invalid(number, 'holds a control character')
}

/** The number of hex digits when the line is a hash, undefined when it is a word. */
function hashDigits(line: string): number | undefined {
  const colon = line.indexOf(':')
  const digits = colon === -1 ? line.length : colon
  const isSupported = digits === SHA1_DIGITS || digits === SHA256_DIGITS
  const isOther = colon !== -1 && OTHER_DIGITS.includes(digits)
  return (isSupported || isOther) && HEX.test(line) ? digits : undefined
}

function invalid(number: number, fault: string): WritebackError {
  return new WritebackError('ERR_CONFIG_INVALID', `line ${number} of the blocklist ${fault}`)
}

function readHex(line: string, digest: Uint8Array): void {
  for (let at = 0; at < digest.length; at += 1) {
    digest[at] = (hexValue(line.charCodeAt(at * 2)) << 4) | hexValue(line.charCodeAt(at * 2 + 1))
  }
}

/** Of a character that is a hex digit. */
function hexValue(code: number): number {
  return code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x57
}
