// What becomes of change, unlock and inspect, of a refused password, and of too many writes: a real journal, real sealed
// values, a scripted directory.
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Account } from '../../src/agent/decisions/account.ts'
import type { PolicyReading } from '../../src/agent/directory/directory.ts'
import { createLimits } from '../../src/agent/writeback/limit-writes.ts'
import { processRequest } from '../../src/agent/writeback/process-request.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import { parseBlocklist } from '../../src/policy/blocklist.ts'
import type { PasswordPolicy } from '../../src/policy/password-policy.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { parseMarker } from '../../src/protocol/marker.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { POLICY } from '../fakes/scripted-directory.ts'
import { closeWorlds, ended, markerText, NOW, openWorld, type Wish } from './request-world.ts'
import { SERVER } from './sample-requests.ts'

afterEach(closeWorlds)

const read = (changes: Partial<PasswordPolicy>): PolicyReading => ({
  kind: 'read',
  policy: { ...POLICY, ...changes },
})
const UNREADABLE: PolicyReading = { kind: 'unreadable', name: 'strict', problem: 'grant read access on it' }

/** Runs one request to its end; gives its outcome and what the directory was asked. */
async function carry(wish: Wish, policy?: PolicyReading, setUp?: (world: World) => void) {
  const world = await openWorld(wish)
  if (policy) world.dc.state.policy = policy
  setUp?.(world)
  await world.finish()
  return { world, outcome: await world.outcome(), calls: world.dc.state.calls }
}
type World = Awaited<ReturnType<typeof openWorld>>

