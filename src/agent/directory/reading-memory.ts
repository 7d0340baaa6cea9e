// A short memory of what was read and seldom changes.
import type { Clock } from '../../clock/clock.ts'

const MEMORY_MS = 60_000
const REMEMBERED = 500

/** Gives what was read by this key at most 60 s ago; with `isFresh`, reads now. Throws what the read throws. */
export type ReadingMemory<Asked, Reading> = (asked: Asked, key: string, isFresh: boolean) => Promise<Reading>

/** Makes an empty memory of what `read` gives. */
export function createReadingMemory<Asked, Reading>(
  clock: Clock,
  read: (asked: Asked) => Promise<Reading>,
): ReadingMemory<Asked, Reading> {
  const known = new Map<string, { readonly atMs: number; readonly reading: Promise<Reading> }>()
  const begin = (asked: Asked, key: string): Promise<Reading> => {
    const reading = read(asked)
    const entry = { atMs: clock.monotonicMs(), reading }
    known.delete(key)
    known.set(key, entry)
    for (const oldest of known.keys()) if (known.size > REMEMBERED) known.delete(oldest)
    // A read that failed is no knowledge: the next one who asks reads again.
    reading.catch(() => known.get(key) === entry && known.delete(key))
    return reading
  }
  return async (asked, key, isFresh) => {
    const last = known.get(key)
    const isOld = last === undefined || clock.monotonicMs() - last.atMs >= MEMORY_MS
    return isFresh || isOld ? begin(asked, key) : last.reading
  }
}
