// Tells operators that a fine-grained policy cannot be read, until one can.
import type { Account } from '../decisions/account.ts'
import type { PolicyReading } from '../directory/directory.ts'
import type { WritebackParts } from './writeback-parts.ts'

/** Raises the condition, or clears it when a fine-grained policy was read: the domain's own proves no right. */
export function notePolicy(
  { conditions }: Pick<WritebackParts, 'conditions'>,
  directory: string,
  { policyDn }: Pick<Account, 'policyDn'>,
  reading: PolicyReading,
): void {
  if (reading.kind === 'unreadable') conditions.raise('policy_unreadable', directory, reading.problem)
  else if (policyDn !== undefined) conditions.clear('policy_unreadable', directory)
}