describe('change', () => {
  test('deletes the old password and adds the new one in one write, and wipes both', async () => {
    const { world, outcome, calls } = await carry({ operation: 'change' })
    expect(outcome).toMatchObject({ outcome: 'applied', notices: ['old_password_may_work'] })
    expect(calls).toEqual(['read', 'policy', 'change'])
    expect(world.dc.state.effects).toMatchObject([{ password: 'Correct-Horse-7' }])
    expect(world.dc.state.handed).toHaveLength(2)
    expect(world.dc.state.handed.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true)
    expect(parseMarker(outcome?.marker ?? '')?.passwordVersion).toBe(5)
  })

  test.each<[string, Partial<Account>, string]>([
    ['locked', { locked: true }, 'account_locked'],
    ['disabled', { disabled: true }, 'account_disabled'],
    ['expired', { expiresAtMs: NOW - 1 }, 'account_expired'],
    ['for a smart card only', { smartcardRequired: true }, 'smartcard_required'],
    ['not allowed to change', { changeDenied: true }, 'change_not_permitted'],
  ])('of an account that is %s is refused before any write', async (_what, account, reason) => {
    const { outcome, calls } = await carry({ operation: 'change', account })
    expect([outcome, calls]).toEqual([ended('refused', reason), ['read']])
  })

  test.each<[string, Partial<Account>]>([
    ['that must change its password', { mustChange: true, passwordSetAtMs: undefined }],
    ['whose password expired', { passwordExpiresAtMs: NOW - 1 }],
    ['whose password never expires', { passwordNeverExpires: true }],
  ])('of an account %s is applied', async (_what, account) => {
    const { outcome } = await carry({ operation: 'change', account }, read({ minimumAgeMs: 86_400_000 }))
    expect(outcome).toEqual(ended('applied'))
  })

  test.each<[string, Partial<Account>, Partial<PasswordPolicy>, boolean]>([
    ['no threshold', { badPasswordCount: 99 }, { lockoutThreshold: 0 }, true],
    ['threshold 1', {}, { lockoutThreshold: 1 }, false],
    ['threshold 2', {}, { lockoutThreshold: 2 }, false],
    ['none of 3', {}, { lockoutThreshold: 3 }, true],
    ['one of 3', { badPasswordCount: 1, badPasswordAtMs: NOW - 60_000 }, { lockoutThreshold: 3 }, false],
    ['one of 3, without a time', { badPasswordCount: 1 }, { lockoutThreshold: 3 }, false],
    [
      'one of 3, within the window',
      { badPasswordCount: 1, badPasswordAtMs: NOW - 1_799_000 },
      { lockoutThreshold: 3 },
      false,
    ],
    [
      'one of 3, older than the window',
      { badPasswordCount: 1, badPasswordAtMs: NOW - 1_804_000 },
      { lockoutThreshold: 3 },
      true,
    ],
    ['two of 5', { badPasswordCount: 2, badPasswordAtMs: NOW }, { lockoutThreshold: 5 }, true],
    ['three of 5', { badPasswordCount: 3, badPasswordAtMs: NOW }, { lockoutThreshold: 5 }, false],
  ])('never brings an account near its lockout: %s', async (_what, account, policy, isTried) => {
    const { outcome, calls } = await carry({ operation: 'change', account }, read(policy))
    expect(outcome).toEqual(isTried ? ended('applied') : ended('refused', 'too_many_attempts'))
    expect(calls.includes('change')).toBe(isTried)
  })

  test('reads the lockout threshold anew, and does not try where it cannot be read', async () => {
    const stale = await carry({ operation: 'change' }, read({ lockoutThreshold: 50 }), ({ dc }) => {
      dc.state.policyChange = read({ lockoutThreshold: 2 })
    })
    expect(stale.outcome).toEqual(ended('refused', 'too_many_attempts'))
    const hidden = await carry({ operation: 'change' }, UNREADABLE)
    expect(hidden.outcome).toMatchObject({
      outcome: 'failed',
      reason: 'missing_right',
      detail: UNREADABLE.kind === 'unreadable' ? UNREADABLE.problem : '',
    })
    expect(hidden.world.conditions.list().map(({ code }) => code)).toEqual(['policy_unreadable'])
    expect(hidden.calls).toEqual(['read', 'policy'])
  })

  test('lets three wrong current passwords through in an hour, lost answers included, then none', async () => {
    const world = await openWorld({ operation: 'change' })
    const ageMs = [10_000, 20_000, 3_700_000]
    const request = world.document.id
    for (const [index, age] of ageMs.entries()) {
      const answer = index === 0 ? 'refused:wrong_current_password:19' : 'lost'
      world.leaveIntent(answer, { startedAtMs: NOW - age, n: index + 1, kind: 'write' })
    }
    const count = (sinceMs: number) =>
      world.journal.countWrongPasswords(world.document.directory, world.document.subject.anchor, sinceMs)
    expect([count(NOW - 3_600_000), count(NOW - 3_800_000), count(NOW)]).toEqual([2, 3, 0])
    world.journal.answer(request, 2, 'accepted')
    expect(count(NOW - 3_800_000)).toBe(2)
    const full = await openWorld({ operation: 'change' })
    for (let n = 1; n <= 3; n += 1) full.leaveIntent('refused:wrong_current_password:19', { n })
    await full.finish()
    expect(await full.outcome()).toEqual(ended('refused', 'too_many_attempts'))
    expect(full.dc.state.calls).not.toContain('change')
  })

  test('waits while another change of the same account is under way, so that two cannot fail at once', async () => {
    const world = await openWorld({ operation: 'change' })
    const other = { ...world.accepted, requestId: newId(), sequence: NOW - 1 }
    world.journal.accept([other])
    const begin = (answer: string | undefined) => {
      const n = world.journal.nextAttempt(other.requestId)
      world.leaveIntent(answer, { requestId: other.requestId, n })
      return n
    }
    const n = begin(undefined)
    expect(await world.run()).toMatchObject({ kind: 'rest' })
    expect(world.dc.state.calls).not.toContain('change')
    world.journal.answer(other.requestId, n, 'accepted')
    await world.finish()
    expect(await world.outcome()).toEqual(ended('applied'))
  })

  test('of a password that is too young is refused with the moment from which it can be changed', async () => {
    const account = { passwordSetAtMs: NOW - 3_600_000 }
    const { outcome, calls } = await carry(
      { operation: 'change', account },
      read({ minimumAgeMs: 86_400_000 }),
    )
    expect(outcome).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_too_young' },
      rule: { kind: 'changeable_from', at: NOW - 3_600_000 + 86_400_000 },
    })
    expect(calls).not.toContain('change')
  })

  test('to the same password is in the history once the directory says no, and not before', async () => {
    const same = { operation: 'change', passwords: ['Same-Horse-7', 'Same-Horse-7'] } as const
    const refused = await carry(same, undefined, ({ dc }) => {
      dc.state.fates = [{ refuse: 'password_policy' }]
    })
    expect(refused.outcome).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_in_history', detail: 'says password_policy' },
      rule: { kind: 'not_used_before', remembered: 24 },
    })
    expect((await carry(same)).outcome).toEqual(ended('applied'))
  })

  test.each(['wrong_current_password', 'account_locked', 'change_not_permitted'] as const)(
    'that the directory refuses as %s says so',
    async (refuse) => {
      const { outcome } = await carry({ operation: 'change' }, undefined, ({ dc }) => {
        dc.state.fates = [{ refuse }]
      })
      expect(outcome).toEqual(ended('refused', refuse))
    },
  )

  test('whose answer was lost is settled by the marker, and never tried twice', async () => {
    const { outcome, calls } = await carry({ operation: 'change' }, undefined, ({ dc }) => {
      dc.state.fates = ['lost']
    })
    expect(outcome).toEqual(ended('applied'))
    expect(calls.filter((call) => call === 'change')).toHaveLength(1)
  })
})

