// Whatever writes the record does so one after the other. What fails is said, and tried again until it goes.
import type { Clock } from '../../clock/clock.ts'
import type { Conditions } from '../../telemetry/conditions.ts'
import { failureLine } from '../../telemetry/logger.ts'

/** The turns of one record. */
export interface AuditTurns {
  /** Runs a step when all before it have ended; never rejects. */
  readonly take: (step: () => Promise<void>) => Promise<void>
  /** True from a step that failed to the next one that did not. */
  readonly isBroken: () => boolean
  readonly stop: () => Promise<void>
}

const RETRY_MS = 1_000

/** `again`: what is tried after a failure; `failed`: told of each. */
export function createTurns(
  { conditions, clock }: { readonly conditions: Conditions; readonly clock: Clock },
  again: () => Promise<void>,
  failed: () => void,
): AuditTurns {
  const stopping = new AbortController()
  let isBroken = false
  let turn: Promise<void> = Promise.resolve()
  let retrying: Promise<void> | undefined
  const retry = async () => {
    while (isBroken && !stopping.signal.aborted) {
      await clock.sleep(RETRY_MS, stopping.signal)
      if (!stopping.signal.aborted) await take(again)
    }
    retrying = undefined
  }
  const mend = () => {
    isBroken = false
    conditions.clear('audit_not_writable', '')
  }
  const fail = (error: unknown) => {
    failed()
    conditions.raise('audit_not_writable', '', failureLine(error))
    isBroken = true
    retrying ??= retry()
  }
  const take: AuditTurns['take'] = (step) => {
    turn = turn.then(step).then(mend, fail)
    return turn
  }
  return {
    take,
    isBroken: () => isBroken,
    stop: async () => {
      stopping.abort()
      await retrying
      await turn
    },
  }
}
