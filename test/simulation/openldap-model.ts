// OpenLDAP as the facts describe it: one server; the password policy looks at a modify before anything else does, the
// compare-and-set of the marker included; a new password unlocks; pwdChangedTime counts whole seconds.
import { PERMANENTLY_LOCKED } from '../../src/agent/directory/openldap/seen-entry.ts'
import type { Change } from '../../src/ldap-wire/encode-request.ts'
import {
  type DirectoryModel,
  ELSEWHERE,
  type Entry,
  type ForeignDeed,
  type ModelAccount,
  type ModelPolicy,
  type Modify,
  PEOPLE,
  type Result,
  type Server,
} from './directory-model.ts'
import { AUXILIARY_CLASS, OPENLDAP_MARKER, POLICY_ERRORS, readAssertion, textOf } from './openldap-changes.ts'
import {
  keepFailures,
  makeEntry,
  type OpenLdapEntry,
  openLdapEntry,
  setAttribute,
  unlock,
} from './openldap-entry.ts'
import type { OpenLdapTraits } from './openldap-traits.ts'
import type { Scheduler } from './scheduler.ts'

/** How one server is. */
export interface OpenLdapOptions {
  readonly scheduler: Scheduler
  readonly policy: ModelPolicy
  readonly finePolicy: ModelPolicy
  readonly accounts: readonly ModelAccount[]
  readonly firstPassword: (guid: string) => string
  /** The service account may write the marker. */
  readonly mayWriteMarker: boolean
  readonly traits: OpenLdapTraits
  readonly note: (fault: string) => void
  /** Told when an agent set a password. */
  readonly passwordWritten: (server: Server, guid: string) => void
}

const OK: Result = { code: 0, diagnostic: '' }
const refuse = (code: number, diagnostic: string, policyError?: number): Result => ({
  ...{ code, diagnostic },
  ...(policyError === undefined ? {} : { policyError }),
})
const UNBOUND = refuse(8, 'modifications require authentication')
const COLLISIONS = [
  refuse(20, 'modify/add: pwdHistory: value #0 already exists'),
  refuse(16, 'modify/delete: pwdHistory: no such value'),
]

// What a modify leaves of an entry; nothing of it counts before all of it was accepted.
interface Draft {
  marker: string | undefined
  hasClass: boolean
  password: string | undefined
  /** pwdAccountLockedTime in milliseconds; 0: none. */
  lockedAt: number
  /** The modify itself moves the lockout: then a new password leaves what it says. */
  movesLock: boolean
  hasFailures: boolean
  mustReset: boolean | undefined
  /** More than one value where one may be: found out when everything was applied. */
  isDouble: boolean
}