describe('unlock', () => {
  test.each<[string, Partial<Account>, string[]]>([
    ['a locked account', { locked: true, badPasswordCount: 3 }, []],
    ['an account with nothing locked', {}, []],
    ['a disabled account', { locked: true, disabled: true }, ['account_disabled']],
    ['an expired account', { expiresAtMs: NOW - 1 }, ['account_expired']],
    ['a smart card account', { locked: true, smartcardRequired: true }, []],
  ])('clears the lockout of %s and leaves the password alone', async (_what, account, notices) => {
    const { world, outcome, calls } = await carry({ operation: 'unlock', account })
    expect(outcome).toMatchObject({ outcome: 'applied', notices })
    expect(calls).toEqual(['read', 'unlock', 'read'])
    expect(world.dc.account()).toMatchObject({ locked: false, passwordVersion: { version: 4 } })
  })

  test('carries the password version of our own marker on, and 0 without one', async () => {
    expect(parseMarker((await carry({ operation: 'unlock' })).outcome?.marker ?? '')?.passwordVersion).toBe(0)
    const ours = markerText({ sequence: NOW - 1, passwordVersion: 4 })
    const { outcome } = await carry({ operation: 'unlock', account: { marker: ours } })
    expect(parseMarker(outcome?.marker ?? '')?.passwordVersion).toBe(4)
  })

  test('says when new wrong passwords have locked the account again', async () => {
    const world = await openWorld({ operation: 'unlock', account: { locked: true } })
    world.dc.state.afterModify = () => world.dc.edit({ locked: true })
    await world.finish()
    expect(await world.outcome()).toMatchObject({ outcome: 'applied', notices: ['locked_again'] })
  })

  test('is not overtaken by somebody else’s new password, only by a newer request', async () => {
    const changed = { passwordVersion: { version: 9, changedAtMs: NOW + 60_000 } }
    expect((await carry({ operation: 'unlock', account: changed })).outcome).toEqual(ended('applied'))
    const newer = { marker: markerText({ sequence: NOW + 1 }) }
    expect((await carry({ operation: 'unlock', account: newer })).outcome).toEqual(ended('superseded'))
  })

  test('whose answer was lost is settled by the marker; hidden by a newer request it stays unknown', async () => {
    const lost = await carry({ operation: 'unlock' }, undefined, ({ dc }) => {
      dc.state.fates = ['lost']
    })
    expect(lost.outcome).toEqual(ended('applied'))
    const hidden = await openWorld({ operation: 'unlock' })
    hidden.leaveIntent('lost')
    hidden.dc.edit({ marker: markerText({ sequence: NOW + 1, passwordVersion: 4 }) })
    await hidden.finish()
    expect(await hidden.outcome()).toEqual(ended('unknown'))
  })
})

