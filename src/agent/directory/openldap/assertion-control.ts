// The assertion control (RFC 4528): the write is made only if the entry still is what was read. Closes the window between
// the read and the write, and keeps a name from leading to another entry.
import { encodeFilter, type Filter } from '../../../ldap-wire/encode-filter.ts'
import type { RequestControl } from '../../../ldap-wire/encode-request.ts'
import type { Effect } from '../directory.ts'
import { isPermanent, PERMANENTLY_LOCKED, type SeenEntry } from './seen-entry.ts'

/** RFC 4528 §2. */
export const ASSERTION_CONTROL = '1.3.6.1.1.12'

/** Asserts that the entry is the account, and that nothing changed which the effect would undo. */
export const assertionRequest = (seen: SeenEntry, effect: Effect | undefined): RequestControl => ({
  oid: ASSERTION_CONTROL,
  critical: true,
  value: encodeFilter({ all: [isEntry(seen), ...stateOf(seen, effect)] }),
})

const isEntry = ({ entryUuid }: SeenEntry): Filter => ({ attribute: 'entryUUID', equals: entryUuid })
const equals = (attribute: string, value: string | undefined): Filter =>
  value === undefined ? { not: { present: attribute } } : { attribute, equals: value }

function stateOf(seen: SeenEntry, effect: Effect | undefined): readonly Filter[] {
  if (effect === undefined) return []
  const isSamePassword = equals('pwdChangedTime', seen.changedTime)
  // A change is refused where a lockout holds, and slapd, which asks nobody but at a bind, would lift it.
  if (effect.kind === 'change') return [isSamePassword, equals('pwdAccountLockedTime', seen.lockedTime)]
  // An administrator's lock that came since must not be lifted; a lock that is kept is compared by the write itself.
  const isNoLockLifted: Filter =
    effect.kind === 'reset' && !effect.unlock && seen.lockedTime === undefined
      ? { not: { present: 'pwdAccountLockedTime' } }
      : { not: { attribute: 'pwdAccountLockedTime', equals: PERMANENTLY_LOCKED } }
  const lock = isPermanent(seen.lockedTime) ? [] : [isNoLockLifted]
  return effect.kind === 'unlock' ? lock : [isSamePassword, ...lock]
}
