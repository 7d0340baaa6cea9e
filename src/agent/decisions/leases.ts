// The leases this agent holds, by its own clocks. No write starts on one that has run out.
import type { Clock } from '../../clock/clock.ts'
import { LEASE_MS } from '../../protocol/identifiers.ts'

/** One lease as the store knows it. */
export interface Lease {
  readonly request: string
  readonly lease: number
}

/** The leases held, in memory: after a restart every lease is asked for again. */
export interface Leases {
  /** The store confirmed a lease in an answer to a call sent at `sentMs` (monotonic). */
  readonly confirm: (lease: Lease, sentMs: number) => void
  /**
   * True while the lease has not run out, counted from the moment the call was sent, by the monotonic clock and by the
   * wall clock: the first stands still while a host sleeps.
   */
  readonly isHeld: (lease: Lease) => boolean
  /** The store said that this lease is another's or nobody's now. */
  readonly lose: (lease: Lease) => void
  readonly isLost: (lease: Lease) => boolean
  /** The request has its outcome, or was given up under this lease. A newer lease stays. */
  readonly drop: (lease: Lease) => void
  /** All that are worth renewing, held or run out. */
  readonly all: () => readonly Lease[]
}

/** Makes an empty table. */
export function createLeases(clock: Clock): Leases {
  const held = new Map<
    string,
    { readonly lease: number; readonly untilMs: number; readonly untilWallMs: number }
  >()
  const lost = new Map<string, number>()
  return {
    confirm: ({ request, lease }, sentMs) => {
      held.set(request, {
        lease,
        untilMs: sentMs + LEASE_MS,
        untilWallMs: clock.wallMs() - (clock.monotonicMs() - sentMs) + LEASE_MS,
      })
      lost.delete(request)
    },
    isHeld: ({ request, lease }) => {
      const entry = held.get(request)
      if (entry === undefined || entry.lease !== lease) return false
      return clock.monotonicMs() < entry.untilMs && clock.wallMs() < entry.untilWallMs
    },
    lose: ({ request, lease }) => {
      if (held.get(request)?.lease === lease) held.delete(request)
      lost.set(request, lease)
    },
    isLost: ({ request, lease }) => (lost.get(request) ?? 0) >= lease,
    drop: ({ request, lease }) => {
      if ((held.get(request)?.lease ?? 0) <= lease) held.delete(request)
      if ((lost.get(request) ?? 0) <= lease) lost.delete(request)
    },
    all: () => [...held].map(([request, { lease }]) => ({ request, lease })),
  }
}
