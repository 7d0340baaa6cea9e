// The pure parts of the OpenLDAP dialect: refusals, controls, policies, the server's clock, who is a person.
import { expect, test } from '@jest/globals'
import type { Fence } from '../../../../src/agent/directory/directory.ts'
import { createAccountWriter } from '../../../../src/agent/directory/openldap/account-writer.ts'
import { assertionRequest } from '../../../../src/agent/directory/openldap/assertion-control.ts'
import { readSlapdRefusal, reliable } from '../../../../src/agent/directory/openldap/classify-refusal.ts'
import { chooseWriter, serverIdOf } from '../../../../src/agent/directory/openldap/find-writer.ts'
import { effectChanges } from '../../../../src/agent/directory/openldap/password-modify.ts'
import { isPersonsAccount } from '../../../../src/agent/directory/openldap/persons-account.ts'
import type { SlapdPolicyReader } from '../../../../src/agent/directory/openldap/policy-reader.ts'
import { readSlapdPolicy } from '../../../../src/agent/directory/openldap/policy-values.ts'
import { writtenEntryOf } from '../../../../src/agent/directory/openldap/post-read-control.ts'
import { ppolicyErrorOf } from '../../../../src/agent/directory/openldap/ppolicy-control.ts'
import { createServerTime } from '../../../../src/agent/directory/openldap/server-time.ts'
import type { ReadClient } from '../../../../src/agent/directory/read-client.ts'
import { createManualClock } from '../../../fakes/manual-clock.ts'

type Row = readonly [
  kind: string,
  code: number,
  text: string,
  policyError?: number | undefined,
  effect?: 'reset' | 'change' | 'unlock' | 'fence',
  hadMarker?: boolean,
]

// Recorded from slapd 2.5.13.
const REFUSALS: readonly Row[] = [
  ['compare_failed', 16, 'modify/delete: writebackMarker: no such value'],
  ['compare_failed', 16, 'modify/delete: writebackMarker: no such attribute'],
  ['busy', 16, 'modify/delete: pwdHistory: no such value'],
  ['busy', 16, 'modify/delete: pwdAccountLockedTime: no such value'],
  ['busy', 16, 'modify/delete: pwdHistory: no such value', undefined, 'reset', false],
  ['compare_failed', 16, 'said by another version'],
  ['busy', 16, 'said by another version', undefined, 'reset', false],
  ['compare_failed', 19, 'writebackMarker: multiple values provided', undefined, 'reset', false],
  ['unexpected', 19, 'something else', undefined, 'reset', true],
  ['password_policy', 19, 'Password fails quality checking policy', 6],
  ['password_policy', 19, 'Password fails quality checking policy', 5],
  ['password_policy', 19, 'Password is in history of old passwords', 8],
  ['password_policy', 19, 'Password is not being changed from existing value', 8, 'change'],
  ['password_policy', 19, 'Password is too young to change', 7],
  ['password_policy', 19, 'Password is too young to change', undefined, 'reset', false],
  ['busy', 20, 'modify/add: pwdHistory: value #0 already exists'],
  ['busy', 20, 'modify/add: objectClass: value #0 already exists'],
  ['malformed_value', 21, 'objectClass: value #0 invalid per syntax'],
  ['busy', 32, ''],
  ['missing_right', 50, ''],
  ['missing_right', 50, 'Must supply old password to be changed as well as new one', 4],
  ['change_not_permitted', 50, 'User alteration of password is not allowed', 3, 'change'],
  ['wrong_current_password', 53, 'Must supply correct old password to change to new one', 4, 'change'],
  ['wrong_current_password', 53, 'unwilling to verify old password', undefined, 'change'],
  ['read_only', 53, 'shadow context; no update referral'],
  ['read_only', 10, ''],
  ['unexpected', 53, 'something else'],
  ['busy', 51, ''],
  ['busy', 65, "attribute 'writebackMarker' not allowed"],
  ['not_bound', 8, 'modifications require authentication'],
  ['busy', 122, ''],
  ['unexpected', 77, ''],
]

test.each(REFUSALS)(
  '%s: %d %s',
  (kind, code, diagnostic, ...[policyError, effect = 'reset', hadMarker = true]) => {
    const sent = { effect, hadMarker, markerAttribute: 'writebackMarker' }
    expect(readSlapdRefusal({ code, diagnostic, policyError }, sent)).toMatchObject({
      kind,
      code,
      hex: undefined,
    })
  },
)

test.each([
  [1, 'lost'],
  [52, 'lost'],
  [80, 'lost'],
  [51, 'refused'],
  [53, 'refused'],
  [16, 'refused'],
])('after %d, which a proxy without its server may say, the write is %s', (code, kind) => {
  const sent = { effect: 'reset', hadMarker: true, markerAttribute: 'writebackMarker' } as const
  const refusal = readSlapdRefusal({ code, diagnostic: '', policyError: undefined }, sent)
  expect(reliable({ kind: 'refused', refusal }).kind).toBe(kind)
})

