// What a password must be to go to slapd as it is: its bytes are sent as they came, and slapd hashes them.
import { WritebackError } from '../../../errors/writeback-error.ts'
import { decodeUtf8 } from '../../../policy/code-points.ts'
import type { ClearBytes } from '../../decisions/clear-bytes.ts'
import type { Effect } from '../directory.ts'

const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/**
 * Throws ERR_PASSWORD_UNREPRESENTABLE when a password is empty, is not UTF-8, or begins like `{SSHA}`: slapd would take that
 * for a hash and hold it to no policy.
 */
export function checkPasswordBytes(effect: Effect): void {
  if (effect.kind === 'reset') check(effect.password)
  if (effect.kind !== 'change') return
  check(effect.oldPassword)
  check(effect.newPassword)
}

function check(password: ClearBytes): void {
  if (password.length === 0) throw unrepresentable('is empty')
  const points = decodeUtf8(password)
  if (points === undefined) throw unrepresentable('is not UTF-8')
  points.fill(0)
  if (password[0] === OPENING_BRACE && password.indexOf(CLOSING_BRACE) > 1)
    throw unrepresentable('begins as the hash of a password does')
}

const unrepresentable = (how: string): WritebackError =>
  new WritebackError('ERR_PASSWORD_UNREPRESENTABLE', `the password ${how}`)
