// What the model of OpenLDAP and the session with it have in common. The changes of a write and what the answers mean are the
// product's own; only the value of the assertion control is the model's, as text.
import type { DirectoryRefusal } from '../../src/agent/decisions/write-answer.ts'
import { readSlapdRefusal, type SentModify } from '../../src/agent/directory/openldap/classify-refusal.ts'
import { PPOLICY_ERROR } from '../../src/agent/directory/openldap/ppolicy-control.ts'
import type { Change, RequestControl } from '../../src/ldap-wire/encode-request.ts'
import type { Result } from './directory-model.ts'

/** The attribute that holds the marker, and the auxiliary class that allows it on a person's entry. */
export const OPENLDAP_MARKER = 'writebackMarker'
export const AUXILIARY_CLASS = 'writebackAccount'

/** What the password policy control says beside a refusal. */
export const POLICY_ERRORS = {
  mustSupplyOld: PPOLICY_ERROR.mustSupplyOldPassword,
  tooShort: PPOLICY_ERROR.passwordTooShort,
  tooYoung: PPOLICY_ERROR.passwordTooYoung,
  inHistory: PPOLICY_ERROR.passwordInHistory,
} as const

const POLICY_CONTROL = '1.3.6.1.4.1.42.2.27.8.5.1'
const ASSERTION_CONTROL = '1.3.6.1.1.12'

/** What the session knows of the entry from its last read. */
export interface KnownEntry {
  readonly hasMarkerClass: boolean
  /** pwdAccountLockedTime, whether or not the lockout is over; the model spells it in milliseconds. */
  readonly lockedTime: string | undefined
  readonly changedAtMs: number
}

/** The controls of a write; the model takes the assertion's value as text. */
export function controlsOf(asserts: boolean, { changedAtMs }: KnownEntry): RequestControl[] {
  const policy = { oid: POLICY_CONTROL, critical: false }
  const value = Buffer.from(String(changedAtMs))
  return asserts ? [policy, { oid: ASSERTION_CONTROL, critical: true, value }] : [policy]
}

/** The pwdChangedTime that a modify asserts, milliseconds; undefined: it asserts nothing. */
export function readAssertion(controls: readonly RequestControl[]): number | undefined {
  const control = controls.find(({ oid }) => oid === ASSERTION_CONTROL)
  return control && Number(Buffer.from(control.value ?? []).toString('utf8'))
}

/** What a refusal means, as the product reads it. */
export const refusalOf = (
  { code, diagnostic, policyError }: Result,
  sent: Omit<SentModify, 'markerAttribute'>,
): DirectoryRefusal =>
  readSlapdRefusal({ code, diagnostic, policyError }, { ...sent, markerAttribute: OPENLDAP_MARKER })

/** The one value of a change, as text. */
export const textOf = ({ values }: Change): string => Buffer.from(values[0] ?? []).toString('utf8')
