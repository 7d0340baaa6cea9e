// The history checker: decides the invariants I1 to I26 from what five observers saw. Pure; it believes the agent only
// where proxy, directory and store agree.
import { effectRules } from './effect-rules.ts'
import type { HistoryEvent, Verdict, Violation } from './event.ts'
import { indexHistory } from './index-history.ts'
import type { Judge, Rules } from './judge.ts'
import { orderRules } from './order-rules.ts'
import { outcomeRules } from './outcome-rules.ts'
import { processRules } from './process-rules.ts'
import { recordRules } from './record-rules.ts'
import { writeSetRules } from './write-set-rules.ts'

const RULES: Rules = {
  ...outcomeRules,
  ...effectRules,
  ...orderRules,
  ...writeSetRules,
  ...recordRules,
  ...processRules,
}

/** Every invariant that the checker knows, in their order. */
export const INVARIANTS: readonly string[] = Object.keys(RULES).sort(
  (a, b) => Number(a.slice(1)) - Number(b.slice(1)),
)

/** Checks one history. Throws when it does not begin with the event `run`. */
export function checkHistory(events: readonly HistoryEvent[]): Verdict {
  const history = indexHistory(events)
  const violations: Violation[] = []
  const decided: Record<string, number> = {}
  const excused: Record<string, number> = {}
  const measured: Record<string, number> = {}
  for (const invariant of INVARIANTS) {
    let cases = 0
    const judge: Judge = {
      decide: (more = 1) => {
        cases += more
      },
      excuse: () => {
        excused[invariant] = (excused[invariant] ?? 0) + 1
      },
      measure: (name, value) => {
        measured[name] = Math.max(measured[name] ?? 0, value)
      },
      violate: (at, what) => violations.push({ invariant, at, what }),
    }
    RULES[invariant]?.(history, judge)
    decided[invariant] = cases
  }
  return { violations, decided, excused, measured }
}
