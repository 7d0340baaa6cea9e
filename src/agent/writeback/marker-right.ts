// The right to write the marker: noticed when it is missing, and looked at from then on until it is there again.
import type { Account } from '../decisions/account.ts'
import type { ReadWish } from '../directory/directory.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

const isMissed = ({ conditions }: WritebackParts, directory: string): boolean =>
  conditions.list().some(({ code, subject }) => code === 'marker_not_writable' && subject === directory)

/**
 * Asks for the right only where it was missing before: telling it costs the domain controller as much as the rest. What
 * this request was refused itself stays known, though another account that holds the right has ended the condition.
 */
export const rightWish = (parts: WritebackParts, { document, tried }: Work): ReadWish => ({
  markerRight: isMissed(parts, document.directory) || tried.some(wasMissed),
})

const wasMissed = ({ answer }: Work['tried'][number]): boolean =>
  answer?.startsWith('refused:missing_right:') === true

/** True when the account is known to keep its marker from us. Keeps the condition, which holds the grant that is missing. */
export function lacksMarkerRight(parts: WritebackParts, directory: string, account: Account): boolean {
  const right = account.markerRight
  if (right === undefined) return false
  if (right.held) parts.conditions.clear('marker_not_writable', directory)
  else parts.conditions.raise('marker_not_writable', directory, missingGrant(right.grant))
  return !right.held
}

/** What to tell of the missing right. */
export const missingGrant = (grant: string): string =>
  `the service account may not write the marker; grant it with: ${grant}`
