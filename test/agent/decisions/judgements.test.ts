// Every decision about markers, doubts, documents and accounts, as tables.
import { expect, test } from '@jest/globals'
import { findRefusal, noticesFor } from '../../../src/agent/decisions/judge-account.ts'
import { findMisaddress, isBeyondSettling, isExpired } from '../../../src/agent/decisions/judge-document.ts'
import {
  canSettleOn,
  type Doubt,
  isDoubtful,
  isPreviousVisible,
  isProvenUnapplied,
  isSettledBy,
  mayBeOverwritten,
  type PreviousRequest,
  type UnansweredWrite,
} from '../../../src/agent/decisions/judge-doubt.ts'
import {
  isOvertaken,
  readPosition,
  versionAfterFence,
  versionAfterWrite,
} from '../../../src/agent/decisions/judge-marker.ts'
import { newId } from '../../../src/protocol/identifiers.ts'
import { formatMarker, type Marker } from '../../../src/protocol/marker.ts'
import type { RequestDocument } from '../../../src/protocol/request-document.ts'
import {
  accountOf,
  DIRECTORY,
  makeParties,
  OTHER_SERVER,
  RULES,
  resetOf,
  SERVER,
  SERVICE_ACCOUNT,
  STORE,
  TENANT,
} from '../sample-requests.ts'

const NOW = 1_790_000_000_000
const parties = await makeParties()
const reset = await resetOf(parties, { nowMs: NOW })
const request = { store: STORE, id: reset.id, sequence: NOW, lease: 5, issuedAt: NOW }

const marker = (fields: Partial<Marker> = {}): Marker => ({
  store: STORE,
  sequence: NOW,
  requestId: reset.id,
  flag: 'fenced',
  lease: 5,
  n: 1,
  passwordVersion: 4,
  ...fields,
})
const position = (fields: Partial<Marker>, text = formatMarker(marker(fields))) =>
  readPosition(accountOf({ marker: text }), request, NOW).kind

test.each<[string, Partial<Marker>, string]>([
  ['our effect', { flag: 'applied' }, 'applied'],
  ['our effect under a higher lease', { flag: 'applied', lease: 9 }, 'applied'],
  ['our effect under a lower lease', { flag: 'applied', lease: 1 }, 'applied'],
  ['a fence of this lease', {}, 'fenced'],
  ['a fence of a lower lease', { lease: 4 }, 'fenced'],
  ['a fence of a higher lease', { lease: 6 }, 'lease_lost'],
  ['an older request', { requestId: newId(), sequence: NOW - 1, flag: 'applied' }, 'free'],
  ['another request of the same sequence', { requestId: newId(), flag: 'applied' }, 'superseded'],
  ['a newer request', { requestId: newId(), sequence: NOW + 1, flag: 'applied' }, 'superseded'],
  ['a fence of a newer request', { requestId: newId(), sequence: NOW + 1 }, 'superseded'],
  ['a sequence 10 minutes ahead', { requestId: newId(), sequence: NOW + 600_000 }, 'superseded'],
  ['a sequence farther ahead', { requestId: newId(), sequence: NOW + 600_001 }, 'implausible'],
  ['our id with a sequence far ahead', { flag: 'applied', sequence: NOW + 600_001 }, 'applied'],
  ['another store', { store: '00000000', flag: 'applied' }, 'free'],
  ['another store far ahead', { store: '00000000', sequence: NOW * 2 }, 'free'],
])('a marker with %s', (_what, fields, expected) => {
  expect(position(fields)).toBe(expected)
  expect(position({}, formatMarker(marker(fields)).toUpperCase())).toBe(expected)
})

test('no marker leaves the way free; any other text is implausible', () => {
  expect(readPosition(accountOf(), request, NOW)).toEqual({ kind: 'free' })
  for (const text of ['', 'x', 'wb2:5a5a0001', `${formatMarker(marker())} `, `wb1:${'9'.repeat(300)}`])
    expect(position({}, text)).toBe('implausible')
})

test.each<[string, Parameters<typeof accountOf>[0], boolean]>([
  ['nothing known', { passwordVersion: undefined }, false],
  ['a change before issue', { passwordVersion: { version: 4, changedAtMs: NOW - 1 } }, false],
  ['a change 2 s after issue', { passwordVersion: { version: 4, changedAtMs: NOW + 2_000 } }, false],
  ['a later change', { passwordVersion: { version: 4, changedAtMs: NOW + 2_001 } }, true],
])('without a marker, %s', (_what, fields, expected) => {
  expect(isOvertaken(accountOf(fields), request, 0)).toBe(expected)
})

