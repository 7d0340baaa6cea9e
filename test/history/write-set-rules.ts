// What may stand in a modify at all: I12 scope, I13 write set, I14 policy, I15 unlock precision, I17 no clear channel,
// I18 identity.
import type { SeenChange } from './event.ts'
import type { History, StoreSaid } from './index-history.ts'
import type { Judge, Rules } from './judge.ts'
import { isEffect, isLockout, isMarker, isPassword, type Modify, nameOf } from './modify.ts'
import { lastRead } from './order-rules.ts'

type Asked = StoreSaid<'requested'>

const askedOf = (history: History, { request }: Modify): Asked | undefined =>
  history.requests.get(request ?? '')?.asked

/** Nothing is sent to an account that must not be written, refused or not. */
function inScope(history: History, judge: Judge): void {
  for (const { asked, handedOut } of history.requests.values())
    if (asked && handedOut.length > 0 && history.accounts.get(asked.account)?.known?.mayBeWritten === false)
      judge.decide()
  for (const modify of history.modifies) {
    const account = history.accounts.get(modify.seen.account)
    // Another server learns of it later, and nobody sees when.
    const excluded = account?.foreign.find(
      ({ what, server }) => what === 'excluded' && (server === null || server === modify.seen.server),
    )
    const isKnown = account?.known !== undefined
    if (isKnown && account.known?.mayBeWritten && !excluded) continue
    judge.decide()
    const readAt = account && lastRead(account, modify)?.at
    if (!isKnown || !account.known?.mayBeWritten)
      judge.violate(modify.seen.at, `on an account that must not be written: ${nameOf(modify)}`)
    else if (excluded && readAt !== undefined && excluded.at < readAt)
      judge.violate(modify.seen.at, `on an account that was seen to be excluded: ${nameOf(modify)}`)
  }
}

// An extended operation sets a password, too (RFC 3062), without a marker.
const FORBIDDEN = new Set(['add', 'delete', 'modifydn', 'extended'])

/** Only password, lockout, must-change and marker are written, each only by the operation that needs it, and by a modify. */
function writeSet(history: History, judge: Judge): void {
  for (const { operation, at, agent } of history.others) {
    judge.decide()
    if (FORBIDDEN.has(operation.toLowerCase())) judge.violate(at, `agent ${agent ?? '?'} sent ${operation}`)
  }
  for (const modify of history.modifies) {
    judge.decide()
    const fault = findFault(history, modify)
    if (fault !== undefined) judge.violate(modify.seen.at, `${fault}: ${nameOf(modify)}`)
  }
}

function findFault(history: History, modify: Modify): string | undefined {
  const { changes } = modify.seen
  const others = changes.filter(
    (change) =>
      !isMarker(change) &&
      !isPassword(change) &&
      !isLockout(change) &&
      !(history.run.dialect === 'openldap' && isMarkerClass(change, modify)),
  )
  const mustChange = others.filter(isMustChange)
  const alien = others.find((change) => !isMustChange(change))
  if (alien) return `${alien.operation} of ${alien.attribute}`
  const marker = history.run.withoutMarker ? undefined : findMarkerFault(modify)
  if (marker) return marker
  if (modify.marker?.flag === 'fenced')
    return others.length + changes.filter((change) => isPassword(change) || isLockout(change)).length === 0
      ? undefined
      : 'a fence with something beside the marker'
  const asked = askedOf(history, modify)
  if (!asked) return undefined
  if (asked.operation !== modify.kind) return `not what a request for ${asked.operation} may write`
  return findEffectFault(modify, asked) ?? findMustChangeFault(mustChange, asked, history.run.dialect)
}

/** The class that allows a marker on an entry comes with the first marker, and with no other one. */
const isMarkerClass = ({ operation, attribute, values }: SeenChange, { markerBefore }: Modify): boolean =>
  operation === 'add' &&
  attribute.toLowerCase() === 'objectclass' &&
  values.join('+').toLowerCase() === 'writebackaccount' &&
  markerBefore === undefined

const isMustChange = ({ attribute }: SeenChange): boolean =>
  ['pwdlastset', 'pwdreset'].includes(attribute.toLowerCase())

function findMarkerFault({ seen, marker, request, kind }: Modify): string | undefined {
  const markers = seen.changes.filter(isMarker)
  const added = markers.filter(({ operation }) => operation === 'add')
  const deleted = markers.filter(({ operation }) => operation === 'delete')
  const isCompared =
    added.length === 1 && deleted.length <= 1 && added.length + deleted.length === markers.length
  if (!isCompared || markers.some(({ values }) => values.length !== 1))
    return 'no compare-and-set of the marker'
  if (!marker) return 'an unreadable marker'
  if (marker.requestId !== request) return `the marker of request ${marker.requestId}`
  return kind === 'none' ? 'flag a without an effect' : undefined
}

/** The passwords are those of the request, in the form of its operation. */
function findEffectFault({ seen, kind }: Modify, { request }: Asked): string | undefined {
  const passwords = seen.changes.filter(isPassword)
  const form = passwords.map(({ operation, values }) => `${operation} ${values.join('+')}`).join(', ')
  const expected = {
    reset: [`replace new:${request}`],
    change: [`delete old:${request}`, `add new:${request}`],
    unlock: [],
    fence: [],
    none: [],
  }[kind].join(', ')
  if (form !== expected) return `passwords by ${form}`
  return findLockoutFault(seen.changes.filter(isLockout), kind)
}

