// What one write says to OpenLDAP: everything in ONE modify, which slapd applies whole or not at all. slapo-ppolicy adds its
// own changes: a new password drops the lockout, its failures and pwdReset.
import type { Change } from '../../../ldap-wire/encode-request.ts'
import type { Effect } from '../directory.ts'
import { fenceChanges, type MarkerMove } from '../marker-move.ts'
import { isPermanent, PERMANENTLY_LOCKED, type SeenEntry } from './seen-entry.ts'

/** The marker moves; the first one brings the auxiliary class that allows it. */
export function markerChanges(
  marker: MarkerMove,
  markerClass: string,
  { hasMarkerClass }: Pick<SeenEntry, 'hasMarkerClass'>,
): Change[] {
  const add: Change = { operation: 'add', attribute: 'objectClass', values: [Buffer.from(markerClass)] }
  return [...fenceChanges(marker), ...(hasMarkerClass ? [] : [add])]
}

const PASSWORD = 'userPassword'
const LOCK = 'pwdAccountLockedTime'

/** The changes of an effect. The passwords in them are the ones that were handed in, not copies. */
export function effectChanges(effect: Effect, { lockedTime }: Pick<SeenEntry, 'lockedTime'>): Change[] {
  switch (effect.kind) {
    case 'change':
      return [
        { operation: 'delete', attribute: PASSWORD, values: [effect.oldPassword] },
        { operation: 'add', attribute: PASSWORD, values: [effect.newPassword] },
      ]
    case 'reset': {
      // A reset neither enables an account nor unlocks it without being asked: the lock is taken away and put back, because
      // beside a new password the overlay drops one that stays untouched.
      const isKept = lockedTime !== undefined && (!effect.unlock || isPermanent(lockedTime))
      const password: Change = { operation: 'replace', attribute: PASSWORD, values: [effect.password] }
      return [
        ...(isKept ? [moveLock('delete', lockedTime), password, moveLock('add', lockedTime)] : [password]),
        ...(effect.mustChange ? [MUST_CHANGE] : []),
      ]
    }
    case 'unlock':
      // What an administrator locked for good stays so; only the failures go.
      if (lockedTime !== undefined && isPermanent(lockedTime))
        return [moveLock('delete', lockedTime), moveLock('add', lockedTime)]
      // Deleting the lock makes the overlay forget the failures too; put there before, it can always be deleted.
      return [
        { operation: 'replace', attribute: LOCK, values: [Buffer.from(PERMANENTLY_LOCKED)] },
        { operation: 'delete', attribute: LOCK, values: [] },
      ]
  }
}

const MUST_CHANGE: Change = { operation: 'replace', attribute: 'pwdReset', values: [Buffer.from('TRUE')] }

const moveLock = (operation: 'add' | 'delete', time: string): Change => ({
  operation,
  attribute: LOCK,
  values: [Buffer.from(time)],
})