describe('inspect', () => {
  test('tells the state and the policy, writes nothing, and needs neither lease nor receipt nor a running store', async () => {
    const account = { locked: true, passwordExpiresAtMs: NOW + 1000, badPasswordCount: 2 }
    const { world, outcome, calls } = await carry(
      { operation: 'inspect', account, receipt: null },
      read({ lockoutThreshold: 3 }),
      ({ flags }) => {
        flags.paused = true
      },
    )
    expect(outcome).toMatchObject({
      outcome: 'applied',
      marker: null,
      account: {
        objectGuid: world.account.objectGuid,
        refusals: { reset: null, change: 'account_locked', unlock: null },
        ...{ locked: true, disabled: false, mustChange: false, passwordChangedAt: 1_000_000 },
        ...{ passwordExpiresAt: NOW + 1000, accountExpiresAt: null, policyProblem: null },
        policy: { name: 'domain', minimumLength: 7, lockoutThreshold: 3 },
      },
    })
    expect([calls, world.flags.receipts, world.journal.intents(world.document.id)]).toEqual([
      ['read'],
      [],
      [],
    ])
  })

  test('tells what each operation would be refused with', async () => {
    const disabled = await carry({ operation: 'inspect', account: { disabled: true } })
    expect(disabled.outcome?.account?.refusals).toEqual({
      reset: null,
      change: 'account_disabled',
      unlock: null,
    })
    const near = await carry(
      { operation: 'inspect', account: { badPasswordCount: 1 } },
      read({ lockoutThreshold: 3 }),
    )
    expect(near.outcome?.account?.refusals.change).toBe('too_many_attempts')
    const young = await carry(
      { operation: 'inspect', account: { passwordSetAtMs: NOW } },
      read({ minimumAgeMs: 86_400_000 }),
    )
    expect(young.outcome?.account?.refusals.change).toBe('password_too_young')
    const history = await carry({ operation: 'inspect' }, undefined, ({ dc }) => {
      dc.state.history = 'not_enforceable'
    })
    expect(history.outcome?.account?.refusals.reset).toBe('history_not_enforceable')
  })

  test('names the grant that is missing for the policy', async () => {
    const { outcome, world } = await carry({ operation: 'inspect' }, UNREADABLE)
    expect(outcome?.account).toMatchObject({ policy: null, policyProblem: 'grant read access on it' })
    expect(world.conditions.list()).toMatchObject([{ code: 'policy_unreadable', subject: 'corp' }])
  })

  test.each<[string, Partial<Account>, string, string]>([
    ['protected', { adminCount: true }, 'refused', 'account_protected'],
    ['out of scope', { dn: 'CN=x,OU=Staff,DC=corp,DC=test' }, 'refused', 'account_out_of_scope'],
    ['not there', { objectGuid: '11111111-1111-4111-8111-111111111111' }, 'refused', 'account_not_found'],
    ['of unknown groups', { unreadable: ['tokenGroups'] }, 'failed', 'missing_right'],
  ])('of an account that is %s tells nothing else', async (_what, account, outcome, reason) => {
    const told = (await carry({ operation: 'inspect', account })).outcome
    expect(told).toMatchObject({ outcome, reason, account: null, policy: null })
  })
})

test('an account that may not be written is never fenced either: what is in doubt stays unknown', async () => {
  for (const account of [
    { adminCount: true },
    { dn: 'CN=x,OU=Staff,DC=corp,DC=test' },
    { unreadable: ['tokenGroups'] },
  ]) {
    const earlier = [{ agent: '0e0e0e0e-1111-7222-8333-444444444444', server: SERVER }]
    const { outcome, calls } = await carry({ account, accepted: { earlier } })
    expect([outcome, calls]).toEqual([ended('unknown'), ['read']])
  }
})

test('a request that ends after its fence tells where the fence stands', async () => {
  const world = await openWorld()
  world.dc.state.fates = ['vanished']
  world.dc.state.beforeModify = () => {
    world.dc.state.beforeModify = () => world.clock.pass(299_000)
  }
  await world.finish()
  const outcome = await world.outcome()
  expect(outcome).toMatchObject({ outcome: 'expired', server: SERVER })
  expect(outcome?.marker).toBe(world.dc.account()?.marker)
  expect(parseMarker(outcome?.marker ?? '')?.flag).toBe('fenced')
})

test('of a protected account nothing else is told, whatever its marker attribute holds', async () => {
  for (const marker of ['somebody else', markerText({ sequence: NOW + 1 })]) {
    const { outcome, world } = await carry({ account: { adminCount: true, marker } })
    expect(outcome).toMatchObject({ outcome: 'refused', reason: 'account_protected', marker: null })
    expect(world.conditions.list()).toEqual([])
  }
})

