// Whether the service account may write the marker of an account. slapd tells of no rights, so it is asked with a modify that
// cannot change anything: it deletes a value of the marker that was never there, which is refused either way.
import type { WriteAnswer } from '../../decisions/write-answer.ts'
import type { ModifyRequest } from '../write-connection.ts'
import { markerChanges } from './password-modify.ts'
import type { SeenEntry } from './seen-entry.ts'

const NEVER_THERE = 'wb1:no-marker-was-ever-this'

/** The modify that asks. */
export const rightProbe = (
  attribute: string,
  markerClass: string,
  seen: SeenEntry,
): Pick<ModifyRequest, 'dn' | 'changes' | 'controls'> => ({
  dn: seen.dn,
  changes: markerChanges({ attribute, before: NEVER_THERE, after: NEVER_THERE }, markerClass, seen),
  controls: [],
})

/** What its answer says; undefined: nothing. Rights are looked at before values. */
export function readProbe(answer: WriteAnswer): boolean | undefined {
  if (answer.kind !== 'refused') return undefined
  if (answer.refusal.kind === 'missing_right') return false
  return answer.refusal.kind === 'compare_failed' ? true : undefined
}

/** The rights that are missing, as rules for the server's configuration. */
export const slapdMarkerGrant = (attribute: string, markerClass: string, account: string): string =>
  `olcAccess: to attrs=${attribute} by dn.exact="${account}" write by * break; olcAccess: to attrs=objectClass val.exact="${markerClass}" by dn.exact="${account}" =arscxd by * break`
