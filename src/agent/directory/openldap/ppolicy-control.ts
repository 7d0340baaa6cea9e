// The password policy control (draft-behera-ldap-password-policy-10, section 6): asked for with every bind and write,
// and what it answers beside a result.
import { type BerElement, integerOf, readElements } from '../../../ldap-wire/ber-read.ts'
import type { LdapResult } from '../../../ldap-wire/decode-response.ts'
import type { RequestControl } from '../../../ldap-wire/encode-request.ts'

/** The control; a server has it when the ppolicy overlay is loaded. */
export const PPOLICY_CONTROL = '1.3.6.1.4.1.42.2.27.8.5.1'

/** Asks for it. Never critical: a server without the overlay must not refuse the write for it. */
export const ppolicyRequest: RequestControl = { oid: PPOLICY_CONTROL, critical: false }

/** Errors that a bind or a write can bring (section 6.2). */
export const PPOLICY_ERROR = {
  passwordExpired: 0,
  accountLocked: 1,
  passwordModNotAllowed: 3,
  mustSupplyOldPassword: 4,
  insufficientPasswordQuality: 5,
  passwordTooShort: 6,
  passwordTooYoung: 7,
  passwordInHistory: 8,
  passwordTooLong: 9,
} as const

const SEQUENCE = 0x30
const ERROR = 0x81

/** The error that came with a result; undefined: none, no such control, or one that cannot be read. Never throws: the result stands. */
export function ppolicyErrorOf({ controls }: Pick<LdapResult, 'controls'>): number | undefined {
  const value = controls.find(({ oid }) => oid === PPOLICY_CONTROL)?.value
  try {
    return value && readError(value)
  } catch {
    return undefined
  }
}

function readError(value: Buffer): number | undefined {
  const [sequence] = readElements(value, 0, value.length)
  if (sequence?.tag !== SEQUENCE) return undefined
  const isError = ({ tag }: BerElement) => tag === ERROR
  const error = readElements(value, sequence.start, sequence.end).find(isError)
  return error && integerOf(value, error)
}
