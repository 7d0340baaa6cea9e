// The loop that claims: renews what is held, takes what is new, for as long as the agent runs.
import { randomUUID } from 'node:crypto'
import { type Backoff, createBackoff } from '../../clock/backoff.ts'
import { WritebackError } from '../../errors/writeback-error.ts'
import { MOST_LEASES } from '../../protocol/agent-calls.ts'
import { LONGEST_WAIT_MS } from '../../protocol/identifiers.ts'
import { errorFields, failureLine } from '../../telemetry/logger.ts'
import type { Lease } from '../decisions/leases.ts'
import { createHoldBack, type HoldsBack } from './hold-back.ts'
import type { IntakeParts } from './intake-parts.ts'
import { noteLeases, takeIn } from './take-in.ts'

/** The intake of one agent. */
export interface Intake {
  readonly start: () => void
  /** True after the first claim that the store answered. */
  readonly hasClaimed: () => boolean
  readonly stop: () => Promise<void>
}

// So many requests of one directory may wait in this agent; the store keeps the rest for others.
const MOST_OPEN = 64
// With fewer free places it waits for more of them, for a while: a claim for each would cost more than it brings.
const FEW_PLACES = 16
const ENOUGH_PLACES = 32
const PLACES_WAIT_MS = 500
const PLACES_LOOK_MS = 100
const HURRIED_MS = 100
const BACKOFF = { firstMs: 250, longestMs: 15_000 }

/** Makes the intake; `start` runs it. */
export function createIntake(parts: IntakeParts): Intake {
  const stopping = new AbortController()
  const backoff = createBackoff(BACKOFF)
  let hasClaimed = false
  let running: Promise<void> = Promise.resolve()
  const loop = async (): Promise<void> => {
    const holdsBack = createHoldBack(parts)
    let claimId = randomUUID()
    // The first claim does not wait: it renews what is held and tells the store's time.
    let waitMs = 0
    while (!stopping.signal.aborted) {
      parts.beat?.()
      const delay = await claimOnce(parts, { claimId, waitMs, holdsBack }, stopping.signal, backoff)
      if (delay === undefined) {
        // Only an answered claim is over: after a lost answer the same id gets the same leases.
        claimId = randomUUID()
        waitMs = LONGEST_WAIT_MS
        hasClaimed = true
      } else await parts.clock.sleep(delay, stopping.signal)
    }
  }
  return {
    hasClaimed: () => hasClaimed,
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
  claim: { readonly claimId: string; readonly waitMs: number; readonly holdsBack: HoldsBack },
  signal: AbortSignal,
  backoff: Backoff,
): Promise<number | undefined> {
  try {
    const held = heldLeases(parts)
    const places = freePlaces(parts, claim.holdsBack)
    const waitMs = totalOf(places) === 0 ? 0 : claim.waitMs
    const { answer, sentMs, answeredMs } = await parts.client.claim(
      { claimId: claim.claimId, leases: [...held], places, waitMs },
      signal,
    )
    parts.storeTime.observe({ sentMs, answeredMs, storeTime: answer.storeTime })
    parts.setPaused(answer)
    parts.setGoneServers(answer.goneServers)
    noteLeases(parts, held, answer.renewed, sentMs)
    const taken = await takeIn(parts, answer.requests, sentMs, signal)
    noteReachable(parts)
    backoff.reset()
    await waitForPlaces(parts, claim.holdsBack, signal)
    // A store that does not wait, though it was asked to and had nothing new, is not asked without a pause.
    const hasHurried = waitMs > 0 && taken === 0 && answeredMs - sentMs < HURRIED_MS
    if (hasHurried) await parts.clock.sleep(HURRIED_MS, signal)
    return undefined
  } catch (error) {
    if (signal.aborted) return 0
    return noteFailure(parts, error, backoff.next())
  }
}

async function waitForPlaces(parts: IntakeParts, holdsBack: HoldsBack, signal: AbortSignal): Promise<void> {
  if (totalOf(freePlaces(parts, holdsBack)) >= FEW_PLACES) return
  const end = parts.clock.monotonicMs() + PLACES_WAIT_MS
  while (
    totalOf(freePlaces(parts, holdsBack)) < ENOUGH_PLACES &&
    parts.clock.monotonicMs() < end &&
    !signal.aborted
  )
    await parts.clock.sleep(PLACES_LOOK_MS, signal)
}

/** By directory: one that is down and full takes no place from the others. */
function freePlaces(
  { journal, addressee }: IntakeParts,
  holdsBack: HoldsBack,
): Readonly<Record<string, number>> {
  const most = Math.min(MOST_OPEN, Math.floor(MOST_LEASES / addressee.directories.size))
  return Object.fromEntries(
    [...addressee.directories].map((name) => [
      name,
      holdsBack(name) ? 0 : Math.max(0, most - journal.openCount(name)),
    ]),
  )
}

const totalOf = (places: Readonly<Record<string, number>>): number =>
  Object.values(places).reduce((sum, free) => sum + free, 0)

// Every open request is named, also one whose lease ran out: the store knows whether it still holds. One whose outcome is
// on its way is named too, or the store would hand it to somebody else meanwhile.
const heldLeases = (parts: IntakeParts): readonly Lease[] =>
  parts.journal.heldLeases(MOST_LEASES).map(({ requestId, lease }) => ({ request: requestId, lease }))

function noteReachable({ conditions }: IntakeParts): void {
  conditions.clear('journal_unusable', '')
  conditions.clear('store_unreachable', '')
  conditions.clear('store_refuses_agent', '')
}

function noteFailure(parts: IntakeParts, error: unknown, delayMs: number): number {
  const fields = errorFields(error)
  const condition = conditionOf(error)
  // A store that refuses can be reached, and of one that cannot nobody knows what it would say.
  if (condition === 'store_refuses_agent') parts.conditions.clear('store_unreachable', '')
  if (condition === 'store_unreachable') parts.conditions.clear('store_refuses_agent', '')
  parts.conditions.raise(condition, '', failureLine(error))
  parts.log.warn('claiming failed', { retryInMs: Math.round(delayMs), ...fields })
  return delayMs
}

function conditionOf(error: unknown): 'journal_unusable' | 'store_refuses_agent' | 'store_unreachable' {
  const code = error instanceof WritebackError ? error.code : ''
  if (code.startsWith('ERR_JOURNAL_')) return 'journal_unusable'
  return code === 'ERR_STORE_REJECTED' ? 'store_refuses_agent' : 'store_unreachable'
}
