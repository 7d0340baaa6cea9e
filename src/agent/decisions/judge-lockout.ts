// Whether one more wrong password could lock an account. No account is ever locked by this agent.
import type { PasswordPolicy } from '../../policy/password-policy.ts'
import { CLOCK_UNCERTAINTY_MS, type Operation } from '../../protocol/identifiers.ts'
import type { Account } from './account.ts'

/** Wrong current passwords that an agent lets through per account and hour (contract, Outcomes). */
export const MOST_WRONG_PASSWORDS = 3
export const WRONG_PASSWORDS_WINDOW_MS = 3_600_000

/**
 * True when a failure would bring the count to one below the threshold or above. A count older than the observation
 * window is none, by the directory's clock; in doubt about the clock it still counts. Thresholds 1 and 2 are always
 * near. `directoryNowMs`: milliseconds since 1970.
 */
export function isLockoutNear(
  account: Pick<Account, 'badPasswordCount' | 'badPasswordAtMs'>,
  policy: Pick<PasswordPolicy, 'lockoutThreshold' | 'lockoutWindowMs'>,
  directoryNowMs: number,
): boolean {
  if (policy.lockoutThreshold === 0) return false
  const { badPasswordAtMs } = account
  const isOld =
    badPasswordAtMs !== undefined &&
    directoryNowMs > badPasswordAtMs + policy.lockoutWindowMs + CLOCK_UNCERTAINTY_MS
  const count = isOld ? 0 : account.badPasswordCount
  return count + 1 >= policy.lockoutThreshold - 1
}

/**
 * True when it hangs on the directory's clock whether a current password may be tried: it must be asked for anew then. By one that
 * was set back within the last minute failures of a moment ago would look lapsed.
 */
export const needsClock = (operation: Operation, failures: number): boolean =>
  operation === 'change' && failures > 0
