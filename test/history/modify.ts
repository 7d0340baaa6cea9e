// One modify as the proxy saw it: which request it belongs to, what it does, and whether it landed. Nothing of it is told
// by the agent: the request stands in the marker and in the name of the password.
import { type Marker, parseMarker } from '../../src/protocol/marker.ts'
import type { ProxyEvent, SecretName, SeenChange } from './event.ts'
import type { Attempt } from './lost-promise.ts'

/** The seen modify itself. */
export type ModifyEvent = Extract<ProxyEvent, { readonly kind: 'modify' }>

/** A modify, read. */
export interface Modify {
  readonly seen: ModifyEvent
  /** From the name of the password, else from the marker; undefined when neither names one. */
  readonly request: string | undefined
  readonly marker: Marker | undefined
  /** The text it adds and the text it deletes, lower case; the directory compares without regard to case. */
  readonly markerAfter: string | undefined
  readonly markerBefore: string | undefined
  /** A fence moves the marker to flag f and does nothing else. `none`: it sets no password and clears no lockout. */
  readonly kind: 'reset' | 'change' | 'unlock' | 'fence' | 'none'
  /** The new password's name. */
  readonly password: SecretName | undefined
  readonly clearsLockout: boolean
  /** What the directory answered, as far as it was seen. */
  readonly code: number | undefined
  readonly hex: string | undefined
  /** When its answer was seen. */
  readonly answeredAt: number | undefined
  /** `open`: no answer was seen, and nothing later tells. */
  readonly effect: 'landed' | 'refused' | 'open'
}

const PASSWORDS = new Set(['unicodepwd', 'userpassword'])
const LOCKOUTS = new Set(['lockouttime', 'pwdaccountlockedtime'])
const MARKER_START = /^wb\d:/i

/** True for an attribute that holds a password. */
export const isPassword = ({ attribute }: SeenChange): boolean => PASSWORDS.has(attribute.toLowerCase())
/** True for an attribute that a lockout stands in. */
export const isLockout = ({ attribute }: SeenChange): boolean => LOCKOUTS.has(attribute.toLowerCase())
/** True for a change of the marker: its values say so. */
export const isMarker = ({ values }: SeenChange): boolean =>
  values.length > 0 && values.every((value) => MARKER_START.test(value))

/** Reads a modify. */
export function readModify(seen: ModifyEvent): Modify {
  const markers = seen.changes.filter(isMarker)
  const after = markers.find(({ operation }) => operation !== 'delete')?.values[0]?.toLowerCase()
  const before = markers.find(({ operation }) => operation === 'delete')?.values[0]?.toLowerCase()
  const marker = after === undefined ? undefined : parseMarker(after)
  const passwords = seen.changes.filter(isPassword)
  const password = passwords.find(({ operation }) => operation !== 'delete')?.values[0]
  const lockouts = seen.changes.filter(isLockout)
  // On OpenLDAP a lockout that a reset is to leave is taken away and put back.
  const isKept = password !== undefined && lockouts.at(-1)?.operation === 'add'
  const clearsLockout = lockouts.length > 0 && !isKept
  return {
    seen,
    request: password?.startsWith('new:') ? password.slice(4) : marker?.requestId,
    marker,
    markerAfter: after,
    markerBefore: before,
    kind: kindOf(passwords, clearsLockout, marker),
    password,
    clearsLockout,
    code: undefined,
    hex: undefined,
    answeredAt: undefined,
    effect: 'open',
  }
}

function kindOf(
  passwords: readonly SeenChange[],
  clearsLockout: boolean,
  marker: Marker | undefined,
): Modify['kind'] {
  if (passwords.length > 0)
    return passwords.some(({ operation }) => operation === 'delete') ? 'change' : 'reset'
  if (clearsLockout) return 'unlock'
  return marker?.flag === 'fenced' ? 'fence' : 'none'
}

/** True for a modify that carries a password or clears a lockout. */
export const isEffect = ({ kind }: Modify): boolean => kind !== 'fence' && kind !== 'none'

/** What a modify is called in a violation. */
export const nameOf = ({ seen, kind, request }: Modify): string =>
  `${kind} ${seen.id} of request ${request ?? '?'} on account ${seen.account} at server ${seen.server}`

/** The attempt that a modify is. */
export const attemptOf = ({ request, marker, seen }: Modify): Attempt => ({
  ...{ request, lease: marker?.lease, server: seen.server },
})

interface ResolvedAccount {
  readonly modifies: readonly Modify[]
  readonly foreign: readonly { readonly what: string }[]
  readonly end: { readonly marker: string | null } | undefined
}

/**
 * Decides the modifies whose answer nobody saw, by what came after them: a marker value is used once, so whoever
 * deletes it, or finds it at the end, proves that it landed; and who finds another one there proves that it did not.
 */
export function resolveOpen({ modifies, foreign, end }: ResolvedAccount): void {
  if (!modifies.some(({ effect }) => effect === 'open')) return
  const found = new Set(
    modifies.flatMap(({ code, markerBefore }) => (code === 0 ? (markerBefore ?? []) : [])),
  )
  if (end?.marker != null) found.add(end.marker.toLowerCase())
  const isTouched = foreign.some(({ what }) => what === 'marker' || what === 'recreated')
  // From the last to the first: one that turns out to have landed proves the one it replaced.
  for (const [index, modify] of [...modifies.entries()].reverse()) {
    if (modify.effect !== 'open' || modify.markerAfter === undefined) continue
    if (found.has(modify.markerAfter)) {
      Object.assign(modify, { effect: 'landed' })
      if (modify.markerBefore !== undefined) found.add(modify.markerBefore)
    } else if (!isTouched && isPassedOver(modify, modifies.slice(index + 1), end))
      Object.assign(modify, { effect: 'refused' })
  }
}

/** True when what came next on the same server did not find the marker of this modify. */
function isPassedOver(
  { seen }: Modify,
  later: readonly Modify[],
  end: { readonly marker: string | null } | undefined,
): boolean {
  const here = later.filter((one) => one.seen.server === seen.server)
  if (here.some(({ effect }) => effect === 'landed')) return true
  // Another one without an answer may have replaced it.
  return end !== undefined && here.every(({ effect }) => effect === 'refused')
}
