// The one clock of a run and everything that happens on it. Between two events nothing is left to do in the process, so
// the order of events alone decides what happens, and the same seed gives the same run.
import { realSetImmediate } from './own-the-process.ts'
import { type Chance, createChance } from './seeded-random.ts'

/** Who an event happens to: a process that can be stopped, continued and killed. */
export interface Owner {
  readonly name: string
  /** False after it was killed: nothing happens to it any more. Set by `end` alone. */
  isAlive: boolean
  /** Told when it is killed. */
  readonly mourners: Set<() => void>
  /** Its events wait until it goes on. */
  isStopped: boolean
  readonly held: (() => void)[]
  /** Its monotonic clock, milliseconds. */
  readonly monotonicMs: () => number
}

interface Event {
  readonly at: number
  readonly order: number
  readonly owner: Owner
  readonly run: () => void
  isCancelled: boolean
}

/** The scheduler of one run. Times are true time, whole milliseconds. */
export interface Scheduler {
  readonly chance: Chance
  readonly now: () => number
  /** Lets something happen to somebody at a moment; gives how to call it off. */
  readonly at: (owner: Owner, atMs: number, run: () => void) => () => void
  readonly after: (owner: Owner, ms: number, run: () => void) => () => void
  /** A timer of the owner's process, by its monotonic clock. */
  readonly timer: (owner: Owner, ms: number, run: () => void) => () => void
  /** Runs as soon as what happens now has ended. */
  readonly soon: (run: () => void) => void
  /** Whose event happens now. */
  readonly current: () => Owner
  /** The harness itself. */
  readonly world: Owner
  readonly makeOwner: (name: string, monotonicMs?: () => number) => Owner
  /** Kills it. */
  readonly end: (owner: Owner) => void
  readonly stop: (owner: Owner) => void
  readonly proceed: (owner: Owner) => void
  /** Lets everything happen until `isOver` says so or nothing is left; throws when `untilMs` is reached. */
  readonly run: (isOver: () => boolean, untilMs: number) => Promise<'over' | 'late'>
  /** How many events happened. */
  readonly count: () => number
}

/** Makes the scheduler of one seed; `startMs` is the first moment. */
export function createScheduler(seed: number, startMs: number): Scheduler {
  const heap = createHeap()
  const soon: { owner: Owner; run: () => void }[] = []
  let nowMs = startMs
  let order = 0
  let happened = 0
  const makeOwner = (name: string, monotonicMs = () => nowMs): Owner => ({
    ...{ name, isAlive: true, isStopped: false, held: [], mourners: new Set(), monotonicMs },
  })
  const world = makeOwner('world')
  let current = world

  const at = (owner: Owner, atMs: number, run: () => void) => {
    const event: Event = {
      at: Math.max(nowMs, Math.ceil(atMs)),
      order: order++,
      owner,
      run,
      isCancelled: false,
    }
    heap.push(event)
    return () => {
      event.isCancelled = true
    }
  }
  const timer = (owner: Owner, ms: number, run: () => void) => {
    const due = owner.monotonicMs() + ms
    let cancel = () => {}
    const look = (inMs: number) => {
      cancel = at(owner, nowMs + Math.max(1, inMs), () => {
        // A host that slept meanwhile has not counted that time.
        const left = due - owner.monotonicMs()
        if (left > 0) look(left)
        else run()
      })
    }
    look(ms)
    return () => cancel()
  }
  const settle = async () => {
    await new Promise((resolve) => realSetImmediate(resolve))
    while (soon.length > 0) {
      for (const { owner, run } of soon.splice(0)) {
        current = owner
        if (owner.isAlive) run()
      }
      await new Promise((resolve) => realSetImmediate(resolve))
    }
    current = world
  }
  const happen = async (event: Event) => {
    happened += 1
    current = event.owner
    event.run()
    await settle()
  }
  return {
    chance: createChance(seed),
    now: () => nowMs,
    at,
    after: (owner, ms, run) => at(owner, nowMs + ms, run),
    timer,
    soon: (run) => void soon.push({ owner: current, run }),
    current: () => current,
    world,
    makeOwner,
    end: (owner) => {
      owner.isAlive = false
      for (const mourn of owner.mourners) mourn()
      owner.mourners.clear()
    },
    stop: (owner) => {
      owner.isStopped = true
    },
    proceed: (owner) => {
      owner.isStopped = false
      for (const run of owner.held.splice(0)) at(owner, nowMs, run)
    },
    run: async (isOver, untilMs) => {
      await settle()
      for (;;) {
        if (isOver()) return 'over'
        const event = heap.pop()
        if (event === undefined) return 'over'
        if (event.isCancelled || !event.owner.isAlive) continue
        if (event.at > untilMs) return 'late'
        nowMs = event.at
        if (event.owner.isStopped) {
          const { run } = event
          event.owner.held.push(() => {
            if (!event.isCancelled) run()
          })
        } else await happen(event)
      }
    },
    count: () => happened,
  }
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** A binary heap of events by time, then by the order in which they were made. */
function createHeap() {
  const all: Event[] = []
  const sink = (from: number) => {
    let at = from
    for (;;) {
      const left = 2 * at + 1
      const right = left + 1
      let least = at
      if (left < all.length && isBefore(all[left] as Event, all[least] as Event)) least = left
      if (right < all.length && isBefore(all[right] as Event, all[least] as Event)) least = right
      if (least === at) return
      ;[all[at], all[least]] = [all[least] as Event, all[at] as Event]
      at = least
    }
  }
  return {
    push: (event: Event) => {
      let at = all.length
      all.push(event)
      while (at > 0) {
        const up = (at - 1) >> 1
        if (!isBefore(event, all[up] as Event)) break
        all[at] = all[up] as Event
        all[up] = event
        at = up
      }
    },
    pop: (): Event | undefined => {
      const first = all[0]
      const last = all.pop()
      if (first === undefined || last === undefined || all.length === 0) return first
      all[0] = last
      sink(0)
      return first
    },
  }
}
