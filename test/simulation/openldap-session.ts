// A session with the OpenLDAP server: it reads an entry as the decisions want it, and sends the product's own changes over a
// simulated link.
import type { Account } from '../../src/agent/decisions/account.ts'
import { needsClock } from '../../src/agent/decisions/judge-lockout.ts'
import type { WriteAnswer } from '../../src/agent/decisions/write-answer.ts'
import type { Fence, PolicyReading, Write } from '../../src/agent/directory/directory.ts'
import { reliable, type SentModify } from '../../src/agent/directory/openldap/classify-refusal.ts'
import { effectChanges, markerChanges } from '../../src/agent/directory/openldap/password-modify.ts'
import { ACCOUNT_CLASSES } from '../../src/agent/directory/openldap/persons-account.ts'
import { entryUuidOf } from '../../src/agent/directory/openldap/read-account.ts'
import type { Change, RequestControl } from '../../src/ldap-wire/encode-request.ts'
import type { ModelPolicy, Server } from './directory-model.ts'
import {
  AUXILIARY_CLASS,
  controlsOf,
  type KnownEntry,
  OPENLDAP_MARKER,
  refusalOf,
} from './openldap-changes.ts'
import { type OpenLdapEntry, openLdapEntry } from './openldap-entry.ts'
import type { OpenLdapTraits } from './openldap-traits.ts'
import {
  type AskableTime,
  RULES,
  type SimulatedDirectoryOptions,
  type SimulatedSession,
} from './simulated-directory.ts'

interface Outgoing extends Omit<SentModify, 'markerAttribute'> {
  readonly guid: string
  readonly changes: readonly Change[]
  readonly controls: readonly RequestControl[]
  readonly mayStart?: () => boolean
}

const UNREAD: KnownEntry = { hasMarkerClass: false, lockedTime: undefined, changedAtMs: 0 }

/** Makes the session of one process with the server. */
export function createOpenLdapSession(
  traits: OpenLdapTraits,
  options: SimulatedDirectoryOptions,
  server: Server,
  time: AskableTime,
  onLoss: () => void,
): SimulatedSession {
  const { link, door, agent, model } = options
  const seen = new Map<string, KnownEntry>()
  const ask = async <T>(perform: () => T): Promise<T> => {
    const answer = await link.exchange(server, perform, false)
    if (answer.kind === 'answered') return answer.value
    onLoss()
    throw answer.cause
  }
  const look = (guid: string) => {
    const entry = openLdapEntry(server, guid)
    if (!entry) return undefined
    door.read(server, agent, guid)
    const { policyDn } = model.accounts.find((one) => one.guid === guid) ?? {}
    return { account: accountOf(entry, policyDn, model.isLocked(server, entry)), known: knownOf(entry) }
  }
  const modify = async (outgoing: Outgoing): Promise<WriteAnswer> => {
    try {
      await link.connect(server)
    } catch (cause) {
      onLoss()
      return { kind: 'not_sent', cause }
    }
    if (outgoing.mayStart?.() === false) return { kind: 'not_sent', cause: new Error('withheld') }
    const { guid, controls } = outgoing
    // A frame holds copies, and passwords are wiped once it is written.
    const changes = outgoing.changes.map((one) => ({
      ...one,
      values: one.values.map((value) => Buffer.from(value)),
    }))
    const sent = { agent, sentAt: options.nowMs(), guid, changes, controls }
    const answer = await link.exchange(server, () => door.modified(server, sent), true)
    if (answer.kind === 'lost') {
      onLoss()
      return answer
    }
    return answer.value.code === 0
      ? { kind: 'accepted' }
      : reliable({ kind: 'refused', refusal: refusalOf(answer.value, outgoing) })
  }
  const prepare = ({ objectGuid, markerBefore, markerAfter }: Fence) => {
    const known = seen.get(objectGuid) ?? UNREAD
    const move = { attribute: OPENLDAP_MARKER, before: markerBefore, after: markerAfter }
    const marker = markerChanges(move, AUXILIARY_CLASS, known)
    return { known, marker, guid: guidOf(objectGuid), hadMarker: markerBefore !== undefined }
  }
  return {
    ...{ server: server.id, url: server.url, history: 'enforced' },
    ...{ directoryNowMs: time.nowMs, directoryDoubtMs: time.doubtMs },
    rules: { ...RULES, accountClasses: ACCOUNT_CLASSES },
    readAccount: async ({ anchor }, operation) => {
      const guid = guidOf(anchor)
      const found = await ask(() => look(guid))
      if (found && needsClock(operation, found.account.badPasswordCount)) await time.ask()
      if (found) seen.set(guid, found.known)
      return found?.account
    },
    readPolicy: ({ policyDn }) =>
      ask(() => policyReading(policyDn === undefined ? options.policies.domain : options.policies.fine)),
    readPolicies: async () => ({ policies: [], problems: [] }),
    findNoteworthy: async () => [],
    fence: async (fence) => {
      const { marker, guid, hadMarker } = prepare(fence)
      return modify({ guid, changes: marker, controls: [], effect: 'fence', hadMarker })
    },
    write: async (write: Write) => {
      const { mayStart, effect } = write
      const { known, marker, guid, hadMarker } = prepare(write)
      const changes = [...marker, ...effectChanges(effect, known)]
      const controls = controlsOf(traits.asserts && effect.kind !== 'unlock', known)
      return modify({ guid, changes, controls, mayStart, effect: effect.kind, hadMarker })
    },
    bind: async (guid, password) => {
      const text = Buffer.from(password).toString('utf8')
      return ask(() => {
        const isAccepted = openLdapEntry(server, guid)?.cells.password.value.text === text
        door.bound(server, agent, 'user', isAccepted)
        return isAccepted
      })
    },
  }
}

