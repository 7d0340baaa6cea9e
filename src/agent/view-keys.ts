// The agent's keys as operators see them: ids, times and states, never a private part.
import { isRetryable, WritebackError } from '../errors/writeback-error.ts'
import type { AgentBase } from './agent-base.ts'
import type { Keys } from './keys/open-keys.ts'
import { KEEP_OLD_KEY_MS, type SealingKeys } from './keys/sealing-keys.ts'
import type { KeyView, RotationView } from './ops/describe-agent.ts'

const DAY_MS = 86_400_000

/** Every key that counts for this agent: its own, then the store's. */
export function viewKeys({
  keys,
  enrolled,
  config,
}: Pick<AgentBase, 'keys' | 'enrolled' | 'config'>): KeyView[] {
  const since = { createdAt: enrolled.at, acceptedAt: null, validUntil: null, state: 'current' } as const
  return [
    { kind: 'identity', id: keys.identity.publicKey.kid, ...since },
    ...viewSealing(keys, config.keys.rotateDays * DAY_MS),
    ...enrolled.keys.map(({ kid }) => ({ kind: 'store', id: kid, ...since }) as const),
  ]
}

function viewSealing({ sealingKeys }: Keys, rotateAfterMs: number): KeyView[] {
  // The enrolment accepted the first one.
  const current = Math.max(
    0,
    sealingKeys.findLastIndex(({ acceptedAt }) => acceptedAt !== undefined),
  )
  return sealingKeys.map(({ publicKey, createdAt, acceptedAt = null }, index) => {
    const replacedAt = sealingKeys[index + 1]?.acceptedAt
    const seen = { kind: 'sealing', id: publicKey.kid, createdAt, acceptedAt } as const
    if (replacedAt !== undefined) return { ...seen, validUntil: replacedAt + KEEP_OLD_KEY_MS, state: 'old' }
    const isCurrent = index === current
    return { ...seen, validUntil: createdAt + rotateAfterMs, state: isCurrent ? 'current' : 'new' }
  })
}

/** Rotates for an operator, who is told also what only takes a while. Throws ERR_KEYS_*. */
export async function rotateKey(sealingKeys: SealingKeys, keys: Keys): Promise<RotationView> {
  try {
    return { ...(await sealingKeys.rotate()), problem: null }
  } catch (error) {
    const newest = keys.sealingKeys.at(-1)
    const isKept = newest !== undefined && newest.acceptedAt === undefined
    if (!(error instanceof WritebackError) || !isKept || !isRetryable(error)) throw error
    return { state: 'not_accepted', key: newest.publicKey.kid, problem: `${error.code}: ${error.message}` }
  }
}
