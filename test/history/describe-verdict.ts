// What the checker found, for people: how often each invariant was decided, and every violation.
import type { Verdict } from './event.ts'

const MOST_SHOWN = 40

/** Lines that end with a newline. */
export function describeVerdict({ violations, decided }: Verdict): string {
  const counts = Object.entries(decided).map(([invariant, cases]) => `${invariant} ${cases}`)
  const lines = [
    `decided: ${counts.join(', ')}`,
    ...violations
      .slice(0, MOST_SHOWN)
      .map(({ invariant, at, what }) => `${invariant} at ${Math.round(at)} ms: ${what}`),
    `violations: ${violations.length}`,
  ]
  return `${lines.join('\n')}\n`
}
