// The read of an account: one search by entryUUID for everything the entry tells, and the policy that says what it means.
import { type Entry, EqualityFilter } from 'ldapts'
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { Account } from '../../decisions/account.ts'
import { isGuid } from '../dashed-guid.ts'
import type { Subject } from '../directory.ts'
import { textOf, textsOf } from '../entry-values.ts'
import { momentOfGeneralizedTime } from '../generalized-time.ts'
import type { ReadClient } from '../read-client.ts'
import type { Membership } from './group-membership.ts'
import { isPersonsAccount } from './persons-account.ts'
import type { SlapdPolicyReading } from './policy-reader.ts'
import { isPermanent, type SeenEntry } from './seen-entry.ts'

const POLICY = 'pwdPolicySubentry'
const ATTRIBUTES = [
  'objectClass',
  'entryUUID',
  'uid',
  'gidNumber',
  'cn',
  'displayName',
  'memberOf',
  'pwdChangedTime',
  'pwdAccountLockedTime',
  'pwdFailureTime',
  'pwdReset',
  'pwdStartTime',
  'pwdEndTime',
  POLICY,
]

/** Where accounts are, and how their markers are named. */
export interface AccountPlace {
  /** The naming context; scope is judged later, by the configured units. */
  readonly suffix: string
  readonly markerAttribute: string
  readonly markerClass: string
}

/** Throws ERR_DOCUMENT_INVALID for a subject that names no entryUUID, or two different ones. */
export function entryUuidOf({ anchor, objectGuid }: Subject, isInspection: boolean): string {
  const pinned = isInspection ? null : objectGuid
  if (!isGuid(anchor)) throw invalid('the anchor of the account is no entryUUID')
  if (pinned !== null && pinned !== anchor)
    throw invalid('the anchor is an entryUUID, and another one is pinned')
  return anchor
}

/** The entries with this entryUUID: none, one, or two, which is ambiguous. Throws what a read throws. */
export const findEntries = (
  client: ReadClient,
  entryUuid: string,
  { suffix, markerAttribute }: AccountPlace,
): Promise<Entry[]> =>
  client.search(suffix, {
    scope: 'sub',
    filter: new EqualityFilter({ attribute: 'entryUUID', value: entryUuid }),
    sizeLimit: 2,
    attributes: [...ATTRIBUTES, markerAttribute],
  })

/** True when the name still leads to the entry. Throws what a read throws. */
export async function isNamedSo(client: ReadClient, { dn, entryUuid }: SeenEntry): Promise<boolean> {
  const filter = new EqualityFilter({ attribute: 'entryUUID', value: entryUuid })
  const found = await client.search(dn, { scope: 'base', filter, attributes: ['1.1'] })
  return found.length === 1
}

/** DN of the policy that the account names itself. */
export const policyDnOf = (entry: Entry): string | undefined => textOf(entry, POLICY)

/** The entry as a write needs it. */
export const seenEntryOf = (entry: Entry, { markerClass }: AccountPlace): SeenEntry => ({
  dn: entry.dn,
  entryUuid: textOf(entry, 'entryUUID') ?? '',
  hasMarkerClass: classesOf(entry).includes(markerClass.toLowerCase()),
  lockedTime: textOf(entry, 'pwdAccountLockedTime'),
  changedTime: textOf(entry, 'pwdChangedTime'),
})

/** What decides about an account beside its entry. */
export interface AccountCircumstances {
  readonly place: AccountPlace
  readonly policy: SlapdPolicyReading
  /** DN of its policy: its own, or the default; undefined where neither is known. */
  readonly policyDn: string | undefined
  /** The groups it is in, where any rule asks for them. */
  readonly membership: Membership
  /** The server's clock, milliseconds since 1970. */
  readonly nowMs: number
}

