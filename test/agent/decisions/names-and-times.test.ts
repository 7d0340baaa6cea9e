// Distinguished names, refusals, leases and the store's time.
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { mayBeSame, mayBeWithin } from '../../../src/agent/decisions/canonical-name.ts'
import { isWithin, parentOf } from '../../../src/agent/decisions/distinguished-name.ts'
import { createLeases } from '../../../src/agent/decisions/leases.ts'
import { meaningOf } from '../../../src/agent/decisions/read-refusal.ts'
import { createStoreTime } from '../../../src/agent/decisions/store-time.ts'
import type { RefusalKind } from '../../../src/agent/decisions/write-answer.ts'
import { FAILURE_REASONS, REFUSAL_REASONS } from '../../../src/protocol/codes.ts'
import { createManualClock } from '../../fakes/manual-clock.ts'

const BASE = 'OU=People,DC=corp,DC=test'

test.each<[string, string, boolean]>([
  [BASE, BASE, true],
  [`CN=x,${BASE}`, BASE, true],
  [`CN=x,OU=Sub,${BASE}`, BASE, true],
  ['cn=X,ou=people,dc=CORP,dc=Test', BASE, true],
  ['CN=x, OU = People ,DC= corp, DC=test', BASE, true],
  ['CN=x\\,y,OU=People,DC=corp,DC=test', BASE, true],
  ['CN=x\\,OU=People,DC=corp,DC=test', BASE, false],
  ['CN=x\\\\,OU=People,DC=corp,DC=test', BASE, true],
  ['CN=x\\2COU=People,DC=corp,DC=test', BASE, false],
  ['CN=x,OU=Staff,DC=corp,DC=test', BASE, false],
  ['CN=x,OU=OtherPeople,DC=corp,DC=test', BASE, false],
  ['DC=corp,DC=test', BASE, false],
  [`CN=x,${BASE},DC=more`, BASE, false],
  ['CN=x,OU=People\\ ,DC=corp,DC=test', BASE, false],
  ['CN=x,OU=People\\ ,DC=corp,DC=test', 'OU=People\\ ,DC=corp,DC=test', true],
  ['CN=x,OU=People\u00a0,DC=corp,DC=test', BASE, false],
  ['CN=x,OU=\ufeffPeople,DC=corp,DC=test', BASE, false],
  [`CN=x,${BASE},CN=y\\`, BASE, false],
  [`CN=x,${BASE}`, '', false],
  ['', BASE, false],
  [`CN=x,${BASE}`, 'DC=test', true],
])('%s within %s: %s', (dn, base, expected) => {
  expect(isWithin(dn, base)).toBe(expected)
})

