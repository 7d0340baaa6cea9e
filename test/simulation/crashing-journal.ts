// The agent's own journal, with two things added: it can end the process right before or right after a step was made
// durable, and it serves no process that is dead.
import type { Journal } from '../../src/agent/journal/journal.ts'
import type { Owner } from './scheduler.ts'

/** The steps that are worth dying at. */
export const CRASH_STEPS = [
  'accept',
  'receipt',
  'intent',
  'answer',
  'outcome',
  'delivered',
  'release',
  'started',
] as const
export type CrashStep = (typeof CRASH_STEPS)[number]

/** Where a process is to die. */
export interface Crash {
  readonly step: CrashStep
  readonly when: 'before' | 'after'
}

/** Wraps a journal. `crash` tells where to die next; `die` kills the process. */
export function createCrashingJournal(
  journal: Journal,
  owner: Owner,
  crash: () => Crash | undefined,
  die: () => void,
  kept: (step: string, of: string) => void,
): Journal {
  const dead = () => new Error('the process is dead')
  return new Proxy(journal, {
    get: (target, name) => {
      const method = target[name as keyof Journal] as (...args: unknown[]) => unknown
      return (...args: unknown[]) => {
        if (!owner.isAlive) throw dead()
        const planned = crash()
        const isHere = planned?.step === name
        if (isHere && planned.when === 'before') {
          die()
          throw dead()
        }
        const result = method(...args)
        if (name === 'intent' || (name === 'outcome' && result === 'recorded')) {
          const { requestId, n } = args[0] as { readonly requestId: string; readonly n?: number }
          kept(name, `${requestId} ${n ?? ''}`)
        }
        if (isHere) {
          die()
          throw dead()
        }
        return result
      }
    },
  })
}