test('a later change is ours only by a marker of our store with its version', () => {
  const later = { version: 4, changedAtMs: NOW + 60_000 }
  const overtaken = (fields: Partial<Marker>) =>
    isOvertaken(accountOf({ passwordVersion: later, marker: formatMarker(marker(fields)) }), request, 0)
  expect(overtaken({ requestId: newId(), sequence: NOW - 5, flag: 'applied' })).toBe(false)
  expect(overtaken({ passwordVersion: 3 })).toBe(true)
  expect(overtaken({ passwordVersion: 0 })).toBe(true)
  expect(overtaken({ store: '00000000' })).toBe(true)
  const foreign = accountOf({ passwordVersion: later, marker: 'somebody else' })
  expect(isOvertaken(foreign, request, 0)).toBe(true)
})

test('a change of our version is ours only where the marker was written on the same server', () => {
  const overtaken = (origin: string, markerOrigin: string | undefined) => {
    const passwordVersion = { version: 4, changedAtMs: NOW + 60_000, origin }
    const text = formatMarker(marker({ requestId: newId(), sequence: NOW - 5, flag: 'applied' }))
    return isOvertaken(accountOf({ passwordVersion, marker: text, markerOrigin }), request, 0)
  }
  expect(overtaken(SERVER, SERVER)).toBe(false)
  // Somebody else's, set over there before our fourth password had arrived, and newer than ours.
  expect(overtaken(OTHER_SERVER, SERVER)).toBe(true)
  expect(overtaken(OTHER_SERVER, undefined)).toBe(false)
})

test('where the metadata cannot be read, pwdLastSet tells of a later change, and is ours within 2 s of the marker', () => {
  const changedAtMs = NOW + 60_000
  const hidden = { passwordVersion: undefined, passwordSetAtMs: changedAtMs }
  expect(isOvertaken(accountOf(hidden), request, 0)).toBe(true)
  expect(isOvertaken(accountOf({ ...hidden, passwordSetAtMs: NOW }), request, 0)).toBe(false)
  expect(isOvertaken(accountOf({ ...hidden, passwordSetAtMs: undefined }), request, 0)).toBe(false)
  const overtaken = (fields: Partial<Marker>) =>
    isOvertaken(accountOf({ ...hidden, marker: formatMarker(marker(fields)) }), request, 0)
  const passwordVersion = changedAtMs / 1_000
  expect(overtaken({ passwordVersion })).toBe(false)
  expect(overtaken({ passwordVersion: passwordVersion - 2 })).toBe(false)
  expect(overtaken({ passwordVersion: passwordVersion - 3 })).toBe(true)
  expect(overtaken({ passwordVersion: 0 })).toBe(true)
  expect(overtaken({ passwordVersion, store: '00000000' })).toBe(true)
})

test('the directory’s own clock counts: a controller ahead of the store does not make a change newer', () => {
  const account = accountOf({ passwordVersion: { version: 4, changedAtMs: NOW + 50_000 } })
  expect(isOvertaken(account, request, 49_000)).toBe(false)
  expect(isOvertaken(account, request, 0)).toBe(true)
  const behind = accountOf({ passwordVersion: { version: 4, changedAtMs: NOW - 50_000 } })
  expect(isOvertaken(behind, request, -60_000)).toBe(true)
})

test('a write counts the password version up, a fence carries that of our own store while the password is ours', () => {
  expect(versionAfterWrite(accountOf(), NOW)).toBe(5)
  expect(versionAfterWrite(accountOf({ passwordVersion: undefined }), NOW + 999)).toBe(NOW / 1_000)
  const carried = (fields: Partial<Marker>, account: Parameters<typeof accountOf>[0] = {}) =>
    versionAfterFence(accountOf({ ...account, marker: formatMarker(marker(fields)) }), STORE)
  expect(carried({ passwordVersion: 4 })).toBe(4)
  expect(carried({ passwordVersion: 4, store: '00000000' })).toBe(0)
  expect(carried({ passwordVersion: 3 })).toBe(0)
  const elsewhere = { version: 4, changedAtMs: NOW, origin: OTHER_SERVER }
  expect(carried({ passwordVersion: 4 }, { passwordVersion: elsewhere, markerOrigin: SERVER })).toBe(0)
  // A time stays what it was, whoever came after it.
  const timed = { version: 9, changedAtMs: 9_000, counts: 'seconds' } as const
  for (const passwordVersion of [timed, undefined])
    expect(carried({ passwordVersion: 3 }, { passwordVersion })).toBe(3)
  expect(versionAfterFence(accountOf(), STORE)).toBe(0)
  expect(versionAfterFence(accountOf({ marker: 'somebody else' }), STORE)).toBe(0)
})

