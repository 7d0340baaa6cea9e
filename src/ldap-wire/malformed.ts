// The one failure of this room: bytes that are not LDAP.
import { WritebackError } from '../errors/writeback-error.ts'

/** The failure ERR_LDAP_MALFORMED with the reason. The bytes themselves are never quoted. */
export function malformed(reason: string): WritebackError {
  return new WritebackError('ERR_LDAP_MALFORMED', `the directory's answer is not LDAP: ${reason}`, {
    retry: 'later',
  })
}