test('an unlock that landed before a crash says nothing about passwords', async () => {
  const world = await openWorld({ operation: 'unlock' })
  world.leaveIntent('accepted')
  await world.finish()
  expect(await world.outcome()).toMatchObject({ outcome: 'applied', notices: [] })
})

test('a read that the directory refuses lets only that request wait', async () => {
  const world = await openWorld()
  world.dc.state.refusesReads = true
  expect(await world.run()).toEqual({ kind: 'rest', laterMs: 5000 })
  expect(world.conditions.list()).toEqual([])
})

describe('a refused password', () => {
  const short = { document: { password: 'Ab1' } }

  test('that breaks a rule for certain is refused with the rule and the policy, and never sent', async () => {
    const { world, outcome, calls } = await carry(short)
    expect(outcome).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_too_short', detail: null },
      rule: { kind: 'minimum_length', characters: 7 },
      policy: { name: 'domain', minimumLength: 7 },
    })
    // Read anew before it is refused.
    expect(calls).toEqual(['read', 'policy'])
    expect(world.journal.intents(world.document.id)).toEqual([])
  })

  test('by a policy that was relaxed a moment ago is written all the same', async () => {
    const { outcome } = await carry(short, read({ minimumLength: 20 }), ({ dc }) => {
      dc.state.policyChange = read({ minimumLength: 3, complexity: false })
    })
    expect(outcome).toEqual(ended('applied'))
  })

  test('that the directory refuses is explained by the policy as it is now', async () => {
    const { outcome } = await carry({}, undefined, ({ dc }) => {
      dc.state.fates = [{ refuse: 'password_policy' }]
      dc.state.policyChange = read({ minimumLength: 20 })
    })
    expect(outcome).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_too_short', detail: 'says password_policy' },
      ...{ rule: { characters: 20 }, policy: { minimumLength: 20 } },
    })
  })

  test('that no rule explains is password_policy with the policy, never a guess', async () => {
    const { outcome } = await carry({}, undefined, ({ dc }) => {
      dc.state.fates = [{ refuse: 'password_policy' }]
    })
    expect(outcome).toMatchObject({
      outcome: 'refused',
      reason: 'password_policy',
      rule: null,
      policy: POLICY,
    })
    const hidden = await carry({}, UNREADABLE, ({ dc }) => {
      dc.state.fates = [{ refuse: 'password_policy' }]
    })
    expect(hidden.outcome).toMatchObject({ reason: 'password_policy', rule: null, policy: null })
  })

  test('of an account that Windows holds to no policy is left to the directory', async () => {
    const { outcome, calls } = await carry({ ...short, account: { passwordNotRequired: true } })
    expect([outcome, calls]).toEqual([ended('applied'), ['read', 'write']])
  })

  test('with a name inside is refused by the agent’s own rule as it is read, and never explained by it', async () => {
    const account = { name: 'müller', displayName: '' }
    const document = { password: 'xx-MÜLLER-77' }
    const own = await carry({ account, document, refusesNames: true })
    expect([own.outcome, own.calls]).toEqual([ended('refused', 'password_contains_name'), ['read']])
    const directory = await carry({ account, document }, undefined, ({ dc }) => {
      dc.state.fates = [{ refuse: 'password_policy' }]
    })
    expect(directory.outcome).toEqual(ended('refused', 'password_policy'))
  })

  test('on the agent’s own list is refused, whether or not the policy can be read', async () => {
    const blocklist = parseBlocklist('correct-horse-7\n')
    for (const policy of [read({}), UNREADABLE]) {
      const { outcome, calls } = await carry({ blocklist }, policy)
      expect(outcome).toMatchObject({ reason: 'password_blocklisted', rule: { kind: 'not_blocklisted' } })
      expect(calls).not.toContain('write')
    }
  })
})

test('a reset is refused where history must be enforced and cannot be; change and unlock are not', async () => {
  const withoutHistory = ({ dc }: World) => {
    dc.state.history = 'not_enforceable'
  }
  expect((await carry({}, undefined, withoutHistory)).outcome).toEqual(
    ended('refused', 'history_not_enforceable'),
  )
  for (const operation of ['change', 'unlock'] as const)
    expect((await carry({ operation }, undefined, withoutHistory)).outcome).toEqual(ended('applied'))
})

