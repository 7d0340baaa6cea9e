// Attribute values out of an entry as ldapts gives it: a missing attribute comes as an empty list, one value bare.
import type { Entry } from 'ldapts'

/** All values as text. */
export function textsOf(entry: Entry, name: string): string[] {
  const value = entry[name]
  if (value === undefined) return []
  return (Array.isArray(value) ? value : [value]).map(String)
}

/** The first value as text; `undefined` when there is none. */
export function textOf(entry: Entry, name: string): string | undefined {
  return textsOf(entry, name)[0]
}

/** All values as bytes, of an attribute that was asked for as a buffer. */
export function buffersOf(entry: Entry, name: string): Buffer[] {
  const value = entry[name] ?? []
  const values: readonly (Buffer | string)[] = Array.isArray(value) ? value : [value]
  return values.filter((one) => Buffer.isBuffer(one))
}

/** The first value as bytes; `undefined` when there is none. */
export function bytesOf(entry: Entry, name: string): Buffer | undefined {
  return buffersOf(entry, name)[0]
}
