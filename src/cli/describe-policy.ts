// A password policy in words: what a password must be, how long it lasts, and when an account locks.
import type { EffectivePolicy } from '../protocol/account-state.ts'
import type { Row } from './aligned-lines.ts'

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const

/** A duration in the largest unit that tells it exactly. */
export function describeDuration(ms: number): string {
  const [unit, length] = UNITS.find(([, one]) => ms >= one && ms % one === 0) ?? (['ms', 1] as const)
  const count = ms / length
  return `${count} ${unit}${count === 1 || unit === 'ms' ? '' : 's'}`
}

const sourceOf = ({ source }: EffectivePolicy): string =>
  source === 'domain' ? 'of the domain' : 'fine-grained'

const ageOf = (ms: number | null): string => (ms === null || ms === 0 ? 'none' : describeDuration(ms))

function describeLockout(policy: EffectivePolicy): string {
  const { lockoutThreshold, lockoutWindowMs, lockoutDurationMs } = policy
  if (lockoutThreshold === 0) return 'never'
  const until = lockoutDurationMs === null ? 'until unlocked' : `for ${describeDuration(lockoutDurationMs)}`
  return `after ${lockoutThreshold} wrong within ${describeDuration(lockoutWindowMs)}, ${until}`
}

/** The policy as labelled rows. */
export const policyRows = (policy: EffectivePolicy): readonly Row[] => [
  ['policy', `${policy.name} (${sourceOf(policy)})`],
  ['minimum length', `${policy.minimumLength} characters`],
  ['complexity', policy.complexity ? 'three of five kinds of characters' : 'not asked for'],
  ['names inside', policy.refusesNames ? 'refused: account name and display name' : 'allowed'],
  ['history', policy.historyLength === 0 ? 'none' : `the last ${policy.historyLength} are refused`],
  ['minimum age', ageOf(policy.minimumAgeMs)],
  ['maximum age', ageOf(policy.maximumAgeMs)],
  ['locks', describeLockout(policy)],
]