const escaped = (name: string) => name.replace(/[\\,+"<>;=#]/g, '\\$&').replace(/^ | $/g, '\\ ')
const name = fc.string({ minLength: 1, maxLength: 12, unit: 'binary-ascii' }).filter((s) => !s.includes('\0'))
const rdn = fc
  .tuple(fc.constantFrom('CN', 'ou', 'Dc'), name)
  .map(([type, value]) => `${type}=${escaped(value)}`)
const dn = fc.array(rdn, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(','))

test('whatever a name holds, it lies below its parent, and never below a longer or a sibling one', () => {
  fc.assert(
    fc.property(dn, rdn, rdn, (base, child, sibling) => {
      expect(isWithin(base, base)).toBe(true)
      expect(isWithin(`${child},${base}`, base)).toBe(true)
      expect(isWithin(base, `${child},${base}`)).toBe(false)
      expect(isWithin(`${child},${base}`.toUpperCase(), base.toLowerCase())).toBe(true)
      if (sibling.toLowerCase() !== child.toLowerCase())
        expect(isWithin(`CN=x,${sibling},${base}`, `${child},${base}`)).toBe(false)
      // The whole rest inside one name: an escaped comma is no boundary.
      expect(isWithin(`CN=${escaped(`x,${base}`)}`, base)).toBe(false)
    }),
  )
})

const ANN = 'cn=Ann \\2B Bob+uid=ann,ou=People,dc=corp,dc=test'
test.each<[string, boolean]>([
  [ANN, true],
  ['UID=Ann + CN=Ann \\+ Bob , OU=People, DC=corp, DC=test', true],
  ['userid=ann+commonName=ann   \\2b bob;organizationalUnitName=people,domainComponent=corp,dc=test', true],
  ['0.9.2342.19200300.100.1.1=ann+OID.2.5.4.3="Ann + Bob",2.5.4.11=People,dc=corp,dc=test', true],
  ['cn=\\41nn\\20\\2B\\20Bob+uid=ann,ou=People,dc=corp,dc=test', true],
  ['uid=ann,ou=People,dc=corp,dc=test', false],
  ['cn=Ann \\2B Bob+uid=ann\\,ou=People,dc=corp,dc=test', false],
  [`cn=x,${ANN}`, false],
  // Of these nothing is known, so they may be anybody.
  ['ann', true],
  ['cn=#04024869,ou=People,dc=corp,dc=test', true],
  ['cn=x\\', true],
])('%s may be the protected entry: %s', (other, expected) => {
  expect([mayBeSame(ANN, other), mayBeSame(other, ANN)]).toEqual([expected, expected])
})

test('a name is in a unit as the server spells it, however its characters beyond ASCII are escaped', () => {
  expect(mayBeSame('uid=M\\C3\\BCller,dc=corp', 'uid=mÜller,dc=corp')).toBe(true)
  expect(mayBeWithin('uid=x,ou=R\\26D,dc=corp', 'ou=R&D,dc=corp')).toBe(true)
  expect(mayBeWithin('uid=x,ou=RD,dc=corp', 'ou=R&D,dc=corp')).toBe(false)
})

test('every refusal has a meaning from the closed sets', () => {
  const expected: Record<RefusalKind, string> = {
    password_policy: 'refused password_policy',
    wrong_current_password: 'refused wrong_current_password',
    account_locked: 'refused account_locked',
    change_not_permitted: 'refused change_not_permitted',
    account_not_found: 'refused account_not_found',
    missing_right: 'failed missing_right',
    malformed_value: 'failed internal',
    unexpected: 'failed internal',
    compare_failed: 'again',
    control_unavailable: 'later',
    read_only: 'later',
    busy: 'later',
    not_bound: 'later',
  }
  for (const [kind, meaning] of Object.entries(expected)) {
    const said = meaningOf(kind as RefusalKind)
    expect(typeof said === 'string' ? said : `${said.outcome} ${said.reason}`).toBe(meaning)
    if (typeof said === 'object')
      expect(Object.keys({ ...REFUSAL_REASONS, ...FAILURE_REASONS })).toContain(said.reason)
  }
})

test('a lease counts from the sending of the call, ends after 30 s, and only its own number holds', () => {
  const clock = createManualClock(5_000_000)
  const leases = createLeases(clock)
  const lease = { request: 'a', lease: 3 }
  expect(leases.isHeld(lease)).toBe(false)
  const sentMs = clock.monotonicMs()
  clock.pass(9_000)
  leases.confirm(lease, sentMs)
  expect(leases.isHeld(lease)).toBe(true)
  expect(leases.isHeld({ request: 'a', lease: 2 })).toBe(false)
  clock.shiftWall(-86_400_000)
  clock.pass(20_999)
  expect(leases.isHeld(lease)).toBe(true)
  clock.pass(1)
  expect(leases.isHeld(lease)).toBe(false)
  expect(leases.isLost(lease)).toBe(false)
  expect(leases.all()).toEqual([lease])
})

test('a lease has run out when the host slept, and the store’s time went on', () => {
  const clock = createManualClock(5_000_000)
  const leases = createLeases(clock)
  const time = createStoreTime(clock)
  const sentMs = clock.monotonicMs()
  leases.confirm({ request: 'a', lease: 3 }, sentMs)
  time.observe({ sentMs, answeredMs: sentMs, storeTime: 6_000_000 })
  // The monotonic clock does not count the time asleep.
  clock.shiftWall(3_600_000)
  expect(leases.isHeld({ request: 'a', lease: 3 })).toBe(false)
  expect(time.nowMs()).toBe(9_600_000)
})

test('a lost lease is lost with all before it, until a new one is confirmed', () => {
  const clock = createManualClock(0)
  const leases = createLeases(clock)
  leases.confirm({ request: 'a', lease: 3 }, clock.monotonicMs())
  leases.lose({ request: 'a', lease: 3 })
  expect(leases.isHeld({ request: 'a', lease: 3 })).toBe(false)
  expect([2, 3, 4].map((lease) => leases.isLost({ request: 'a', lease }))).toEqual([true, true, false])
  leases.confirm({ request: 'a', lease: 4 }, clock.monotonicMs())
  leases.lose({ request: 'a', lease: 3 })
  expect(leases.isHeld({ request: 'a', lease: 4 })).toBe(true)
  leases.drop({ request: 'a', lease: 3 })
  expect(leases.isHeld({ request: 'a', lease: 4 })).toBe(true)
  leases.drop({ request: 'a', lease: 4 })
  expect(leases.all()).toEqual([])
  expect(leases.isLost({ request: 'a', lease: 3 })).toBe(false)
})

test('the store’s time runs on monotonic time from the middle of a quick call', () => {
  const clock = createManualClock(1_000_000)
  const time = createStoreTime(clock)
  expect([time.nowMs(), time.offsetMs(), time.isSkewed()]).toEqual([1_000_000, undefined, false])
  const sentMs = clock.monotonicMs()
  time.observe({ sentMs, answeredMs: sentMs + 100, storeTime: 1_030_000 })
  expect(time.nowMs()).toBe(1_030_000 - 50)
  clock.pass(500)
  expect(time.nowMs()).toBe(1_030_450)
  clock.shiftWall(-10_000)
  expect([time.nowMs(), time.earliestMs()]).toEqual([1_030_450, 1_020_450])
  expect(time.offsetMs()).toBe(39_950)
})

test('a slow answer does not spoil what a quick one told of the store’s time', () => {
  const clock = createManualClock(1_000_000)
  const time = createStoreTime(clock)
  const observe = (tookMs: number, storeTime: number) => {
    const answeredMs = clock.monotonicMs()
    time.observe({ sentMs: answeredMs - tookMs, answeredMs, storeTime })
  }
  observe(10, 1_000_000)
  expect(time.nowMs()).toBe(1_000_005)
  clock.pass(1_000)
  // Stamped at some moment of the 900 ms: the quick one knew better.
  observe(900, 1_000_500)
  expect(time.nowMs()).toBe(1_001_005)
  // Stamped at once, and on its way for all of the time: it cannot be later than that.
  observe(900, 1_000_105)
  expect([time.nowMs(), time.doubtMs()]).toEqual([1_001_002.4, expect.closeTo(2.6)])
  // What cannot be reconciled with the earlier reading means that the store's clock was set.
  observe(900, 1_002_000)
  expect(time.nowMs()).toBe(1_002_450)
  observe(10, 1_002_000)
  clock.shiftWall(200)
  expect(time.isComparable()).toBe(true)
  observe(100, 1_001_990)
  expect([time.byMonotonicMs(), time.nowMs()]).toEqual([1_002_040, 1_002_040])
  clock.pass(60_000)
  // A slow answer that agrees makes nothing worse but by the drift of the clocks.
  observe(900, 1_061_500)
  expect(time.nowMs()).toBeCloseTo(1_062_040)
  expect(time.doubtMs()).toBeCloseTo(62)
})

test('the store’s time is compared with no other once the clocks of this host parted by more than a second', () => {
  const clock = createManualClock(1_000_000)
  const time = createStoreTime(clock)
  expect(time.isComparable()).toBe(false)
  const sentMs = clock.monotonicMs()
  time.observe({ sentMs, answeredMs: sentMs, storeTime: 1_000_000 })
  clock.shiftWall(1_000)
  expect([time.isComparable(), time.byMonotonicMs(), time.nowMs()]).toEqual([true, 1_000_000, 1_001_000])
  clock.shiftWall(1)
  expect([time.isComparable(), time.isUncertain()]).toEqual([false, false])
})

test('a long poll gives no sample', () => {
  const clock = createManualClock(1_000_000)
  const time = createStoreTime(clock)
  const sentMs = clock.monotonicMs()
  time.observe({ sentMs, answeredMs: sentMs + 1_000, storeTime: 9_000_000 })
  expect(time.offsetMs()).toBeUndefined()
  time.observe({ sentMs, answeredMs: sentMs + 999, storeTime: 1_000_000 })
  expect(time.offsetMs()).toBeDefined()
})

test.each([
  [119_000, false],
  [-119_000, false],
  [120_001, true],
  [-120_001, true],
  [3_600_000, true],
])('a store %d ms ahead: skewed is %s', (ahead, expected) => {
  const clock = createManualClock(10_000_000)
  const time = createStoreTime(clock)
  const sentMs = clock.monotonicMs()
  time.observe({ sentMs, answeredMs: sentMs, storeTime: 10_000_000 + ahead })
  expect(time.isSkewed()).toBe(expected)
})

test('without an answer of the store, and after a jump of the host’s clock, the time is not certain', () => {
  const clock = createManualClock(10_000_000)
  const time = createStoreTime(clock)
  expect(time.isUncertain()).toBe(true)
  const sentMs = clock.monotonicMs()
  time.observe({ sentMs, answeredMs: sentMs, storeTime: 10_000_000 })
  expect(time.isUncertain()).toBe(false)
  clock.shiftWall(119_000)
  expect(time.isUncertain()).toBe(false)
  clock.shiftWall(2_000)
  expect(time.isUncertain()).toBe(true)
  clock.shiftWall(-242_000)
  expect([time.isUncertain(), time.isSkewed()]).toEqual([true, true])
})

test.each([
  ['CN=ann,OU=People,DC=corp', 'OU=People,DC=corp'],
  ['CN=Lovelace\\, Ada, OU=Sales\\, East,DC=corp', 'OU=Sales\\, East,DC=corp'],
  ['DC=corp', ''],
  ['', ''],
])('the entry above %j is %j', (dn, parent) => {
  expect(parentOf(dn)).toBe(parent)
})
