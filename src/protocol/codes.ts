// The closed sets of codes that cross the contract, each with its meaning, who can act, and the next step. The API
// document, the command line and the manual are made from these tables.

/** What one code says to the people it concerns. */
export interface CodeExplanation {
  readonly meaning: string
  readonly whoActs: 'nobody' | 'user' | 'help desk' | 'directory administrator' | 'operator'
  readonly nextStep: string
}

/** How a request can end. Exactly one of these closes it. */
export const OUTCOMES = {
  applied: {
    meaning: 'the directory holds this request’s effect, proven',
    whoActs: 'nobody',
    nextStep: 'sign in',
  },
  refused: {
    meaning: 'the directory, its policy or the on-premises rules said no; nothing changed',
    whoActs: 'user',
    nextStep: 'see the reason',
  },
  superseded: {
    meaning: 'a newer request or another change came first; nothing changed',
    whoActs: 'nobody',
    nextStep: 'use the newer password',
  },
  expired: {
    meaning: 'not applied before it expired, and never will be',
    whoActs: 'user',
    nextStep: 'ask again',
  },
  unknown: {
    meaning: 'the answer was lost and what happened could not be settled',
    whoActs: 'user',
    nextStep: 'try to sign in with the new password first, then ask again',
  },
  failed: {
    meaning: 'a defect, a misconfiguration or an operator’s decision; nothing changed',
    whoActs: 'operator',
    nextStep: 'see the reason; give the help desk the request id',
  },
} as const satisfies Record<string, CodeExplanation>
export type OutcomeName = keyof typeof OUTCOMES

/** Why a request was refused. */
export const REFUSAL_REASONS = {
  password_too_short: {
    meaning: 'the password is shorter than the policy asks',
    whoActs: 'user',
    nextStep: 'choose a longer one',
  },
  password_not_complex: {
    meaning: 'the password has too few kinds of characters',
    whoActs: 'user',
    nextStep: 'mix upper and lower case, digits and symbols',
  },
  password_contains_name: {
    meaning: 'the password contains the account or display name',
    whoActs: 'user',
    nextStep: 'leave names out',
  },
  password_in_history: {
    meaning: 'the password was used before',
    whoActs: 'user',
    nextStep: 'choose one that was not used before',
  },
  password_too_young: {
    meaning: 'the current password is too new to be changed',
    whoActs: 'user',
    nextStep: 'wait, or ask the help desk for a reset',
  },
  password_blocklisted: {
    meaning: 'the password is on the list of forbidden ones',
    whoActs: 'user',
    nextStep: 'choose another',
  },
  password_policy: {
    meaning: 'the directory refused the password and does not say why',
    whoActs: 'user',
    nextStep: 'choose one that fits the policy beside this, where one is shown, and was not used before',
  },
  wrong_current_password: {
    meaning: 'the current password is wrong',
    whoActs: 'user',
    nextStep: 'type it again, or ask for a reset',
  },
  too_many_attempts: {
    meaning:
      'one more wrong current password could lock the account, or it was written too often within the hour',
    whoActs: 'user',
    nextStep: 'wait, or ask the help desk',
  },
  account_not_found: {
    meaning: 'no account has this anchor',
    whoActs: 'help desk',
    nextStep: 'check that the account still exists and is linked to the right user',
  },
  account_ambiguous: {
    meaning: 'more than one account has this anchor',
    whoActs: 'directory administrator',
    nextStep: 'make the anchor unique',
  },
  account_disabled: {
    meaning: 'the account is disabled',
    whoActs: 'help desk',
    nextStep: 'enable the account first',
  },
  account_locked: {
    meaning: 'the account is locked',
    whoActs: 'help desk',
    nextStep: 'unlock it, or ask for a reset with unlock',
  },
  account_expired: {
    meaning: 'the account has expired',
    whoActs: 'help desk',
    nextStep: 'extend the account first',
  },
  account_protected: {
    meaning: 'this account is protected on premises and never written',
    whoActs: 'directory administrator',
    nextStep: 'reset it with an administrative workstation',
  },
  account_out_of_scope: {
    meaning: 'this account lies outside what the agent may write',
    whoActs: 'directory administrator',
    nextStep: 'widen the scope in the agent’s own configuration if that is wanted',
  },
  change_not_permitted: {
    meaning: 'the user may not change this password',
    whoActs: 'help desk',
    nextStep: 'ask for a reset',
  },
  smartcard_required: {
    meaning: 'the account signs in by smart card only',
    whoActs: 'help desk',
    nextStep: 'use the smart card',
  },
  history_not_enforceable: {
    meaning: 'the directory does not enforce password history on a reset, and the configuration asks for it',
    whoActs: 'directory administrator',
    nextStep:
      'use a domain controller that knows the control, on OpenLDAP a service account without manage; or set history to preferred',
  },
} as const satisfies Record<string, CodeExplanation>
export type RefusalReason = keyof typeof REFUSAL_REASONS