test('where the version is a time in seconds, a change is ours within 2 s of the marker', () => {
  const changedAtMs = NOW + 60_000
  const version = Math.floor(changedAtMs / 1_000)
  const passwordVersion = { version, counts: 'seconds', changedAtMs } as const
  const overtaken = (fields: Partial<Marker>) =>
    isOvertaken(accountOf({ passwordVersion, marker: formatMarker(marker(fields)) }), request, 0)
  const byDistance = [-3, -2, 0, 2, 3].map((seconds) => overtaken({ passwordVersion: version + seconds }))
  expect(byDistance).toEqual([true, false, false, false, true])
  expect(overtaken({ passwordVersion: version, store: '00000000' })).toBe(true)
  expect(versionAfterWrite(accountOf({ passwordVersion }), NOW + 999)).toBe(Math.floor((NOW + 999) / 1_000))
  // A clock that was set back dates somebody else's before our own, which stood there when the request was issued already.
  const setBack = { version: NOW / 1_000 - 90, counts: 'seconds', changedAtMs: NOW - 90_000 } as const
  const text = formatMarker(marker({ passwordVersion: version }))
  expect(isOvertaken(accountOf({ passwordVersion: setBack, marker: text }), request, 0)).toBe(true)
  expect(isOvertaken(accountOf({ passwordVersion: setBack }), request, 0)).toBe(false)
  // Two writes of one second leave the same time, so an unchanged one proves nothing.
  const doubt = { unanswered: [write(1, SERVER, version)], earlier: [] }
  expect(isProvenUnapplied(accountOf({ passwordVersion }), doubt, 'reset')).toBe(false)
})

const write = (n: number, server = SERVER, passwordVersionBefore = 4) => ({
  n,
  server,
  passwordVersionBefore,
})

test('a doubt is an unanswered write or an earlier holder', () => {
  expect(isDoubtful({ unanswered: [], earlier: [] })).toBe(false)
  expect(isDoubtful({ unanswered: [write(1)], earlier: [] })).toBe(true)
  expect(isDoubtful({ unanswered: [], earlier: [{ server: SERVER }] })).toBe(true)
})

test('only the server of every write in doubt can settle it', () => {
  const on = (unanswered: string[], earlier: string[], gone: string[] = []) => {
    const doubt = {
      unanswered: unanswered.map((server, n) => write(n, server)),
      earlier: earlier.map((server) => ({ server })),
    }
    return canSettleOn(SERVER, doubt, new Set(gone))
  }
  expect(on([SERVER], [SERVER, SERVER])).toBe(true)
  expect(on([SERVER, OTHER_SERVER], [])).toBe(false)
  expect(on([SERVER], [OTHER_SERVER])).toBe(false)
  expect(on([OTHER_SERVER], [OTHER_SERVER], [OTHER_SERVER])).toBe(true)
})

test('a fence settles what was tried before it, under the present lease only', () => {
  const doubt = { unanswered: [write(1), write(2)], earlier: [{ server: SERVER }] }
  expect(isSettledBy(marker({ n: 3 }), 5, doubt)).toBe(true)
  expect(isSettledBy(marker({ n: 2 }), 5, doubt)).toBe(false)
  expect(isSettledBy(marker({ n: 1 }), 5, doubt)).toBe(false)
  expect(isSettledBy(marker({ n: 9, lease: 4 }), 5, doubt)).toBe(false)
})

test('a previous request elsewhere must be settled and have arrived here', () => {
  const settledMarker = formatMarker(marker({ requestId: newId(), sequence: NOW - 100, flag: 'applied' }))
  const newer = formatMarker(marker({ requestId: newId(), sequence: NOW - 50 }))
  const older = formatMarker(marker({ requestId: newId(), sequence: NOW - 500 }))
  const isVisible = (previous: PreviousRequest | null, marker: string | undefined, gone: string[] = []) =>
    isPreviousVisible(previous, SERVER, marker, new Set(gone))
  const last = { server: OTHER_SERVER, marker: settledMarker, settled: true }
  expect(isVisible(null, undefined)).toBe(true)
  expect(isVisible({ ...last, server: SERVER, settled: false }, undefined)).toBe(true)
  expect(isVisible({ ...last, settled: false }, settledMarker)).toBe(false)
  expect(isVisible({ ...last, marker: null }, undefined)).toBe(true)
  expect(isVisible(last, settledMarker.toUpperCase())).toBe(true)
  expect(isVisible(last, undefined)).toBe(false)
  expect(isVisible(last, newer)).toBe(true)
  expect(isVisible(last, older)).toBe(false)
  expect(isVisible(last, newer.replace(STORE, '00000000'))).toBe(false)
  expect(isVisible(last, 'somebody else')).toBe(false)
  expect(isVisible({ ...last, marker: 'no marker' }, newer)).toBe(false)
  expect(isVisible({ ...last, settled: false }, undefined, [OTHER_SERVER])).toBe(true)
  // A second agent took over, and the first one's write may still be under way elsewhere.
  const taken = { server: SERVER, marker: null, settled: false, others: [OTHER_SERVER] }
  expect([isVisible(taken, undefined), isVisible(taken, undefined, [OTHER_SERVER])]).toEqual([false, true])
})

