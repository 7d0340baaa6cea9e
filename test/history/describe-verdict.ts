// What the checker found, for people: how often each invariant was decided, and the first violations of each.
import type { Verdict } from './event.ts'

const SHOWN_EACH = 3

/** Lines that end with a newline. */
export function describeVerdict({ violations, decided }: Verdict): string {
  const counts = Object.entries(decided).map(([invariant, cases]) => `${invariant} ${cases}`)
  const broken = [...Map.groupBy(violations, ({ invariant }) => invariant)]
  const lines = [
    `decided: ${counts.join(', ')}`,
    ...broken.flatMap(([invariant, own]) => [
      `${invariant} broken ${own.length} times`,
      ...own.slice(0, SHOWN_EACH).map(({ at, what }) => `  at ${Math.round(at)} ms: ${what}`),
    ]),
    `violations: ${violations.length}`,
  ]
  return `${lines.join('\n')}\n`
}
