// Generalized time as directories write it, always in UTC (RFC 4517 §3.3.13).

/** Milliseconds since 1970 of a generalized time such as `20260131235959.0Z`; `undefined` when it is none. */
export function momentOfGeneralizedTime(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?Z$/.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number)
  return Date.UTC(year, month - 1, day, hour, minute, second)
}
