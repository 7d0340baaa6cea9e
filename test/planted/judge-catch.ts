// When a seed counts as having caught a planted bug: only by what the bug is about.

/** The first seed that caught a bug, and the invariants that did. */
export interface Catch {
  readonly seed: number
  readonly invariants: readonly string[]
}

// Rules that look at when things happened: whatever moves a run moves them, too.
const BY_THE_WAY: ReadonlySet<string> = new Set(['I5', 'I7'])

/**
 * The invariants that caught the bug: broken with it, kept without it in the same seed, and among those that its record
 * names. Without a record, when it is looked for anew: all but those that any change of a run may move. Empty: no catch.
 */
export function judgeCatch(
  broken: readonly string[],
  brokenWithoutBug: readonly string[],
  record: Catch | undefined,
): readonly string[] {
  return broken.filter(
    (invariant) =>
      !brokenWithoutBug.includes(invariant) &&
      (record ? record.invariants.includes(invariant) : !BY_THE_WAY.has(invariant)),
  )
}