test('the policy control tells its error beside warnings, and nothing where it is malformed', () => {
  const oid = '1.3.6.1.4.1.42.2.27.8.5.1'
  const errorOf = (hex: string) =>
    ppolicyErrorOf({ controls: [{ oid, critical: false, value: Buffer.from(hex, 'hex') }] })
  expect(errorOf('3003810108')).toBe(8)
  expect(errorOf('3008a00380010581 0106'.replace(' ', ''))).toBe(6)
  expect(errorOf('3000')).toBeUndefined()
  expect(errorOf('0400')).toBeUndefined()
  expect(ppolicyErrorOf({ controls: [] })).toBeUndefined()
  // A control that cannot be read must not hide the result beside it.
  expect(errorOf('30038101')).toBeUndefined()
  expect(errorOf('30')).toBeUndefined()
})

test('the answer to a write tells when the server made it, and whether it asks for a change', () => {
  const value = Buffer.from(
    'ZGsECnVpZD1hLGRjPXQwXTAjBA5wd2RDaGFuZ2VkVGltZTERBA8yMDI2MTEyMjA2NTczNFowNgQIZW50cnlDU04xKgQoMjAyNjExMjIwNjU3MzQuMzE4MDgzWiMwMDAwMDAjMDAwIzAwMDAwMA==',
    'base64',
  )
  const written = writtenEntryOf({ controls: [{ oid: '1.3.6.1.1.13.2', critical: false, value }] })
  expect(written).toEqual({
    ...{ writtenAtMs: Date.UTC(2026, 10, 22, 6, 57, 34, 318), mustChange: false },
    changedAtMs: Date.UTC(2026, 10, 22, 6, 57, 34),
  })
  const nothing = { writtenAtMs: undefined, changedAtMs: undefined, mustChange: false }
  expect(writtenEntryOf({ controls: [] })).toEqual(nothing)
  for (const damaged of [value.subarray(0, 40), Buffer.alloc(0), Buffer.of(0x64)])
    expect(
      writtenEntryOf({ controls: [{ oid: '1.3.6.1.1.13.2', critical: false, value: damaged }] }),
    ).toEqual(nothing)
})

const SEEN = {
  ...{ dn: 'uid=x', entryUuid: '00112233-4455-6677-8899-aabbccddeeff', hasMarkerClass: true },
  ...{ lockedTime: undefined, changedTime: '20261122065734Z' },
}

test('an assertion holds the entry, its password and its lock, as bytes', () => {
  const asserted = (
    seen: typeof SEEN | Parameters<typeof assertionRequest>[0],
    kind: 'reset' | 'unlock' | undefined,
  ) => {
    const effect =
      kind === 'reset'
        ? ({ kind, password: Buffer.alloc(0), unlock: false, mustChange: false } as never)
        : kind && ({ kind } as never)
    return assertionRequest(seen, effect).value?.toString()
  }
  expect(asserted(SEEN, undefined)).toMatch(/entryUUID.*00112233/s)
  expect(asserted(SEEN, undefined)).not.toContain('pwd')
  expect(asserted(SEEN, 'reset')).toMatch(/entryUUID.*pwdChangedTime.*20261122065734Z.*pwdAccountLockedTime/s)
  expect(asserted({ ...SEEN, changedTime: undefined }, 'reset')).not.toContain('2026')
  expect(asserted(SEEN, 'unlock')).toMatch(/pwdAccountLockedTime.*000001010000Z/s)
  expect(asserted({ ...SEEN, lockedTime: '000001010000Z' }, 'unlock')).not.toContain('pwdAccountLockedTime')
})

test('an unlock can always be carried out: the lock is put there before it is deleted', () => {
  const words = (lockedTime: string | undefined) =>
    effectChanges({ kind: 'unlock' }, { lockedTime }).map(
      ({ operation, values: [value] }) => `${operation} ${value === undefined ? '' : Buffer.from(value)}`,
    )
  expect(words(undefined)).toEqual(['replace 000001010000Z', 'delete '])
  expect(words('20261122065734Z')).toEqual(words(undefined))
  expect(words('00000101000000Z')).toEqual(['delete 00000101000000Z', 'add 00000101000000Z'])
  expect(words('000001010000Z')).toEqual(['delete 000001010000Z', 'add 000001010000Z'])
})

