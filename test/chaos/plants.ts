// Bugs to plant into the agents of a chaos run: a proof that never fails proves nothing.
import { PLANTED_BUGS } from '../planted/planted-bugs.ts'
import type { SourceEdit } from '../test-build/source-edits.ts'

/** The planted bugs by name: those of the catalogue, and two of this run’s own. */
export const PLANTS: Readonly<Record<string, readonly SourceEdit[]>> = {
  ...Object.fromEntries(PLANTED_BUGS.map(({ name, edits }) => [name, edits])),
  // The marker is written, and compared with nothing.
  'no-compare-and-set': [
    {
      file: 'src/agent/directory/marker-move.ts',
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
