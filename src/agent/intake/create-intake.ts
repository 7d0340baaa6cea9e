// The loop that claims: renews what is held, takes what is new, for as long as the agent runs.
import { randomUUID } from 'node:crypto'
import { type Backoff, createBackoff } from '../../clock/backoff.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import { LONGEST_WAIT_MS } from '../../protocol/identifiers.ts'
import { errorFields } from '../../telemetry/logger.ts'
import type { Lease } from '../decisions/leases.ts'
import type { IntakeParts } from './intake-parts.ts'
import { noteLeases, takeIn } from './take-in.ts'

/** The intake of one agent. */
export interface Intake {
  readonly start: () => void
  /** Resolves after the first claim that the store answered. */
  readonly firstClaim: Promise<void>
  readonly stop: () => Promise<void>
}

// So many requests may wait in this agent; the store keeps the rest for others.
const MOST_OPEN = 64
// With fewer free places it waits for more of them, for a while: a claim for each would cost more than it brings.
const FEW_PLACES = 16
const ENOUGH_PLACES = 32
const PLACES_WAIT_MS = 500
const PLACES_LOOK_MS = 100
const BACKOFF = { firstMs: 250, longestMs: 15_000 }

/** Makes the intake; `start` runs it. */
export function createIntake(parts: IntakeParts): Intake {
  const stopping = new AbortController()
  const backoff = createBackoff(BACKOFF)
  const first = Promise.withResolvers<void>()
  let running: Promise<void> = Promise.resolve()
  const loop = async (): Promise<void> => {
    let claimId = randomUUID()
    // The first claim does not wait: it renews what is held and tells the store's time.
    let waitMs = 0
    while (!stopping.signal.aborted) {
      const delay = await claimOnce(parts, { claimId, waitMs }, stopping.signal, backoff)
      if (delay === undefined) {
        // Only an answered claim is over: after a lost answer the same id gets the same leases.
        claimId = randomUUID()
        waitMs = LONGEST_WAIT_MS
        first.resolve()
      } else await parts.clock.sleep(delay, stopping.signal)
    }
  }
  return {
    firstClaim: first.promise,
    start: () => {
      running = loop()
    },
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}

/** Claims once. undefined: done; else how long to wait before the next try, in milliseconds. */
async function claimOnce(
  parts: IntakeParts,
  claim: { readonly claimId: string; readonly waitMs: number },
  signal: AbortSignal,
  backoff: Backoff,
): Promise<number | undefined> {
  const held = heldLeases(parts)
  const places = Math.max(0, MOST_OPEN - held.length)
  try {
    const waitMs = places === 0 ? 0 : claim.waitMs
    const { answer, sentMs, answeredMs } = await parts.client.claim(
      { claimId: claim.claimId, leases: [...held], places, waitMs },
      signal,
    )
    parts.storeTime.observe({ sentMs, answeredMs, storeTime: answer.storeTime })
    parts.setPaused(answer.paused)
    // What ended during the call is not held any more, whatever the answer says.
    const stillOpen = new Set(heldLeases(parts).map(({ request }) => request))
    const named = held.filter(({ request }) => stillOpen.has(request))
    noteLeases(parts, named, answer.renewed, sentMs)
    await takeIn(parts, answer.requests, sentMs, signal)
    noteReachable(parts)
    backoff.reset()
    await waitForPlaces(parts, signal)
    return undefined
  } catch (error) {
    if (signal.aborted) return 0
    return noteFailure(parts, error, backoff.next())
  }
}

async function waitForPlaces(parts: IntakeParts, signal: AbortSignal): Promise<void> {
  if (freePlaces(parts) >= FEW_PLACES) return
  const end = parts.clock.monotonicMs() + PLACES_WAIT_MS
  while (freePlaces(parts) < ENOUGH_PLACES && parts.clock.monotonicMs() < end && !signal.aborted)
    await parts.clock.sleep(PLACES_LOOK_MS, signal)
}

const freePlaces = (parts: IntakeParts): number => Math.max(0, MOST_OPEN - heldLeases(parts).length)

// Every open request is named, also one whose lease ran out: the store knows whether it still holds.
const heldLeases = (parts: IntakeParts): readonly Lease[] =>
  parts.journal.openLeases().map(({ requestId, lease }) => ({ request: requestId, lease }))

function noteReachable({ conditions }: IntakeParts): void {
  conditions.clear('store_unreachable', '')
  conditions.clear('store_refuses_agent', '')
}

function noteFailure(parts: IntakeParts, error: unknown, delayMs: number): number {
  const fields = errorFields(error)
  const isRefusal = error instanceof WritebackError && error.code === 'ERR_STORE_REJECTED'
  parts.conditions.raise(isRefusal ? 'store_refuses_agent' : 'store_unreachable', '', String(fields['error']))
  parts.log.warn('claiming failed', { retryInMs: Math.round(delayMs), ...fields })
  return delayMs
}