// Throws for what is no UUID, as the product's own session does.
const guidOf = (anchor: string): string => entryUuidOf({ anchor, objectGuid: null }, false)

const knownOf = ({ hasClass, cells }: OpenLdapEntry): KnownEntry => ({
  hasMarkerClass: hasClass,
  lockedTime: cells.lockedAt.value > 0 ? String(cells.lockedAt.value) : undefined,
  changedAtMs: cells.passwordSetAt.value,
})

/** An inetOrgPerson as the decisions know accounts; what they ask in the words of Active Directory has its plain answer. */
function accountOf(entry: OpenLdapEntry, policyDn: string | undefined, locked: boolean): Account {
  const { guid, cells, badPasswordAt } = entry
  const changedAtMs = cells.passwordSetAt.value
  return {
    ...{ objectGuid: guid, dn: cells.dn.value, name: cells.name.value, displayName: cells.name.value },
    ...{ objectClasses: ['inetorgperson'], sid: undefined, groups: [], unreadable: [], sidHistory: [] },
    ...{ adminCount: cells.adminCount.value, criticalSystemObject: false, ordinary: true },
    ...{ disabled: false, locked, smartcardRequired: false, passwordNotRequired: false },
    ...{ passwordNeverExpires: true, mustChange: entry.mustReset, changeDenied: false },
    ...{ expiresAtMs: undefined, passwordExpiresAtMs: undefined, policyDn, marker: cells.marker.value },
    passwordSetAtMs: changedAtMs === 0 ? undefined : changedAtMs,
    badPasswordCount: entry.badPasswordCount,
    badPasswordAtMs: badPasswordAt === 0 ? undefined : badPasswordAt,
    // An entry without pwdChangedTime still counts in seconds: left undefined, the next marker would carry 0.
    passwordVersion: { version: changedAtMs / 1000, counts: 'seconds', changedAtMs },
    lockedAtMs: cells.lockedAt.value === 0 ? undefined : cells.lockedAt.value,
  }
}

const policyReading = (policy: ModelPolicy): PolicyReading => ({
  kind: 'read',
  policy: {
    ...{ name: 'domain', source: 'domain', minimumLength: policy.minimumLength, complexity: false },
    ...{ refusesNames: false, historyLength: policy.historyLength, minimumAgeMs: policy.minimumAgeMs },
    ...{ maximumAgeMs: null, lockoutThreshold: policy.lockoutThreshold },
    ...{ lockoutDurationMs: policy.lockoutDurationMs, lockoutWindowMs: policy.lockoutWindowMs },
  },
})
