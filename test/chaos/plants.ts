// Bugs to plant into the agents of a chaos run: a proof that never fails proves nothing.
import type { SourceEdit } from '../test-build/source-edits.ts'

/** The planted bugs by name. */
export const PLANTS: Readonly<Record<string, readonly SourceEdit[]>> = {
  // The marker is written, and compared with nothing.
  'no-compare-and-set': [
    {
      file: 'src/agent/directory/active-directory/password-modify.ts',
      find: `  const add: Change = { operation: 'add', attribute: marker.attribute, values: [Buffer.from(marker.after)] }
  if (marker.before === undefined) return [add]`,
      replace: `  const add: Change = { operation: 'replace', attribute: marker.attribute, values: [Buffer.from(marker.after)] }
  if (marker.attribute !== '') return [add]`,
    },
  ],
  // A write without an answer is taken for one that did nothing.
  'lost-is-failed': [
    {
      file: 'src/agent/writeback/write-once.ts',
      find: "  return withheld || answer.kind === 'lost' ? AGAIN : wait(UNAVAILABLE_LOOK_MS)",
      replace: `  if (answer.kind === 'lost') return end({ outcome: 'failed', reason: 'internal' }, here)
  return withheld ? AGAIN : wait(UNAVAILABLE_LOOK_MS)`,
    },
  ],
}
