// Active Directory's times: 100-nanosecond steps, or seconds, since 1601 (MS-DTYP §2.3.3). Values pass 2^53.

const SECONDS_1601_TO_1970 = 11_644_473_600n
const NEVER = 0x7fff_ffff_ffff_ffffn

/** Milliseconds since 1970 of a moment; `undefined` for the spellings of "never": 0, negative, and the largest. */
export function momentOfFileTime(fileTime: bigint): number | undefined {
  if (fileTime <= 0n || fileTime >= NEVER) return undefined
  // A moment before 1970 is long ago, whichever it was; messages know no negative times.
  return Math.max(0, Number(fileTime / 10_000n - SECONDS_1601_TO_1970 * 1000n))
}

/** Milliseconds since 1970 of seconds since 1601. */
export function momentOfDirectorySeconds(seconds: bigint): number {
  return Number((seconds - SECONDS_1601_TO_1970) * 1000n)
}

/** Milliseconds since 1970 of a generalized time such as `20260131235959.0Z`; `undefined` when it is none. */
export function momentOfGeneralizedTime(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?Z$/.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number)
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

/** The integer in an attribute value; `undefined` when it is absent or none. */
export function largeInteger(text: string | undefined): bigint | undefined {
  return text !== undefined && /^-?\d{1,20}$/.test(text) ? BigInt(text) : undefined
}