test('a marker of another store may have taken the place of what a lost write left', () => {
  const foreign = formatMarker(marker({ requestId: newId() })).replace(STORE, '00000000')
  const ours = formatMarker(marker({ requestId: newId(), sequence: NOW - 500 }))
  const lost = (markerBefore: string | undefined): Doubt => ({
    unanswered: [{ n: 1, server: SERVER, passwordVersionBefore: 1, markerBefore }],
    earlier: [],
  })
  expect(mayBeOverwritten(foreign, STORE, lost(ours))).toBe(true)
  expect(mayBeOverwritten(foreign, STORE, lost(undefined))).toBe(true)
  // It stood there before: the write deletes it, so it never came.
  expect(mayBeOverwritten(foreign, STORE, lost(foreign.toUpperCase()))).toBe(false)
  // What stood before another agent's write is not known here.
  expect(mayBeOverwritten(foreign, STORE, { unanswered: [], earlier: [{ server: SERVER }] })).toBe(true)
  expect(mayBeOverwritten(ours, STORE, lost(undefined))).toBe(false)
  expect(mayBeOverwritten(undefined, STORE, lost(undefined))).toBe(false)
})

test('the count of password writes proves that a lost one never came', () => {
  const proven = (
    version: number | undefined,
    unanswered: UnansweredWrite[] = [write(1)],
    earlier: { server: string }[] = [],
    operation: 'reset' | 'change' | 'unlock' = 'reset',
  ) => {
    const passwordVersion = version === undefined ? undefined : { version, changedAtMs: NOW }
    return isProvenUnapplied(accountOf({ passwordVersion }), { unanswered, earlier }, operation)
  }
  expect(proven(4)).toBe(true)
  expect(proven(4, [write(1)], [], 'change')).toBe(true)
  // One more: the newer request's own write, or ours before a newer unlock.
  expect(proven(5)).toBe(false)
  expect(proven(undefined)).toBe(false)
  expect(proven(4, [write(1)], [], 'unlock')).toBe(false)
  expect(proven(4, [write(1), write(2, SERVER, 3)])).toBe(false)
  expect(proven(4, [{ n: 1, server: SERVER, passwordVersionBefore: undefined }])).toBe(false)
  expect(proven(4, [write(1)], [{ server: SERVER }])).toBe(false)
})

const addressee = {
  store: STORE,
  tenant: TENANT,
  directories: new Set([DIRECTORY]),
  sealingKeyIds: new Set([parties.recipient.kid]),
}
const unlock = (): RequestDocument => {
  const { sealed: _sealed, ...rest } = reset
  return { ...rest, operation: 'unlock', options: {} }
}

test.each<[string, RequestDocument, Partial<typeof addressee>, RegExp | undefined]>([
  ['a good one', reset, {}, undefined],
  ['another id', { ...reset, id: newId() }, {}, /another request id/],
  ['another store', { ...reset, store: '00000000' }, {}, /another store/],
  ['another tenant', { ...reset, tenant: 'other' }, {}, /another tenant/],
  ['a directory not served', { ...reset, directory: 'other' }, {}, /directory/],
  ['a life of a day', { ...reset, issuedAt: reset.expiresAt - 86_400_000 }, {}, undefined],
  ['a longer life', { ...reset, issuedAt: reset.expiresAt - 86_400_001 }, {}, /too long/],
  ['an unlock, which has nothing sealed', unlock(), {}, undefined],
  [
    'a sealed value of another subject',
    { ...reset, subject: { anchor: newId(), objectGuid: null, displayName: 'x' } },
    {},
    /sealed for/,
  ],
  ['a sealed value of another expiry', { ...reset, expiresAt: reset.expiresAt - 1 }, {}, /sealed for/],
  [
    'a sealed value of another directory',
    { ...reset, directory: 'b' },
    { directories: new Set(['b']) },
    /sealed for/,
  ],
  ['a key of somebody else', reset, { sealingKeyIds: new Set(['x']) }, /not sealed to a key/],
])('the address of a document: %s', (_what, document, changes, expected) => {
  const fault = findMisaddress(document, reset.id, { ...addressee, ...changes })
  if (expected) expect(fault).toMatch(expected)
  else expect(fault).toBeUndefined()
})