/** An account out of its entry. Throws ERR_DIRECTORY_UNSUITABLE when the marker attribute has several values. */
export function accountOf(entry: Entry, circumstances: AccountCircumstances): Account {
  const { place, policyDn, membership } = circumstances
  const objectClasses = classesOf(entry)
  const markers = textsOf(entry, place.markerAttribute)
  if (markers.length > 1)
    throw new WritebackError(
      'ERR_DIRECTORY_UNSUITABLE',
      `${entry.dn} is no readable account: ${place.markerAttribute} has several values`,
      { retry: 'later' },
    )
  const uid = textOf(entry, 'uid')
  return {
    ...{ objectGuid: textOf(entry, 'entryUUID') ?? '', dn: entry.dn, name: uid ?? '' },
    displayName: textOf(entry, 'displayName') ?? textOf(entry, 'cn') ?? '',
    ...{ objectClasses, groups: membership.groups, policyDn, ordinary: isPersonsAccount(objectClasses) },
    // Every entry has classes: without them it is hidden from the service account, and says nothing.
    unreadable: [
      ...(objectClasses.length === 0 ? ['objectClass'] : []),
      ...TIMES.filter((attribute) => hasStrangeTime(entry, attribute)),
      ...membership.unreadable,
    ],
    ...{ sid: undefined, sidHistory: [], adminCount: false, criticalSystemObject: false },
    ...{ smartcardRequired: false, passwordNotRequired: false, passwordNeverExpires: false },
    ...lockOf(entry, circumstances),
    ...failuresOf(entry, circumstances),
    ...passwordOf(entry, circumstances),
    oldPasswordEnds: true,
    marker: markers[0],
  }
}

const TIMES = ['pwdChangedTime', 'pwdAccountLockedTime', 'pwdFailureTime', 'pwdStartTime', 'pwdEndTime']
// A time that says nothing must not be taken for "no lock" or "never changed".
const hasStrangeTime = (entry: Entry, attribute: string): boolean =>
  textsOf(entry, attribute).some((text) => momentOfGeneralizedTime(text) === undefined)

const classesOf = (entry: Entry): readonly string[] =>
  textsOf(entry, 'objectClass').map((name) => name.toLowerCase())

const momentIn = (entry: Entry, attribute: string): number | undefined =>
  momentOfGeneralizedTime(textOf(entry, attribute) ?? '')

/**
 * OpenLDAP has no bit that disables an account: what stands for it is the lock without an end, which only administrators set,
 * and a start that is still to come. A policy without pwdLockout holds nobody to a lock.
 */
function lockOf(entry: Entry, { policy, nowMs }: AccountCircumstances) {
  const lockedTime = textOf(entry, 'pwdAccountLockedTime')
  const locks = policy.kind === 'unreadable' || policy.locks
  const isForGood = locks && isPermanent(lockedTime)
  const isTimed = locks && lockedTime !== undefined && !isForGood
  const lockedAtMs = isTimed ? momentIn(entry, 'pwdAccountLockedTime') : undefined
  const durationMs = policy.kind === 'read' ? policy.policy.lockoutDurationMs : null
  const isOver = lockedAtMs !== undefined && durationMs !== null && nowMs >= lockedAtMs + durationMs
  return {
    disabled: isForGood || (momentIn(entry, 'pwdStartTime') ?? 0) > nowMs,
    locked: isTimed && !isOver,
    ...(lockedAtMs === undefined ? {} : { lockedAtMs }),
    expiresAtMs: momentIn(entry, 'pwdEndTime'),
  }
}

/** Failures within pwdFailureCountInterval; where it is not known, all of them. */
function failuresOf(entry: Entry, { policy, nowMs }: AccountCircumstances) {
  const windowMs = policy.kind === 'read' ? policy.policy.lockoutWindowMs : Infinity
  const counted = textsOf(entry, 'pwdFailureTime')
    .map((text) => momentOfGeneralizedTime(text) ?? nowMs)
    .filter((atMs) => atMs > nowMs - windowMs)
  return {
    badPasswordCount: counted.length,
    badPasswordAtMs: counted.length === 0 ? undefined : Math.max(...counted),
  }
}

function passwordOf(entry: Entry, { policy }: AccountCircumstances) {
  const changedAtMs = momentIn(entry, 'pwdChangedTime')
  const mustChange = textOf(entry, 'pwdReset') === 'TRUE'
  const maximumAgeMs = policy.kind === 'read' ? policy.policy.maximumAgeMs : null
  const expires = changedAtMs !== undefined && maximumAgeMs !== null
  return {
    mustChange,
    mustChangeIsIdle: policy.kind === 'read' && !policy.asksForChange,
    changeDenied: policy.kind === 'read' ? !policy.allowsChange : undefined,
    // A password that must be changed may be, at any age.
    passwordSetAtMs: mustChange ? undefined : changedAtMs,
    passwordExpiresAtMs: expires ? changedAtMs + maximumAgeMs : undefined,
    // An entry without a time still counts in seconds: undefined, the next marker would carry 0.
    passwordVersion: {
      ...{ version: Math.floor((changedAtMs ?? 0) / 1_000), counts: 'seconds' as const },
      changedAtMs: changedAtMs ?? 0,
    },
  }
}

const invalid = (why: string): WritebackError => new WritebackError('ERR_DOCUMENT_INVALID', why)
