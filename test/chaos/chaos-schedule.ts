// One fault every few seconds, chosen by the seed among those whose target is free.
import type { Fault } from './chaos-faults.ts'
import type { Stage } from './chaos-world.ts'
import type { Random } from './random.ts'

const EVERY_MS = 3_000

/** The faults under way. */
export interface Schedule {
  /** By name, how often each struck. */
  readonly counts: () => ReadonlyMap<string, number>
  /** How many found nothing to strike. */
  readonly missed: () => number
  /** No further fault; resolves when the last one has undone itself. */
  readonly end: () => Promise<void>
}

/** Begins to break things. */
export function startSchedule(
  { recorder }: Pick<Stage, 'recorder'>,
  faults: readonly Fault[],
  random: Random,
  everyMs = EVERY_MS,
): Schedule {
  const counts = new Map<string, number>()
  let missed = 0
  const busy = new Map<string, Promise<void>>()
  const strike = () => {
    const fault = choose(
      faults.filter(({ target }) => !busy.has(target)),
      random,
    )
    if (!fault) return
    const { name, target, whose } = fault
    const note = (phase: 'begin' | 'end') =>
      recorder.add({ at: recorder.now(), observer: 'supervisor', kind: 'fault', name, phase, target: whose })
    note('begin')
    const run = fault
      .run(random)
      // What could not be done to a world that is broken already is no failure of the run.
      .catch((error: unknown) => {
        process.stderr.write(`${name} (${target}): ${String(error)}\n`)
        return false
      })
      .then((hasStruck) => {
        if (hasStruck) counts.set(name, (counts.get(name) ?? 0) + 1)
        else missed += 1
        note('end')
        busy.delete(target)
      })
    busy.set(target, run)
  }
  const timer = setInterval(strike, everyMs)
  return {
    counts: () => counts,
    missed: () => missed,
    end: async () => {
      clearInterval(timer)
      await Promise.all(busy.values())
    },
  }
}

// By name first, so that a fault with many targets is no likelier than its weight says.
function choose(free: readonly Fault[], random: Random): Fault | undefined {
  const total = free.reduce((sum, { weight }) => sum + weight, 0)
  let left = random.next() * total
  return free.find(({ weight }) => {
    left -= weight
    return left < 0
  })
}
