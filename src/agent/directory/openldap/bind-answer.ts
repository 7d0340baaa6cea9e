// What slapd says beside the answer to the bind of the service account, by the password policy control: why it was refused, and
// whether the overlay is there at all, which its root entry does not tell.
import type { LdapResult } from '../../../ldap-wire/decode-response.ts'
import { isWithin } from '../../decisions/distinguished-name.ts'
import type { BindDialect, BindRefusal } from '../service-bind.ts'
import { PPOLICY_CONTROL, PPOLICY_ERROR, ppolicyErrorOf, ppolicyRequest } from './ppolicy-control.ts'

// Neither is said of a wrong password, so neither is counted.
const REFUSALS: Readonly<Record<number, BindRefusal>> = {
  [PPOLICY_ERROR.passwordExpired]: { reason: 'its password expired', isCounted: false },
  [PPOLICY_ERROR.accountLocked]: { reason: 'the account is locked', isCounted: false },
}

/** Asks for the control with each bind. */
export const slapdBind: BindDialect = {
  controls: [ppolicyRequest],
  refusalOf: (result: LdapResult) => REFUSALS[ppolicyErrorOf(result) ?? -1],
}

/**
 * True when the bind proves that no password policy holds for the service account: the overlay answers every bind that asks for
 * the control on its own database, but of the rootdn. An account of another database says nothing of the one with the people.
 */
export const isWithoutPolicy = (
  bindName: string,
  suffix: string,
  { bindControls }: { readonly bindControls: ReadonlySet<string> },
): boolean => isWithin(bindName, suffix) && !bindControls.has(PPOLICY_CONTROL)
