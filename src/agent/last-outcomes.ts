// The requests of this process that ended last, for operators: ids and codes, never a name.

/** A request that ended. `at`: by the store's clock, milliseconds since 1970. */
export interface LastOutcome {
  readonly request: string
  readonly directory: string
  readonly operation: string
  readonly outcome: string
  readonly reason: string | null
  readonly at: number
}

/** The newest few. */
export interface LastOutcomes {
  readonly note: (outcome: LastOutcome) => void
  /** Newest first. */
  readonly list: () => readonly LastOutcome[]
}

const MOST = 5

/** Makes an empty list. */
export function createLastOutcomes(): LastOutcomes {
  let kept: readonly LastOutcome[] = []
  return {
    note: (outcome) => {
      // An outcome is noted when its document was read; of two that end together the later one comes first all the same.
      kept = [outcome, ...kept].sort((one, other) => other.at - one.at).slice(0, MOST)
    },
    list: () => kept,
  }
}