test('a policy without quality checks asks for no length, and 0 is "for ever" or "none" as each attribute means it', () => {
  const form = { name: 'domain', source: 'domain' } as const
  const base = { dn: 'cn=p', pwdMinLength: '8', pwdCheckQuality: '0', pwdMaxFailure: '3' }
  expect(readSlapdPolicy(base, form)).toMatchObject({
    policy: {
      minimumLength: 0,
      lockoutThreshold: 0,
      maximumAgeMs: null,
      lockoutDurationMs: null,
      minimumAgeMs: 0,
    },
    ...{ locks: false, asksForChange: false, allowsChange: true, needsOldPassword: false },
  })
  const strict = {
    ...base,
    pwdCheckQuality: '2',
    pwdLockout: 'TRUE',
    pwdMaxAge: '60',
    pwdFailureCountInterval: '30',
  }
  expect(readSlapdPolicy(strict, form)).toMatchObject({
    policy: { minimumLength: 8, lockoutThreshold: 3, maximumAgeMs: 60_000, lockoutWindowMs: 30_000 },
  })
  expect(readSlapdPolicy({ ...base, pwdMinLength: '-1', pwdLockout: 'yes' }, form)).toEqual({
    wrong: expect.arrayContaining(['pwdLockout']),
  })
})

test('the clock of the server: the monitor, else a write of our own, else the host’s', async () => {
  const clock = createManualClock(Date.UTC(2029, 11, 31, 23))
  const monitor = (monitorTimestamp?: string) =>
    ({
      search: async () => (monitorTimestamp === undefined ? [] : [{ dn: '', monitorTimestamp }]),
    }) as unknown as ReadClient
  const blind = createServerTime(clock, undefined)
  await blind.refresh(monitor())
  expect(blind.nowMs()).toBe(clock.wallMs())
  const nowMs = clock.monotonicMs()
  blind.learn({ writtenAtMs: clock.wallMs() + 5_000, sentMs: nowMs - 100, answeredMs: nowMs })
  expect(blind.nowMs()).toBe(clock.wallMs() + 5_050)
  blind.learn({ writtenAtMs: 0, sentMs: nowMs - 5_000, answeredMs: nowMs })
  expect(blind.nowMs()).toBe(clock.wallMs() + 5_050)
  await blind.refresh(monitor())
  expect(blind.nowMs()).toBe(clock.wallMs() + 5_050)
  const shown = createServerTime(clock, 'cn=Monitor')
  await shown.refresh(monitor('20300101000000Z'))
  expect(shown.nowMs()).toBe(Date.UTC(2030, 0, 1) + 500)
  // Right between the two: it was no later than the end of the one, and no sooner than the begin of the other.
  await shown.refresh(monitor('20300101000001Z'))
  expect([shown.nowMs(), shown.doubtMs()]).toEqual([Date.UTC(2030, 0, 1) + 1_000, 0])
})

test('a server is known by host and port, and the first of the list is written where nothing else is said', () => {
  expect(serverIdOf({ host: 'LDAP1.corp.test', port: 636 })).toBe(
    serverIdOf({ host: 'ldap1.corp.test', port: 636 }),
  )
  expect(serverIdOf({ host: 'ldap1.corp.test', port: 1636 })).not.toBe(
    serverIdOf({ host: 'ldap1.corp.test', port: 636 }),
  )
  expect(chooseWriter(['a', 'b'], undefined)).toBe('a')
  expect(chooseWriter(['a', 'b'], 'b')).toBe('b')
})

test.each([
  [true, 'inetorgperson'],
  [true, 'account posixaccount'],
  [true, 'top account shadowaccount'],
  [false, 'account simplesecurityobject'],
  [false, 'organizationalrole'],
  [false, 'person groupofnames'],
  [false, ''],
])('%s: an entry of %s is a person’s account', (expected, classes) => {
  expect(isPersonsAccount(classes.split(' '))).toBe(expected)
})

test('a refusal is about another entry only where a look at the name said so; a look that fails leaves it as it is', async () => {
  const looks: [() => Promise<boolean>, string][] = [
    [async () => true, 'wrong_current_password'],
    [async () => false, 'busy'],
    [() => Promise.reject(new Error('the connection is gone')), 'wrong_current_password'],
  ]
  for (const [isStillThere, kind] of looks) {
    const refusal = { kind: 'wrong_current_password', code: 53, hex: undefined, diagnostic: '' } as const
    const seen = {
      dn: 'uid=a',
      entryUuid: 'a',
      hasMarkerClass: true,
      lockedTime: undefined,
      changedTime: undefined,
    }
    const writer = createAccountWriter({
      marker: { attribute: 'writebackMarker', auxiliaryClass: 'writebackMarked' },
      controls: new Set<string>(),
      pools: { modify: async () => ({ kind: 'refused', refusal }) },
      policies: {} as SlapdPolicyReader,
      ...{ time: createServerTime(createManualClock(0), undefined), clock: createManualClock(0) },
      ...{ seenOf: () => seen, isStillThere, policyBypassed: () => {} },
    })
    const answer = await writer.fence({
      ...{ objectGuid: 'a', markerBefore: undefined, markerAfter: 'marker', mayStart: () => true },
    } as Fence)
    expect(answer).toMatchObject({ kind: 'refused', refusal: { kind } })
  }
})
