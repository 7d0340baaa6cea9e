// Whether a seed keeps its promises: what is named as not holding is excused by its whole text, and nothing else is.
import type { Violation } from '../history/event.ts'
import type { SeedReport } from './simulate-batch-child.ts'

/** One violation that test/README.md names as not holding. */
export type KnownViolation = Pick<Violation, 'invariant' | 'what'>

/** `known`: it breaks exactly what is named. A run that did not come to rest proves nothing, whatever it kept. */
export type SeedVerdict = 'kept' | 'known' | 'broken'

const told = (violations: readonly KnownViolation[]): string =>
  JSON.stringify(violations.map(({ invariant, what }) => `${invariant} ${what}`).sort())

/** Judges one seed. */
export function judgeSeed(
  { violations, hasDrained }: Pick<SeedReport, 'violations' | 'hasDrained'>,
  known: readonly KnownViolation[] = [],
): SeedVerdict {
  if (!hasDrained) return 'broken'
  if (violations.length === 0) return 'kept'
  return told(violations) === told(known) ? 'known' : 'broken'
}
