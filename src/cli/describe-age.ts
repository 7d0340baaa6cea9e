// Lengths of time for people.

const UNITS = [
  ['d', 86_400_000, 'h', 3_600_000],
  ['h', 3_600_000, 'min', 60_000],
  ['min', 60_000, 's', 1000],
] as const

/** A length of time in its two largest units: `3 d 4 h`, `12 s`. */
export function describeAge(ms: number): string {
  const [unit, length, smaller, smallerLength] = UNITS.find(([, one]) => ms >= one) ?? []
  if (unit === undefined) return `${Math.max(0, Math.floor(ms / 1000))} s`
  const rest = Math.floor((ms % length) / smallerLength)
  return `${Math.floor(ms / length)} ${unit}${rest === 0 ? '' : ` ${rest} ${smaller}`}`
}