/** Active Directory: it is set to zero. OpenLDAP: put there and deleted, by an unlock; or taken away and put back as it was. */
function findLockoutFault(lockouts: readonly SeenChange[], kind: Modify['kind']): string | undefined {
  const forms = lockouts.map(({ operation, values }) => `${operation} ${values.join('+')}`)
  const [first = '', second = ''] = forms
  const isZero = lockouts.every(
    ({ attribute, values }) => attribute === 'lockoutTime' && values.join() === '0',
  )
  const isPutBack = forms.length === 2 && first.replace(/^delete /, 'add ') === second
  const isDeleted = kind === 'unlock' && forms.length === 2 && second === 'delete '
  return isZero || isPutBack || isDeleted ? undefined : `a lockout by ${forms.join(', ')}`
}

function findMustChangeFault(
  changes: readonly SeenChange[],
  { mustChange, operation }: Asked,
  dialect: History['run']['dialect'],
): string | undefined {
  const isWanted = operation === 'reset' && mustChange
  const isGood =
    changes.length === (isWanted ? 1 : 0) &&
    changes.every(
      ({ operation, values }) =>
        // On Active Directory -1 would take the demand back.
        operation === 'replace' && values.join('').toUpperCase() === (dialect === 'openldap' ? 'TRUE' : '0'),
    )
  return isGood ? undefined : `${isWanted ? 'not ' : ''}must-change at the next sign-in`
}

const POLICY_HINTS = new Set(['1.2.840.113556.1.4.2239', '1.2.840.113556.1.4.2066'])

/** A reset is held to history where that is required, and says so where it was not; no password is below the policy. */
function policyHeld(history: History, judge: Judge): void {
  const { run, accounts, requests } = history
  for (const modify of history.modifies) {
    if (modify.password === undefined) continue
    const { seen, kind } = modify
    judge.decide()
    const hints = seen.controls.find(({ oid }) => POLICY_HINTS.has(oid))
    if (run.dialect === 'active-directory' && kind === 'reset') {
      if (hints && !hints.critical)
        judge.violate(seen.at, `policy hints that may be skipped: ${nameOf(modify)}`)
      if (!hints && run.historyRequired) judge.violate(seen.at, `not held to history: ${nameOf(modify)}`)
      if (!hints && !run.historyRequired) judgeNotice(history, judge, modify)
    }
    const length = requests.get(modify.request ?? '')?.asked?.passwordLength
    const least = accounts.get(seen.account)?.known?.minimumLength ?? 0
    if (modify.effect === 'landed' && length !== undefined && length < least)
      judge.violate(
        seen.at,
        `a password of ${length} characters where the policy wants ${least}: ${nameOf(modify)}`,
      )
  }
}

function judgeNotice({ requests }: History, judge: Judge, modify: Modify): void {
  const silent = requests
    .get(modify.request ?? '')
    ?.reported.find(
      ({ outcome, notices }) => outcome === 'applied' && !notices.includes('history_not_enforced'),
    )
  if (modify.effect === 'landed' && silent)
    judge.violate(
      silent.at,
      `request ${modify.request} was not held to history, and its outcome does not say so`,
    )
}

/** A lockout is cleared when the request asks for it, and only then. */
function unlockPrecision(history: History, judge: Judge): void {
  for (const modify of history.modifies) {
    const asked = askedOf(history, modify)
    if (!asked || !isEffect(modify)) continue
    judge.decide()
    const isAsked = asked.operation === 'unlock' || (asked.operation === 'reset' && asked.unlock)
    // OpenLDAP clears a lockout by itself when the password is set.
    const isImplied = history.run.dialect === 'openldap' && modify.password !== undefined
    if (modify.clearsLockout && !isAsked) judge.violate(modify.seen.at, `unlocks unasked: ${nameOf(modify)}`)
    if (!modify.clearsLockout && isAsked && !isImplied)
      judge.violate(modify.seen.at, `does not unlock: ${nameOf(modify)}`)
  }
}

/** Nothing travels in the clear, and nobody else is spoken to. */
function noClearChannel(history: History, judge: Judge): void {
  for (const { isSecure, at, agent } of [...history.binds, ...history.modifies.map(({ seen }) => seen)]) {
    judge.decide()
    if (!isSecure) judge.violate(at, `agent ${agent ?? '?'} spoke to a directory without verified TLS`)
  }
  for (const event of history.supervisor) {
    if (event.kind !== 'contact') continue
    judge.decide()
    if (!event.isAllowed) judge.violate(event.at, `agent ${event.agent} connected to ${event.host}`)
  }
}

/** What is written is the account that the store's request names. */
function rightAccount(history: History, judge: Judge): void {
  for (const modify of history.modifies) {
    const asked = askedOf(history, modify)
    judge.decide()
    if (!asked) judge.violate(modify.seen.at, `for a request that nobody made: ${nameOf(modify)}`)
    else if (modify.seen.account !== '?' && modify.seen.account !== asked.account)
      judge.violate(modify.seen.at, `the request is for account ${asked.account}: ${nameOf(modify)}`)
  }
}

/** The rules of single modifies. */
export const writeSetRules: Rules = {
  I12: inScope,
  I13: writeSet,
  I14: policyHeld,
  I15: unlockPrecision,
  I17: noClearChannel,
  I18: rightAccount,
}
