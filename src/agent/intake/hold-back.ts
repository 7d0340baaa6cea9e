// Nothing new is taken for a directory before what an earlier run left in doubt there is settled; for a bounded time, and
// not where the directory is away.
import type { IntakeParts } from './intake-parts.ts'

const LONGEST_MS = 10_000

/** Tells whether new requests of a directory have to wait. */
export type HoldsBack = (directory: string) => boolean

/** Looks at what is in doubt now, at the start. */
export function createHoldBack({
  journal,
  addressee,
  clock,
  serverOf,
}: Pick<IntakeParts, 'journal' | 'addressee' | 'clock' | 'serverOf'>): HoldsBack {
  const untilMs = clock.monotonicMs() + LONGEST_MS
  const isInDoubt = (requestId: string) =>
    journal.find(requestId) !== undefined && journal.unsettledIntents(requestId).length > 0
  const left = new Map(
    [...addressee.directories].map((name) => [name, journal.openIds(name).filter(isInDoubt)]),
  )
  return (directory) => {
    const ids = (left.get(directory) ?? []).filter((id) => journal.find(id) !== undefined)
    left.set(directory, ids)
    return ids.length > 0 && serverOf(directory) !== undefined && clock.monotonicMs() < untilMs
  }
}
