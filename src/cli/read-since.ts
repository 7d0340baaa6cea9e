// A time as people type it: a date, a moment, or how long ago.
import { WritebackError } from '../errors/writeback-error.ts'

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds since 1970 for `2026-10-01`, `2026-10-01T08:00:00Z`, `30m`, `2h` or `7d`. Throws ERR_USAGE. */
export function readSince(text: string, nowMs: number): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count !== undefined && unit !== undefined) return nowMs - Number(count) * (UNITS[unit] as number)
  const moment = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isNaN(moment))
    throw new WritebackError(
      'ERR_USAGE',
      `${text} is no time: write 2026-10-01, 2026-10-01T08:00:00Z, 2h or 7d`,
    )
  return moment
}
