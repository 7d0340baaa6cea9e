// What a refused fence means. Without a fence a lost answer cannot be settled, and that is said.
import { meaningOf } from '../decisions/read-refusal.ts'
import type { DirectoryRefusal } from '../decisions/write-answer.ts'
import { AGAIN, end, type Step, wait } from './step.ts'

const BUSY_LOOK_MS = 1_000

/** The step after a fence that the directory did not accept. */
export function findRefusedFence(refusal: DirectoryRefusal, server: string): Step {
  const meaning = meaningOf(refusal.kind)
  if (meaning === 'again') return AGAIN
  if (meaning === 'later') return wait(BUSY_LOOK_MS)
  return end({ outcome: 'unknown' }, { server, detail: refusal.diagnostic })
}
