// What the checker found, for people: how often each invariant was decided, and the first violations of each.
import type { Verdict } from './event.ts'

const SHOWN_EACH = 3

/** Lines that end with a newline. */
export function describeVerdict({ violations, decided, excused, measured }: Verdict): string {
  const tell = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts).map(([invariant, cases]) => `${invariant} ${cases}`)
  const broken = [...Map.groupBy(violations, ({ invariant }) => invariant)]
  const lines = [
    `decided: ${tell(decided).join(', ')}`,
    `excused: ${tell(excused).join(', ') || 'none'}`,
    `longest: ${tell(measured).join(', ') || 'none'}`,
    ...broken.flatMap(([invariant, own]) => [
      `${invariant} broken ${own.length} times`,
      ...own.slice(0, SHOWN_EACH).map(({ at, what }) => `  at ${Math.round(at)} ms: ${what}`),
    ]),
    `violations: ${violations.length}`,
  ]
  return `${lines.join('\n')}\n`
}