test('an account that was moved out of scope or deleted between read and write is told as that', async () => {
  const moved = await openWorld()
  moved.dc.state.fates = [{ refuse: 'missing_right' }]
  moved.dc.state.beforeModify = () => moved.dc.edit({ dn: 'CN=x,OU=Staff,DC=corp,DC=test' })
  await moved.finish()
  expect(await moved.outcome()).toEqual(ended('refused', 'account_out_of_scope'))
  expect(moved.conditions.list()).toEqual([])
  const gone = await openWorld()
  gone.dc.state.beforeModify = () => gone.dc.edit(undefined)
  await gone.finish()
  expect(await gone.outcome()).toEqual(ended('refused', 'account_not_found'))
})

describe('too many writes', () => {
  test('to one account are refused until an old one is an hour ago, across restarts', async () => {
    const world = await openWorld({ limits: { perAccountAndHour: 2 } })
    const { directory, subject } = world.document
    world.leaveIntent('accepted', { startedAtMs: NOW - 3_500_000, kind: 'write', n: 1 })
    world.leaveIntent('accepted', { startedAtMs: NOW - 1000, kind: 'write', n: 2 })
    const restarted = () =>
      createLimits({ ...world.parts, log: silentLogger }, new Map([[directory, LIMITS]]))
    expect(restarted().find(directory, subject.anchor)).toMatchObject({
      kind: 'end',
      ending: { outcome: 'refused', reason: 'too_many_attempts' },
    })
    expect(restarted().find(directory, 'another account')).toBeUndefined()
    world.clock.pass(101_000)
    expect(restarted().find(directory, subject.anchor)).toBeUndefined()
  })
  const LIMITS = { perAccountAndHour: 2, perMinute: 100, burst: 100, burstWindowMs: 600_000 }

  test('within a minute wait for their turn', async () => {
    const world = await openWorld({ limits: { perMinute: 3 } })
    for (const account of ['a', 'b', 'c']) world.parts.limits.note('corp', account)
    const rested: number[] = []
    await world.finish(() => rested.push(1))
    expect(rested.length).toBeGreaterThan(10)
    expect(await world.outcome()).toEqual(ended('applied'))
    expect(world.clock.wallMs()).toBeGreaterThanOrEqual(NOW + 60_000)
  })

  test('in a burst open the breaker: nothing is written, also after a restart, until a person closes it', async () => {
    const world = await openWorld({ limits: { burst: 3 } })
    const { limits } = world.parts
    for (const account of ['a', 'b', 'c']) limits.note('corp', account)
    expect(await world.run()).toMatchObject({ laterMs: 5000 })
    expect(await world.run()).toMatchObject({ laterMs: 1000 })
    expect([limits.isStopped('corp'), world.dc.state.calls.includes('write')]).toEqual([true, false])
    expect(world.conditions.list()).toMatchObject([
      { code: 'breaker_open', subject: 'corp', severity: 'error' },
    ])
    const restarted = createLimits(
      { ...world.parts, log: silentLogger },
      new Map([['corp', { ...LIMITS, burst: 3 }]]),
    )
    expect(restarted.isStopped('corp')).toBe(true)
    expect([limits.closeBreaker('corp'), limits.closeBreaker('corp')]).toEqual([true, false])
    expect(world.conditions.list()).toEqual([])
    await world.finish()
    expect(await world.outcome()).toEqual(ended('applied'))
  })

  test('are counted one by one, also where several requests pass the first look at once', async () => {
    for (const limits of [{ perMinute: 1 }, { burst: 1 }, { perAccountAndHour: 1 }]) {
      const world = await openWorld({ limits })
      const { directory, subject } = world.document
      const { keys } = world.parts
      // Another request of the same moment is first, while the password of this one is opened.
      const overtaken: typeof keys.withOpened = (...words) => {
        world.parts.limits.note(directory, subject.anchor)
        return keys.withOpened(...words)
      }
      const parts = { ...world.parts, keys: { ...keys, withOpened: overtaken } }
      await processRequest(parts, world.document.id, new AbortController().signal)
      expect([limits, world.dc.state.calls.includes('write')]).toEqual([limits, false])
      expect(world.parts.journal.intents(world.document.id)).toEqual([])
    }
  })

  test('are not counted where the directory was busy or read only, also after a restart, and the pause grows', async () => {
    const tight = { ...LIMITS, perAccountAndHour: 2, burst: 3 }
    const world = await openWorld({ limits: tight })
    const pauses: unknown[] = []
    for (const refuse of ['busy', 'read_only', 'not_bound', 'busy', 'control_unavailable', 'busy'] as const) {
      world.dc.state.fates = [{ refuse }]
      const result = await world.run()
      pauses.push(result)
      world.clock.pass(1_000)
      world.hold()
    }
    expect(pauses).toMatchObject([1, 2, 4, 8, 15, 15].map((seconds) => ({ laterMs: seconds * 1_000 })))
    const { directory, subject } = world.document
    const restarted = createLimits({ ...world.parts, log: silentLogger }, new Map([[directory, tight]]))
    expect(restarted.find(directory, subject.anchor)).toBeUndefined()
    await world.finish()
    expect([await world.outcome(), world.parts.limits.isStopped(directory)]).toEqual([
      ended('applied'),
      false,
    ])
  })

  test('are not counted, and the attempt is closed, where the password has no form in the directory', async () => {
    const world = await openWorld({ operation: 'change', limits: { perAccountAndHour: 1 } })
    world.dc.state.beforeModify = () => {
      throw new WritebackError('ERR_PASSWORD_UNREPRESENTABLE', 'the password begins like a hash')
    }
    await world.finish()
    expect(await world.outcome()).toEqual(ended('failed', 'request_invalid'))
    const { directory, subject, id } = world.document
    expect(world.journal.intents(id)).toMatchObject([{ answer: 'not_sent' }])
    expect(world.journal.countWrongPasswords(directory, subject.anchor, 0)).toBe(0)
    expect(world.parts.limits.find(directory, subject.anchor)).toBeUndefined()
  })

  test('stay counted when the limits are changed: fences, writes under way, and those of a longer window', async () => {
    const world = await openWorld({ limits: { perAccountAndHour: 5, burst: 5, burstWindowMs: 60_000 } })
    const { limits, clock } = world.parts
    const tight = { ...LIMITS, perAccountAndHour: 1, burst: 3, burstWindowMs: 86_400_000 }
    limits.note('corp', 'long ago')
    world.clock.pass(5 * 3_600_000)
    limits.note('corp', 'fenced')
    const takeOff = limits.note('corp', 'under way')
    limits.change('corp', { ...tight, burst: 4 })
    const at = (account: string) => limits.find('corp', account)?.kind
    expect([at('fenced'), at('under way'), at('other')]).toEqual(['end', 'end', undefined])
    takeOff()
    expect([at('fenced'), at('under way')]).toEqual(['end', undefined])
    limits.note('corp', 'another')
    expect([clock.wallMs() > NOW, limits.isStopped('corp')]).toEqual([true, false])
    limits.change('corp', tight)
    expect([at('other'), limits.isStopped('corp')]).toEqual(['wait', true])
  })

  test('are not counted where nothing was sent, also after a restart', async () => {
    const world = await openWorld({ limits: { perAccountAndHour: 2, burst: 2 } })
    world.dc.state.fates = ['not_sent', 'not_sent', 'not_sent', 'not_sent']
    await world.finish()
    expect(await world.outcome()).toEqual(ended('applied'))
    const { directory, subject } = world.document
    const tight = { ...LIMITS, perAccountAndHour: 2, burst: 2 }
    const restarted = createLimits({ ...world.parts, log: silentLogger }, new Map([[directory, tight]]))
    expect([
      world.parts.limits.find(directory, subject.anchor),
      restarted.find(directory, subject.anchor),
    ]).toEqual([undefined, undefined])
  })

  test('hold back no inspection', async () => {
    const world = await openWorld({ operation: 'inspect', limits: { burst: 1 } })
    world.parts.limits.note('corp', 'a')
    world.parts.limits.find('corp', 'a')
    await world.finish()
    expect(await world.outcome()).toEqual(ended('applied'))
  })
})
