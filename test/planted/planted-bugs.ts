// The fifteen bugs that the checker must find: each is the product's own source, edited as a careless hand would.
import type { SourceEdit } from '../test-build/source-edits.ts'

/** One bug. */
export interface PlantedBug {
  readonly name: string
  /** One sentence: what is wrong. */
  readonly what: string
  readonly edits: readonly SourceEdit[]
}

/** All bugs. */
export const PLANTED_BUGS: readonly PlantedBug[] = []