/** Makes the one server with its accounts. */
export function createOpenLdap(options: OpenLdapOptions): DirectoryModel {
  const { scheduler, accounts, traits } = options
  const { chance } = scheduler
  const known = new Map(accounts.map((one) => [one.guid, one]))
  const id = '0b0b0b01-1111-4222-8333-444444444444'
  const server: Server = {
    ...{ id, writer: id, url: 'ldaps://ldap.corp.test', owner: scheduler.makeOwner('ldap') },
    ...{ entries: new Map(), aheadMs: chance.between(-900, 900), isUp: true, refusal: undefined },
  }
  const nowMs = () => scheduler.now() + server.aheadMs
  const policyOf = (guid: string) =>
    known.get(guid)?.policyDn === undefined ? options.policy : options.finePolicy
  for (const account of accounts) {
    // Loaded offline, without a password policy: nobody knows when the password was set.
    const changedAt = chance.happens(0.4) ? 0 : scheduler.now() - 40 * 86_400_000
    server.entries.set(account.guid, makeEntry(account, options.firstPassword(account.guid), changedAt))
  }
  const isLocked = (_server: Server, { guid, cells: { lockedAt } }: Entry) =>
    lockedAt.value > 0 && nowMs() < lockedAt.value + policyOf(guid).lockoutDurationMs

  const noteBadPassword = (entry: OpenLdapEntry) => {
    const { lockoutThreshold, lockoutWindowMs } = policyOf(entry.guid)
    if (lockoutThreshold === 0) return
    const failures = [...entry.failures.filter((at) => nowMs() < at + lockoutWindowMs), nowMs()]
    keepFailures(entry, failures)
    if (failures.length >= lockoutThreshold) setAttribute(entry, 'lockedAt', nowMs())
  }
  const setPassword = (entry: OpenLdapEntry, text: string) => {
    const { password } = entry.cells
    const earlier = [password.value.text, ...password.value.earlier].slice(
      0,
      policyOf(entry.guid).historyLength,
    )
    setAttribute(entry, 'password', { text, earlier })
    setAttribute(entry, 'passwordSetAt', Math.floor(nowMs() / 1000) * 1000)
    unlock(entry)
    entry.mustReset = false
  }
  /** The policy overlay: it comes before the entry's own attributes are looked at. */
  const holdToPolicy = (entry: OpenLdapEntry, changes: readonly Change[]): Result => {
    const passwords = changes.filter(({ attribute }) => attribute === 'userPassword')
    const added = passwords.find(({ operation }) => operation !== 'delete')
    const old = passwords.find(({ operation }) => operation === 'delete')
    if (!added) return OK
    const { minimumAgeMs, minimumLength, historyLength } = policyOf(entry.guid)
    const { password, passwordSetAt } = entry.cells
    const text = textOf(added)
    if (traits.wantsOldPassword && !old)
      return refuse(
        50,
        'Must supply old password to be changed as well as new one',
        POLICY_ERRORS.mustSupplyOld,
      )
    if (passwordSetAt.value > 0 && nowMs() < passwordSetAt.value + minimumAgeMs)
      return refuse(19, 'Password is too young to change', POLICY_ERRORS.tooYoung)
    // Not counted as a failure, whoever sends it.
    if (old && textOf(old) !== password.value.text)
      return refuse(53, 'Must supply correct old password to change to new one', POLICY_ERRORS.mustSupplyOld)
    if (text.length < minimumLength)
      return refuse(19, 'Password fails quality checking policy', POLICY_ERRORS.tooShort)
    if (text === password.value.text && (historyLength > 0 || traits.refusesSame))
      return refuse(19, 'Password is not being changed from existing value', POLICY_ERRORS.inHistory)
    if (password.value.earlier.slice(0, historyLength).includes(text))
      return refuse(19, 'Password is in history of old passwords', POLICY_ERRORS.inHistory)
    return OK
  }
  const apply = (entry: OpenLdapEntry, { changes, controls }: Modify): Result => {
    const asserted = readAssertion(controls)
    if (asserted !== undefined && asserted !== entry.cells.passwordSetAt.value)
      return refuse(122, 'assertion failed')
    const mayWrite = !entry.cells.adminCount.value && entry.cells.dn.value.endsWith(PEOPLE)
    const writesMarker = changes.some(({ attribute }) => attribute === OPENLDAP_MARKER)
    if (!mayWrite || (writesMarker && !options.mayWriteMarker)) return refuse(50, '')
    const draft = draftOf(entry)
    for (const change of changes) {
      const result = applyChange(draft, change)
      if (result.code !== 0) return result
    }
    if (draft.password !== undefined && chance.happens(traits.collisions)) {
      options.note('password history collided')
      return chance.pick(COLLISIONS)
    }
    if (draft.isDouble) return refuse(19, `${OPENLDAP_MARKER}: cannot have multiple values`)
    if (draft.marker !== undefined && !draft.hasClass)
      return refuse(65, `attribute '${OPENLDAP_MARKER}' not allowed`)
    commit(entry, draft)
    return OK
  }
  const commit = (entry: OpenLdapEntry, draft: Draft) => {
    setAttribute(entry, 'marker', draft.marker)
    entry.hasClass = draft.hasClass
    if (!draft.hasFailures) keepFailures(entry, [])
    if (draft.password !== undefined) setPassword(entry, draft.password)
    if (draft.movesLock) setAttribute(entry, 'lockedAt', draft.lockedAt)
    if (draft.mustReset !== undefined) entry.mustReset = draft.mustReset
    if (draft.password !== undefined) options.passwordWritten(server, entry.guid)
  }
  const doForeign = (_server: Server, guid: string, deed: ForeignDeed): boolean => {
    const entry = openLdapEntry(server, guid)
    if (!entry || !server.isUp) return false
    switch (deed.what) {
      case 'password':
        setPassword(entry, deed.text)
        return true
      case 'marker':
        entry.hasClass = true
        setAttribute(entry, 'marker', deed.text)
        return true
      case 'locked': {
        const { lockoutThreshold } = policyOf(guid)
        if (lockoutThreshold === 0) return false
        keepFailures(entry, Array.from({ length: lockoutThreshold }, nowMs))
        setAttribute(entry, 'lockedAt', nowMs())
        return true
      }
      case 'bad_password':
        noteBadPassword(entry)
        return true
      case 'excluded':
        setAttribute(entry, 'adminCount', true)
        return true
      case 'deleted':
        setAttribute(entry, 'deleted', true)
        return true
      case 'renamed':
      case 'moved':
        setAttribute(entry, 'dn', `uid=${deed.name},${deed.what === 'moved' ? ELSEWHERE : PEOPLE}`)
        setAttribute(entry, 'name', deed.name)
        return true
      case 'recreated': {
        setAttribute(entry, 'deleted', true)
        const account = { guid: `${guid.slice(0, -4)}ffff`, policyDn: undefined, mayBeWritten: false }
        known.set(account.guid, account)
        const made = makeEntry(account, `recreated ${guid}`, scheduler.now())
        setAttribute(made, 'dn', entry.cells.dn.value)
        setAttribute(made, 'name', entry.cells.name.value)
        server.entries.set(account.guid, made)
        return true
      }
    }
  }
  return {
    ...{ dialect: 'openldap', servers: [server], accounts, policyOf, nowMs, isLocked, doForeign },
    isReplicating: () => false,
    modify: (_server, modify) => {
      if (server.refusal) return server.refusal.code === 1 ? UNBOUND : server.refusal
      const entry = openLdapEntry(server, modify.guid)
      if (!entry) return refuse(32, '')
      const held = holdToPolicy(entry, modify.changes)
      return held.code === 0 ? apply(entry, modify) : held
    },
  }
}

