// The agent's sealing keys on a clock: rotated in time, and said aloud when that fails for too long.
import { WritebackError } from '../errors/writeback-error.ts'
import { errorFields } from '../telemetry/logger.ts'
import type { AgentBase } from './agent-base.ts'
import { readPassphrase } from './agent-identity.ts'
import { createSealingKeys, type SealingKeys } from './keys/sealing-keys.ts'

type Parts = Pick<
  AgentBase,
  | 'config'
  | 'keys'
  | 'clock'
  | 'storeTime'
  | 'client'
  | 'journal'
  | 'documents'
  | 'conditions'
  | 'log'
  | 'stopping'
>

const DAY_MS = 86_400_000
const TOLD = {
  made: 'a new sealing key is kept',
  accepted: 'the store seals to the new key',
  wiped: 'an old sealing key is wiped',
} as const

/** Makes the keeper of this agent's sealing keys. */
export function keepSealingKeys(parts: Parts): SealingKeys {
  const { config, keys, clock, storeTime, client, log } = parts
  const rotateAfterMs = config.keys.rotateDays * DAY_MS
  const keeper = createSealingKeys({
    ...{ keys, rotateAfterMs, stateDirectory: config.stateDirectory },
    readPassphrase: () => readPassphrase(config),
    publish: async (sealingKeys) =>
      (await client.publishSealingKeys({ sealingKeys: [...sealingKeys] }, parts.stopping.signal)).answer,
    keysOfOpenRequests: () => keysOfOpenRequests(parts),
    nowMs: storeTime.nowMs,
    isTimeKnown: () => !storeTime.isUncertain() && !storeTime.isSkewed(),
    monotonicMs: clock.monotonicMs,
    told: (step, ids) => log.info(TOLD[step], { keys: ids }),
  })
  let failure: unknown
  const watched = async <T>(step: () => Promise<T>): Promise<T> => {
    try {
      const done = await step()
      failure = undefined
      return done
    } catch (error) {
      failure = error
      throw error
    } finally {
      tellAge(parts, rotateAfterMs + DAY_MS, failure)
    }
  }
  return { tend: () => watched(keeper.tend), rotate: () => watched(keeper.rotate) }
}

function tellAge({ keys, storeTime, conditions }: Parts, oldAfterMs: number, failure: unknown): void {
  // The enrolment accepted the first one, also when the store takes no other word of it.
  const current =
    keys.sealingKeys.findLast(({ acceptedAt }) => acceptedAt !== undefined) ?? keys.sealingKeys[0]
  const ageMs = current === undefined ? 0 : storeTime.nowMs() - current.createdAt
  if (current === undefined || ageMs <= oldAfterMs) {
    conditions.clear('sealing_key_old', '')
    return
  }
  const why = failure === undefined ? '' : `; the last try: ${String(errorFields(failure)['error'])}`
  conditions.raise(
    'sealing_key_old',
    '',
    `passwords are sealed to a key that is ${Math.floor(ageMs / DAY_MS)} days old${why}`,
  )
}

/** A document that cannot be read any more is opened by no key. */
async function keysOfOpenRequests({ journal, documents }: Parts): Promise<ReadonlySet<string>> {
  const found = await Promise.all(
    journal.open().map(async (open) => {
      const document = await documents.read(open).catch((error: unknown) => {
        if (error instanceof WritebackError) return undefined
        throw error
      })
      return document !== undefined && 'sealed' in document
        ? document.sealed.recipients.map(({ header }) => header.kid)
        : []
    }),
  )
  return new Set(found.flat())
}
