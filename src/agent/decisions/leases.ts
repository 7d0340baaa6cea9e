// The leases this agent holds, by its own monotonic clock. No write starts on one that has run out.
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
  /** True while the lease has not run out, counted from the moment the call was sent. */
  readonly isHeld: (lease: Lease) => boolean
  /** The store said that this lease is another's or nobody's now. */
  readonly lose: (lease: Lease) => void
  readonly isLost: (lease: Lease) => boolean
  /** The request has its outcome or was given up. */
  readonly drop: (request: string) => void
  /** All that are worth renewing, held or run out. */
  readonly all: () => readonly Lease[]
}

/** Makes an empty table. */
export function createLeases(clock: Clock): Leases {
  const held = new Map<string, { readonly lease: number; readonly untilMs: number }>()
  const lost = new Map<string, number>()
  return {
    confirm: ({ request, lease }, sentMs) => {
      held.set(request, { lease, untilMs: sentMs + LEASE_MS })
      lost.delete(request)
    },
    isHeld: ({ request, lease }) => {
      const entry = held.get(request)
      return entry !== undefined && entry.lease === lease && clock.monotonicMs() < entry.untilMs
    },
    lose: ({ request, lease }) => {
      if (held.get(request)?.lease === lease) held.delete(request)
      lost.set(request, lease)
    },
    isLost: ({ request, lease }) => (lost.get(request) ?? 0) >= lease,
    drop: (request) => {
      held.delete(request)
      lost.delete(request)
    },
    all: () => [...held].map(([request, { lease }]) => ({ request, lease })),
  }
}