/** Why a request failed. Nothing was written. */
export const FAILURE_REASONS = {
  request_invalid: {
    meaning: 'the request is malformed, mis-signed, replayed or not for this agent',
    whoActs: 'operator',
    nextStep: 'look at the reset store and at the agent’s enrolment',
  },
  missing_right: {
    meaning: 'the service account lacks a right in the directory',
    whoActs: 'directory administrator',
    nextStep: 'grant the rights that the manual lists',
  },
  marker_unreadable: {
    meaning: 'the marker attribute cannot be read',
    whoActs: 'directory administrator',
    nextStep: 'grant the read right on the marker attribute',
  },
  marker_implausible: {
    meaning: 'the marker attribute holds a value that this system did not write',
    whoActs: 'operator',
    nextStep: 'look at the attribute of the account, and clear it if nobody else needs it',
  },
  clock_skew: {
    meaning: 'the clocks of agent, store and directory differ too much',
    whoActs: 'operator',
    nextStep: 'synchronise the clocks',
  },
  dropped_by_operator: {
    meaning: 'an operator of the agent ended the request before anything was written',
    whoActs: 'help desk',
    nextStep: 'ask the operators why, and ask again when the reason is gone',
  },
  internal: {
    meaning: 'a defect in the agent',
    whoActs: 'operator',
    nextStep: 'report it with the agent’s log',
  },
} as const satisfies Record<string, CodeExplanation>
export type FailureReason = keyof typeof FAILURE_REASONS

/** What is worth knowing beside an outcome. */
export const NOTICES = {
  history_not_enforced: {
    meaning: 'the directory cannot check password history on a reset',
    whoActs: 'nobody',
    nextStep: 'none; know it',
  },
  must_change_without_effect: {
    meaning:
      'the account is not asked for a change: its password never expires, or its policy asks for none after a reset',
    whoActs: 'help desk',
    nextStep: 'clear the flag on the account, or set pwdMustChange in its policy, if a change is wanted',
  },
  account_disabled: {
    meaning: 'done, but the account is disabled',
    whoActs: 'help desk',
    nextStep: 'enable the account',
  },
  account_expired: {
    meaning: 'done, but the account has expired',
    whoActs: 'help desk',
    nextStep: 'extend the account',
  },
  locked_again: {
    meaning: 'unlocked, but new wrong passwords locked it again since',
    whoActs: 'help desk',
    nextStep: 'find what keeps sending the old password',
  },
  other_sites_later: {
    meaning: 'other sites learn the new password by replication',
    whoActs: 'nobody',
    nextStep: 'wait some minutes at another site',
  },
  old_password_may_work: {
    meaning: 'the directory may accept the old password for a while',
    whoActs: 'nobody',
    nextStep: 'none; know it',
  },
} as const satisfies Record<string, CodeExplanation>
export type Notice = keyof typeof NOTICES
