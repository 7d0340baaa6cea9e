// Generalized time as directories write and take it (RFC 4517 §3.3.13).

const GENERALIZED = /^(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(\d\d)?)?(?:[.,](\d+))?(?:Z|([+-])(\d\d)(\d\d)?)$/

/**
 * Milliseconds since 1970 of a generalized time such as `20260131235959.0Z`, in any of its forms: minutes and seconds may be
 * left out, the last of what is there may have a fraction, and it may be local time with its offset. `undefined` when it is
 * none.
 */
export function momentOfGeneralizedTime(text: string): number | undefined {
  const match = GENERALIZED.exec(text)
  if (match === null) return undefined
  const number = (at: number) => Number(match[at] ?? 0)
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(number) as Six
  const [offsetHours, offsetMinutes] = [number(9), number(10)]
  if (hour > 23 || minute > 59 || second > 60 || offsetHours > 23 || offsetMinutes > 59) return undefined
  const date = new Date(0)
  // Date.UTC takes years below 100 for those of the last century.
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined
  const unitMs = match[5] === undefined ? 3_600_000 : match[6] === undefined ? 60_000 : 1_000
  const fractionMs = Math.floor(Number(`0.${match[7] ?? 0}`) * unitMs)
  const offsetMs = (offsetHours * 60 + offsetMinutes) * (match[8] === '-' ? -60_000 : 60_000)
  return date.setUTCHours(hour, minute, second) + fractionMs - offsetMs
}

type Six = [number, number, number, number, number, number]

/** The generalized time of a moment, milliseconds since 1970, in whole seconds. */
export const generalizedTimeOf = (ms: number): string =>
  `${new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, '')}Z`
