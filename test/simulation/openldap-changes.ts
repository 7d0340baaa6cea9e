// What the product has no room for yet, and the model does in its place: the modifies of an OpenLDAP dialect, and what the
// answers to them mean. The marker's compare-and-set is the product's own.
import type { DirectoryRefusal, RefusalKind } from '../../src/agent/decisions/write-answer.ts'
import type { Effect } from '../../src/agent/directory/directory.ts'
import { fenceChanges, type MarkerMove } from '../../src/agent/directory/marker-move.ts'
import type { Change, RequestControl } from '../../src/ldap-wire/encode-request.ts'
import type { Result } from './directory-model.ts'

/** The attribute that holds the marker, and the auxiliary class that allows it on a person's entry. */
export const OPENLDAP_MARKER = 'writebackMarker'
export const AUXILIARY_CLASS = 'writebackAccount'

/** What the password policy control says beside a refusal (draft-behera-ldap-password-policy, 6.2). */
export const POLICY_ERRORS = { mustSupplyOld: 4, tooShort: 6, tooYoung: 7, inHistory: 8 } as const

const POLICY_CONTROL = '1.3.6.1.4.1.42.2.27.8.5.1'
const ASSERTION_CONTROL = '1.3.6.1.1.12'

/** What the session knows of the entry from its last read. */
export interface KnownEntry {
  readonly hasClass: boolean
  /** pwdAccountLockedTime is there, whether or not the lockout is over. */
  readonly isLockPresent: boolean
  readonly changedAtMs: number
}

/** The marker moves; the first one brings the class that allows it. */
export function markerChanges(before: string | undefined, after: string, { hasClass }: KnownEntry): Change[] {
  const move: MarkerMove = { attribute: OPENLDAP_MARKER, before, after }
  const add: Change = { operation: 'add', attribute: 'objectClass', values: [Buffer.from(AUXILIARY_CLASS)] }
  return [...fenceChanges(move), ...(hasClass ? [] : [add])]
}

/** The effect. A new password unlocks by itself; beside it the attribute of the lockout must not be touched. */
export function effectChanges(effect: Effect, { isLockPresent }: KnownEntry): Change[] {
  const attribute = 'userPassword'
  switch (effect.kind) {
    case 'change':
      return [
        { operation: 'delete', attribute, values: [Buffer.from(effect.oldPassword)] },
        { operation: 'add', attribute, values: [Buffer.from(effect.newPassword)] },
      ]
    case 'reset':
      return [
        { operation: 'replace', attribute, values: [Buffer.from(effect.password)] },
        ...(effect.mustChange ? [replace('pwdReset', [Buffer.from('TRUE')])] : []),
      ]
    case 'unlock':
      // `delete` forgets the failures as well; of what is not there it is refused.
      return isLockPresent
        ? [{ operation: 'delete', attribute: 'pwdAccountLockedTime', values: [] }]
        : [replace('pwdAccountLockedTime', [])]
  }
}

const replace = (attribute: string, values: Buffer[]): Change => ({ operation: 'replace', attribute, values })

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

/** What was sent, as far as its refusal depends on that. */
export interface Sent {
  readonly effect: Effect['kind'] | 'fence'
  readonly hadMarker: boolean
}

const KINDS: Readonly<Record<number, RefusalKind>> = {
  8: 'not_bound',
  10: 'read_only',
  12: 'control_unavailable',
  32: 'account_not_found',
  50: 'missing_right',
  51: 'busy',
  52: 'busy',
  65: 'busy',
  // The assertion says nothing of the marker: whoever reads again sees what changed.
  122: 'busy',
}

/**
 * What a refusal means. `compare_failed` is kept for what proves that the marker is not what was read: 16 where one was
 * deleted, and a second value where none was believed to be. Every other 16 or 20 is a collision on pwdHistory, on
 * pwdAccountLockedTime or on the class: read again, a little later.
 */
export function refusalOf({ code, diagnostic, policyError }: Result, sent: Sent): DirectoryRefusal {
  return { kind: kindOf(code, policyError, sent), code, hex: undefined, diagnostic }
}

function kindOf(code: number, policyError: number | undefined, { effect, hadMarker }: Sent): RefusalKind {
  if (code === 16) return hadMarker ? 'compare_failed' : 'busy'
  if (code === 20) return 'busy'
  if (code === 19) return policyError === undefined ? 'compare_failed' : 'password_policy'
  if (code === 53 && policyError !== undefined && effect === 'change') return 'wrong_current_password'
  return KINDS[code] ?? 'unexpected'
}

/** The one value of a change, as text. */
export const textOf = ({ values }: Change): string => Buffer.from(values[0] ?? []).toString('utf8')
