// Active Directory's times: 100-nanosecond steps, or seconds, since 1601 (MS-DTYP §2.3.3). Values pass 2^53.

const SECONDS_1601_TO_1970 = 11_644_473_600n
const NEVER = 0x7fff_ffff_ffff_ffffn

/** Milliseconds since 1970 of a moment; `undefined` for the spellings of "never": 0, negative, and the largest. */
export function momentOfFileTime(fileTime: bigint): number | undefined {
  if (fileTime <= 0n || fileTime >= NEVER) return undefined
  // A moment before 1970 is long ago, whichever it was; messages know no negative times.
  return Math.max(0, Number(fileTime / 10_000n - SECONDS_1601_TO_1970 * 1000n))
}

/** The file time of a moment, milliseconds since 1970. */
export const fileTimeOfMoment = (ms: number): bigint =>
  (BigInt(Math.round(ms)) + SECONDS_1601_TO_1970 * 1000n) * 10_000n

/** Milliseconds since 1970 of seconds since 1601. */
export function momentOfDirectorySeconds(seconds: bigint): number {
  return Number((seconds - SECONDS_1601_TO_1970) * 1000n)
}

/** The integer in an attribute value; `undefined` when it is absent or none. */
export function largeInteger(text: string | undefined): bigint | undefined {
  return text !== undefined && /^-?\d{1,20}$/.test(text) ? BigInt(text) : undefined
}