function applyChange(draft: Draft, change: Change): Result {
  const { operation, attribute } = change
  switch (attribute) {
    case OPENLDAP_MARKER:
      return moveMarker(draft, operation, textOf(change))
    case 'objectClass':
      if (textOf(change) !== AUXILIARY_CLASS) return refuse(50, '')
      if (draft.hasClass) return refuse(20, 'modify/add: objectClass: value #0 already exists')
      draft.hasClass = true
      return OK
    case 'pwdAccountLockedTime':
      return moveLock(draft, operation, textOf(change))
    case 'pwdReset':
      draft.mustReset = true
      return OK
    case 'userPassword':
      if (operation !== 'delete') draft.password = textOf(change)
      return OK
    default:
      return refuse(17, `${attribute}: attribute type undefined`)
  }
}

function moveLock(draft: Draft, operation: Change['operation'], value: string): Result {
  // An administrator's lock is a moment before all others.
  const at = value === PERMANENTLY_LOCKED ? 1 : Number(value)
  const isThere = value === '' ? draft.lockedAt > 0 : draft.lockedAt === at
  if (operation === 'delete' && !isThere)
    return refuse(16, `modify/delete: pwdAccountLockedTime: no such ${value === '' ? 'attribute' : 'value'}`)
  draft.movesLock = true
  draft.lockedAt = operation === 'delete' ? 0 : at
  // Removing the attribute by `delete` is what the overlay takes for an unlock.
  if (operation === 'delete') draft.hasFailures = false
  return OK
}

function moveMarker(draft: Draft, operation: Change['operation'], value: string): Result {
  if (operation === 'delete') {
    if (draft.marker?.toLowerCase() !== value.toLowerCase())
      return refuse(16, `modify/delete: ${OPENLDAP_MARKER}: no such value`)
    draft.marker = undefined
  } else {
    draft.isDouble ||= operation === 'add' && draft.marker !== undefined
    draft.marker = value
  }
  return OK
}

const draftOf = ({ cells, hasClass }: OpenLdapEntry): Draft => ({
  ...{ marker: cells.marker.value, hasClass, password: undefined },
  ...{
    lockedAt: cells.lockedAt.value,
    movesLock: false,
    hasFailures: true,
    mustReset: undefined,
    isDouble: false,
  },
})
