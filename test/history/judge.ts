// What a rule of the checker is: it looks at the sorted history and says what it decided and what is broken.
import type { History } from './index-history.ts'

/** Where a rule says what it found. */
export interface Judge {
  /** Counts cases that the history let the rule decide, well or badly. */
  readonly decide: (cases?: number) => void
  /** Counts cases that would be broken, had the world not stood in the way. */
  readonly excuse: () => void
  /** Keeps the largest value seen under a name that ends in its unit. */
  readonly measure: (name: string, value: number) => void
  /** `what`: one sentence with the ids that matter. */
  readonly violate: (at: number, what: string) => void
}

/** One invariant. */
export type Rule = (history: History, judge: Judge) => void

/** Rules by their invariant, `I1` to `I26`. */
export type Rules = Readonly<Record<string, Rule>>
