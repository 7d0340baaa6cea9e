// JSON as the contract reads it: what two parsers could read differently is refused.
import { WritebackError } from '../errors/writeback-error.ts'

/** Largest body either side accepts, in bytes. */
export const LARGEST_BODY = 1024 * 1024

/** Most objects and arrays within each other; the contract's own bodies have at most eight. */
export const DEEPEST_BODY = 32

// Keeps no state between two whole texts.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Parses UTF-8 JSON bytes. Refuses bad syntax, bytes that are not UTF-8, duplicate keys, lone surrogates, the key
 * `__proto__`, nesting deeper than DEEPEST_BODY, and more than `limit` bytes. Throws ERR_JSON_INVALID; the message never quotes the content.
 */
export function parseStrictJson(bytes: Uint8Array, limit: number = LARGEST_BODY): unknown {
  if (bytes.length > limit) throw invalid(`body is larger than ${limit} bytes`)
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch (cause) {
    throw invalid('body is not UTF-8', cause)
  }
  return parseStrictText(text)
}

/** As parseStrictJson, for text that is already decoded. */
export function parseStrictText(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which may hold a secret.
    throw invalid('body is not JSON')
  }
  refuseAmbiguousKeys(text)
  return value
}

const QUOTE = 0x22
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** How strings are read. */
interface StringReading {
  /** Where the string that begins at `start` has ended. */
  readonly endOf: (text: string, start: number) => number
  /** The string without its marks. Throws for an escaped lone surrogate. */
  readonly wordOf: (text: string, start: number, end: number) => string
}

const PLAIN: StringReading = {
  endOf: (text, start) => text.indexOf('"', start + 1) + 1,
  wordOf: (text, start, end) => text.slice(start + 1, end - 1),
}
const ESCAPED: StringReading = {
  endOf: (text, start) => endOfString(text, start),
  wordOf: (text, start, end) => unquoted(text.slice(start, end)),
}

function refuseAmbiguousKeys(text: string): void {
  if (!text.isWellFormed()) throw invalid('body holds a lone surrogate')
  // A branch before the loop: V8 would put off a value that only the loop uses, and search the whole text at each string.
  if (text.includes('\\')) scan(text, ESCAPED)
  else scan(text, PLAIN)
}

// The text is valid JSON here, so a scan over strings and brackets is enough to see every key.
function scan(text: string, { endOf, wordOf }: StringReading): void {
  const open: (Set<string> | undefined)[] = []
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at)
    if (char === OPEN_BRACE || char === OPEN_BRACKET) {
      // A megabyte of brackets would keep the process busy for seconds.
      if (open.length === DEEPEST_BODY) throw invalid('body is nested too deeply')
      open.push(char === OPEN_BRACE ? new Set() : undefined)
    } else if (char === CLOSE_BRACKET || char === CLOSE_BRACE) open.pop()
    else if (char === QUOTE) {
      const end = endOf(text, at)
      const word = wordOf(text, at, end)
      if (isKey(text, end)) refuseKey(open.at(-1), word)
      at = end - 1
    }
  }
}

function unquoted(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  const value = JSON.parse(quoted) as string
  if (!value.isWellFormed()) throw invalid('body holds a lone surrogate')
  return value
}

function refuseKey(keys: Set<string> | undefined, key: string): void {
  if (key === '__proto__') throw invalid('body holds a forbidden key')
  if (keys?.has(key)) throw invalid('body holds a duplicate key')
  keys?.add(key)
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end + 1
}

// An odd number of backslashes before a quotation mark makes it part of the string.
function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text[first - 1] === '\\') first -= 1
  return (at - first) % 2 === 1
}

const isSpace = (char: number): boolean => char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09

function isKey(text: string, end: number): boolean {
  let at = end
  while (isSpace(text.charCodeAt(at))) at += 1
  return text.charCodeAt(at) === COLON
}

function invalid(message: string, cause?: unknown): WritebackError {
  return new WritebackError('ERR_JSON_INVALID', message, { cause })
}