test('a malformed header of a sealed value is ERR_SEALED_INVALID', () => {
  const document = { ...reset, sealed: { ...reset.sealed, protected: 'e30' } }
  expect(() => findMisaddress(document, reset.id, addressee)).toThrow(
    expect.objectContaining({ code: 'ERR_SEALED_INVALID' }),
  )
})

test('expiry is on the safe side of the clocks, settling ends 60 s after it', () => {
  const document = { expiresAt: 100_000 }
  expect([97_999, 98_000, 200_000].map((now) => isExpired(document, now))).toEqual([false, true, true])
  expect([159_999, 160_000].map((now) => isBeyondSettling(document, now))).toEqual([false, true])
})

const contact = ['top', 'person', 'organizationalperson', 'contact']
const computer = ['top', 'person', 'organizationalperson', 'user', 'computer']
const past = { expiresAtMs: NOW }

test.each<[string, Parameters<typeof accountOf>[0], string | undefined]>([
  ['an ordinary one', {}, undefined],
  ['adminCount', { adminCount: true }, 'account_protected'],
  ['a critical system object', { criticalSystemObject: true }, 'account_protected'],
  ['the service account itself', { objectGuid: SERVICE_ACCOUNT }, 'account_protected'],
  ['Administrator', { sid: 'S-1-5-21-1-2-3-500' }, 'account_protected'],
  ['krbtgt', { sid: 'S-1-5-21-1-2-3-502' }, 'account_protected'],
  ['RID 1500', { sid: 'S-1-5-21-1-2-3-1500' }, undefined],
  ['no SID', { sid: undefined, unreadable: ['objectSid'] }, 'unreadable'],
  ['a computer', { objectClasses: computer }, 'account_protected'],
  ['a contact', { objectClasses: contact }, 'account_protected'],
  ['out of scope', { dn: 'CN=x,OU=Staff,DC=corp,DC=test' }, 'account_out_of_scope'],
  ['protected and out of scope', { adminCount: true, dn: 'CN=x,DC=corp' }, 'account_protected'],
  ['an escaped comma', { dn: 'CN=x\\,OU=People,DC=corp,DC=test' }, 'account_out_of_scope'],
  ['a smart card', { smartcardRequired: true }, 'smartcard_required'],
  ['locked', { locked: true }, undefined],
  ['must change', { mustChange: true }, undefined],
])('whether an account may be written: %s', (_what, fields, expected) => {
  for (const kind of ['self', 'administrator', 'help_desk'] as const)
    expect(findRefusal(accountOf(fields), { ...reset, actor: { ...reset.actor, kind } }, RULES)).toBe(
      expected,
    )
})

test('disabled and expired accounts are refused to their owner and written for administrator and help desk', () => {
  const by = (kind: 'self' | 'administrator' | 'help_desk', fields: Parameters<typeof accountOf>[0]) =>
    findRefusal(accountOf(fields), { ...reset, actor: { ...reset.actor, kind } }, RULES)
  expect(by('self', { disabled: true })).toBe('account_disabled')
  expect(by('self', past)).toBe('account_expired')
  expect(by('self', { expiresAtMs: NOW + 1 })).toBeUndefined()
  for (const kind of ['administrator', 'help_desk'] as const) {
    expect(by(kind, { disabled: true, ...past })).toBeUndefined()
    expect(by(kind, { disabled: true, smartcardRequired: true })).toBe('smartcard_required')
  }
})

test('notices say what an applied reset does not show', () => {
  const mustChange = { ...reset, options: { unlock: true, mustChangeAtNextSignIn: true } }
  expect(noticesFor(accountOf(), reset, 'enforced')).toEqual(['old_password_may_work'])
  expect(noticesFor(accountOf({ disabled: true, ...past }), reset, 'not_enforced')).toEqual([
    'history_not_enforced',
    'account_disabled',
    'account_expired',
    'old_password_may_work',
  ])
  const never = accountOf({ passwordNeverExpires: true })
  expect(noticesFor(never, mustChange, 'enforced')).toContain('must_change_without_effect')
  expect(noticesFor(never, reset, 'enforced')).not.toContain('must_change_without_effect')
})
