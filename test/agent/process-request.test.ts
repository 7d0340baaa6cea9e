import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from '@jest/globals'
import type { Account } from '../../src/agent/decisions/account.ts'
import { createStoreTime } from '../../src/agent/decisions/store-time.ts'
import { processRequest } from '../../src/agent/writeback/process-request.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { parseMarker } from '../../src/protocol/marker.ts'
import type { ResetDocument } from '../../src/protocol/request-document.ts'
import { closeWorlds, ended, LEASE, markerText, NOW, openWorld, parties } from './request-world.ts'
import {
  DIRECTORY,
  makeParties,
  OTHER_SERVER,
  resetOf,
  SERVER,
  STORE,
  sealFor,
  signedBy,
} from './sample-requests.ts'
import { sealedForeign } from './sealed-foreign.ts'

afterEach(closeWorlds)

async function until(isSo: () => boolean): Promise<void> {
  for (let looks = 0; looks < 400 && !isSo(); looks += 1) await sleep(5)
  expect(isSo()).toBe(true)
}

test('writes once, says applied, and wipes the password', async () => {
  const world = await openWorld({ account: { locked: true } })
  expect(await world.run()).toBe('done')
  const outcome = await world.outcome()
  expect(outcome).toEqual({
    request: world.document.id,
    store: STORE,
    agent: parties.agent,
    directory: DIRECTORY,
    lease: LEASE,
    server: SERVER,
    marker: markerText({ requestId: world.document.id }),
    decidedAt: NOW,
    notices: ['old_password_may_work'],
    detail: null,
    account: null,
    rule: null,
    policy: null,
    outcome: 'applied',
  })
  expect(world.dc.state.effects).toEqual([{ password: 'Correct-Horse-7', marker: outcome?.marker }])
  expect(world.dc.account()?.locked).toBe(false)
  expect(
    world.dc.state.handed.every((bytes) => bytes.length === 15 && bytes.every((byte) => byte === 0)),
  ).toBe(true)
  expect([world.flags.reports, world.flags.receipts, world.leases.all()]).toEqual([1, [], []])
  expect(await world.run()).toBe('done')
  expect(world.dc.state.effects).toHaveLength(1)
})

test('confirms the receipt before the first write, for the server that is written', async () => {
  const world = await openWorld({ receipt: null })
  await world.finish()
  expect([world.flags.receipts, await world.outcome()]).toEqual([[SERVER], ended('applied')])
  const moved = await openWorld({ receipt: OTHER_SERVER })
  await moved.finish()
  expect(moved.flags.receipts).toEqual([SERVER])
})

test('gives up when the receipt is refused, and waits while the store is away or refuses the agent', async () => {
  const refused = await openWorld({ receipt: null })
  refused.flags.receipt = async () => false
  expect(await refused.run()).toBe('done')
  expect([refused.dc.state.calls, await refused.outcome(), refused.journal.counts().open]).toEqual([
    ['read'],
    undefined,
    0,
  ])
  for (const code of ['ERR_STORE_UNREACHABLE', 'ERR_STORE_REJECTED'] as const) {
    const world = await openWorld({ receipt: null })
    const retry = code === 'ERR_STORE_REJECTED' ? 'never' : 'later'
    world.flags.receipt = () => Promise.reject(new WritebackError(code, 'no', { retry }))
    for (let round = 0; round < 10; round += 1) expect(await world.run()).toMatchObject({ laterMs: 1_000 })
    world.flags.receipt = async () => true
    await world.finish()
    expect(await world.outcome()).toEqual(ended('applied'))
  }
})

test.each([
  ['password_policy', 'refused', 'password_policy'],
  ['account_locked', 'refused', 'account_locked'],
  ['account_not_found', 'refused', 'account_not_found'],
  ['missing_right', 'failed', 'missing_right'],
  ['malformed_value', 'failed', 'internal'],
  ['unexpected', 'failed', 'internal'],
] as const)('a directory that says %s: %s %s, nothing changed', async (refuse, outcome, reason) => {
  const world = await openWorld()
  world.dc.state.fates = [{ refuse }]
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toMatchObject({ outcome, reason, detail: `says ${refuse}`, server: SERVER })
  expect(world.dc.state.effects).toEqual([])
  const raised = world.conditions.list().map(({ code }) => code)
  expect(raised).toEqual(refuse === 'missing_right' ? ['missing_right'] : [])
})

test.each(['busy', 'read_only', 'control_unavailable', 'not_bound'] as const)(
  'a directory that says %s is asked again later',
  async (refuse) => {
    const world = await openWorld()
    world.dc.state.fates = [{ refuse }, 'not_sent']
    expect(await world.run()).toMatchObject({ laterMs: 1_000 })
    expect(await world.run()).toMatchObject({ laterMs: 1_000 })
    await world.finish()
    expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('applied'), 1])
  },
)

test('an account that changed between read and write is read again', async () => {
  const world = await openWorld()
  const older = markerText({ sequence: NOW - 1 })
  world.dc.state.beforeModify = () => world.dc.edit({ marker: older })
  await world.finish()
  expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('applied'), 1])
  expect(world.dc.state.calls).toEqual(['read', 'write', 'read', 'write'])
})

test('a marker that cannot be read is said, not tried for ever', async () => {
  const world = await openWorld()
  const hidden = { refuse: 'compare_failed' } as const
  world.dc.state.fates = Array.from({ length: 40 }, () => hidden)
  await world.finish()
  expect(await world.outcome()).toEqual(ended('failed', 'marker_unreadable'))
  const doubtful = await openWorld()
  doubtful.dc.state.fates = ['vanished', ...Array.from({ length: 40 }, () => hidden)]
  await doubtful.finish()
  expect(await doubtful.outcome()).toEqual(ended('unknown'))
})

test('a lost answer to a write that landed is settled as applied, with one effect', async () => {
  const world = await openWorld()
  world.dc.state.fates = ['lost']
  await world.finish()
  expect(await world.outcome()).toEqual(ended('applied'))
  expect([world.dc.state.effects.length, world.dc.state.calls]).toEqual([1, ['read', 'write', 'read']])
})

test('a lost write that did not land is fenced, then tried again, once', async () => {
  const world = await openWorld()
  world.dc.state.fates = ['vanished']
  await world.finish()
  expect(await world.outcome()).toEqual(ended('applied'))
  expect(world.dc.state.calls).toEqual(['read', 'write', 'read', 'fence', 'read', 'write'])
  expect(world.journal.intents(world.document.id).map(({ n, kind, answer }) => [n, kind, answer])).toEqual([
    [1, 'write', 'lost'],
    [2, 'fence', 'accepted'],
    [3, 'write', 'accepted'],
  ])
  expect(world.dc.state.effects).toHaveLength(1)
})

test('a write that arrives late, after the fence, changes nothing', async () => {
  const world = await openWorld()
  world.dc.state.fates = ['late']
  await world.finish()
  expect(await world.outcome()).toEqual(ended('applied'))
  expect([world.dc.arrive(), world.dc.state.effects.length]).toEqual([['refused'], 1])
})

test('a write that arrives between the read and the fence is seen', async () => {
  const world = await openWorld()
  world.dc.state.fates = ['late']
  world.dc.state.beforeModify = () => {
    world.dc.state.beforeModify = () => expect(world.dc.arrive()).toEqual(['accepted'])
  }
  await world.finish()
  expect(await world.outcome()).toEqual(ended('applied'))
  expect([world.dc.state.effects.length, world.dc.state.calls]).toEqual([
    1,
    ['read', 'write', 'read', 'fence', 'read'],
  ])
})

test('a lost fence is not trusted unless it is seen', async () => {
  for (const fate of ['lost', 'vanished', 'late', 'not_sent'] as const) {
    const world = await openWorld()
    world.dc.state.fates = ['vanished', fate]
    await world.finish()
    expect(await world.outcome()).toEqual(ended('applied'))
    world.dc.arrive()
    expect(world.dc.state.effects).toHaveLength(1)
    expect(parseMarker(world.dc.account()?.marker ?? '')?.flag).toBe('applied')
  }
})

test('a fence for what only the store says counts as a write; beyond the limit it waits, and nothing is written', async () => {
  const earlier = [{ agent: 'other', server: SERVER }]
  for (const burst of [1, 2]) {
    const world = await openWorld({ accepted: { earlier }, limits: { burst } })
    world.parts.limits.note(DIRECTORY, 'another account')
    expect(await world.run()).toMatchObject({ laterMs: 5_000 })
    expect(world.dc.state.calls.filter((call) => call === 'fence')).toHaveLength(burst - 1)
    expect(world.dc.state.effects).toEqual([])
  }
})

test('a fence that the directory refuses leaves unknown, and says what is missing', async () => {
  const world = await openWorld()
  world.dc.state.fates = ['vanished', { refuse: 'missing_right' }]
  await world.finish()
  expect(await world.outcome()).toMatchObject({ outcome: 'unknown', detail: 'says missing_right' })
  expect(world.conditions.list().map(({ code }) => code)).toEqual(['missing_right'])
  const busy = await openWorld()
  busy.dc.state.fates = ['vanished', { refuse: 'busy' }]
  await busy.finish()
  expect(await busy.outcome()).toEqual(ended('applied'))
})

test('a lost answer and a server that stays away until 60 s after expiry is unknown', async () => {
  const world = await openWorld()
  world.dc.state.fates = ['vanished']
  world.dc.state.beforeModify = () => {
    world.dc.state.away = true
  }
  expect(await world.run()).toMatchObject({ retryAfterMs: 777 })
  expect(world.conditions.list().map(({ code }) => code)).toEqual(['directory_unreachable'])
  world.clock.pass(300_000 + 59_999)
  expect(await world.run()).toMatchObject({ retryAfterMs: 777 })
  world.clock.pass(1)
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toEqual(ended('unknown'))
})

test('a wall clock that was set forward ends no doubt before its time', async () => {
  for (const byMs of [110_000, 3_600_000]) {
    const world = await openWorld({ document: { expiresAt: NOW + 20_000 } })
    world.dc.state.fates = ['lost']
    world.dc.state.afterModify = () => world.clock.shiftWall(byMs)
    await world.run()
    world.clock.shiftWall(-byMs)
    await world.finish()
    expect(await world.outcome()).toEqual(ended('applied'))
  }
})

test('a lost answer is settled after expiry too, and then nothing is written', async () => {
  const landed = await openWorld()
  landed.dc.state.fates = ['lost']
  landed.dc.state.beforeModify = () => {
    landed.dc.state.away = true
  }
  await landed.run()
  landed.clock.pass(310_000)
  landed.dc.state.away = false
  landed.hold()
  await landed.finish()
  expect(await landed.outcome()).toEqual(ended('applied'))
  const vanished = await openWorld()
  vanished.leaveIntent(undefined)
  vanished.clock.pass(310_000)
  vanished.hold()
  await vanished.finish()
  expect(await vanished.outcome()).toEqual(ended('expired'))
  expect(vanished.dc.state.calls).toEqual(['read', 'fence'])
})

test('an expired request ends without any call to the directory', async () => {
  const world = await openWorld()
  world.clock.pass(298_000)
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toMatchObject({ outcome: 'expired', server: null })
  expect([world.dc.state.calls, world.flags.receipts]).toEqual([[], []])
})

test('a directory that is away lets the queue wait, until the request expires', async () => {
  const world = await openWorld()
  world.dc.state.away = true
  expect(await world.run()).toMatchObject({ retryAfterMs: 777 })
  world.dc.state.away = false
  world.dc.state.fates = ['normal']
  await world.finish()
  expect([await world.outcome(), world.conditions.list()]).toEqual([ended('applied'), []])
})

test('an earlier holder’s write is excluded by a fence before this agent writes', async () => {
  const earlier = [{ agent: newId(), server: SERVER }]
  const world = await openWorld({ accepted: { earlier } })
  await world.finish()
  expect(await world.outcome()).toEqual(ended('applied'))
  expect(world.dc.state.calls).toEqual(['read', 'fence', 'read', 'write'])
  const landed = await openWorld({ accepted: { earlier } })
  landed.dc.edit({ marker: markerText({ requestId: landed.document.id, lease: 4 }) })
  await landed.finish()
  expect([await landed.outcome(), landed.dc.state.calls]).toEqual([ended('applied'), ['read']])
  const fenced = await openWorld({ accepted: { earlier } })
  fenced.dc.edit({ marker: markerText({ requestId: fenced.document.id, lease: 4, flag: 'fenced' }) })
  await fenced.finish()
  expect(fenced.dc.state.calls).toEqual(['read', 'fence', 'read', 'write'])
})

test('an earlier holder’s write on another server is waited for, then unknown', async () => {
  const world = await openWorld({ accepted: { earlier: [{ agent: newId(), server: OTHER_SERVER }] } })
  expect(await world.run()).toMatchObject({ laterMs: 1_000 })
  expect(world.dc.state.calls).not.toContain('write')
  expect(world.dc.state.calls).not.toContain('fence')
  world.clock.pass(360_000)
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toEqual(ended('unknown'))
})

test('an earlier holder’s write that arrives from another server is applied', async () => {
  const world = await openWorld({ accepted: { earlier: [{ agent: newId(), server: OTHER_SERVER }] } })
  await world.run()
  world.dc.edit({ marker: markerText({ requestId: world.document.id, lease: 4 }) })
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toEqual(ended('applied'))
})

test('the subject’s previous request on another server must arrive here first', async () => {
  const marker = markerText({ sequence: NOW - 9 })
  const world = await openWorld({ accepted: { last: { server: OTHER_SERVER, marker, settled: true } } })
  expect(await world.run()).toMatchObject({ laterMs: 1_000 })
  world.dc.edit({ marker })
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toEqual(ended('applied'))
})

test('a fence does not begin once the lease has run out', async () => {
  const world = await openWorld({ accepted: { earlier: [{ agent: newId(), server: SERVER }] } })
  world.dc.state.beforeModify = () => world.clock.pass(31_000)
  expect(await world.run()).toMatchObject({ laterMs: 500 })
  expect(world.dc.state.calls).not.toContain('fence')
})

test('before the store told its time nothing is given up by this host’s clock', async () => {
  for (const earlier of [[], [{ agent: newId(), server: SERVER }]]) {
    const world = await openWorld({ accepted: { earlier } })
    const known = world.parts.storeTime
    const fast = { ...createStoreTime(world.clock) }
    Object.assign(world.parts, { storeTime: fast })
    world.clock.shiftWall(400_000)
    expect(await world.run()).toMatchObject({ laterMs: 500 })
    world.clock.shiftWall(-400_000)
    Object.assign(world.parts, { storeTime: known })
    world.hold()
    await world.finish()
    expect(await world.outcome()).toEqual(ended('applied'))
  }
})

test('a server that is declared gone is waited for no more: settled and fenced here, then applied', async () => {
  const earlier = [{ agent: newId(), server: OTHER_SERVER }]
  const last = { server: OTHER_SERVER, marker: null, settled: false }
  const world = await openWorld({ accepted: { earlier, last } })
  expect(await world.run()).toMatchObject({ laterMs: 1_000 })
  world.flags.gone.add(OTHER_SERVER)
  await world.finish()
  expect(world.dc.state.calls.filter((call) => call !== 'read')).toEqual(['fence', 'write'])
  expect(await world.outcome()).toEqual(ended('applied'))
})

test('nothing is written on a server that is declared gone and answers all the same', async () => {
  const world = await openWorld()
  world.flags.gone.add(SERVER)
  expect(await world.run()).toMatchObject({ laterMs: 5_000 })
  expect(world.dc.state.calls).toEqual([])
  expect(world.conditions.list()).toMatchObject([{ code: 'server_declared_gone' }])
  world.flags.gone.clear()
  await world.finish()
  expect([await world.outcome(), world.conditions.list()]).toEqual([ended('applied'), []])
})

test('a higher lease in the marker ends the work in silence', async () => {
  for (const answer of [null, undefined]) {
    const world = await openWorld()
    if (answer === undefined) world.leaveIntent(undefined)
    world.dc.edit({ marker: markerText({ requestId: world.document.id, lease: 6, flag: 'fenced' }) })
    expect(await world.run()).toBe('done')
    expect([await world.outcome(), world.dc.state.effects, world.flags.reports]).toEqual([undefined, [], 0])
    expect(world.journal.counts()).toEqual({ open: 0, undelivered: 0, finished: 1 })
  }
})

test('a lease that the store took away ends the work in silence', async () => {
  const world = await openWorld()
  world.leases.lose({ request: world.document.id, lease: LEASE })
  expect(await world.run()).toBe('done')
  expect([await world.outcome(), world.dc.state.calls]).toEqual([undefined, []])
})

test('a lease that runs out right before the write lets nothing leave', async () => {
  const world = await openWorld()
  world.dc.state.beforeModify = () => world.clock.pass(30_000)
  expect(await world.run()).toMatchObject({ laterMs: 500 })
  expect([
    world.dc.state.calls.includes('write'),
    world.dc.state.handed.every((b) => !b.some(Boolean)),
  ]).toEqual([false, true])
  world.hold()
  expect(await world.run()).toBe('done')
  expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('applied'), 1])
})

test('no fence and no write without a lease', async () => {
  const world = await openWorld()
  world.leaveIntent('lost')
  world.clock.pass(30_000)
  expect(await world.run()).toMatchObject({ laterMs: 500 })
  expect(world.dc.state.calls).toEqual(['read'])
})

test('a request that expires, a pause or a revoked lease right before the write lets nothing leave', async () => {
  const expired = await openWorld()
  expired.dc.state.beforeModify = () => expired.clock.pass(298_000)
  await expired.run()
  expect([await expired.outcome(), expired.dc.state.effects]).toEqual([ended('expired'), []])
  const paused = await openWorld()
  paused.dc.state.beforeModify = () => {
    paused.flags.paused = true
  }
  expect(await paused.run()).toMatchObject({ laterMs: 1_000 })
  expect(paused.dc.state.effects).toEqual([])
})

test('while paused nothing begins, and what may have happened is settled all the same', async () => {
  const world = await openWorld()
  world.flags.paused = true
  expect(await world.run()).toMatchObject({ laterMs: 1_000 })
  expect(world.dc.state.calls).toEqual([])
  world.leaveIntent(undefined)
  world.dc.edit({ marker: markerText({ requestId: world.document.id }) })
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toEqual(ended('applied'))
})

test.each([
  ['store', 121_000],
  ['store', -121_000],
  ['directory', 123_000],
  ['directory', -123_000],
] as const)('a %s clock %d ms off fails the request before any write', async (whose, off) => {
  const world = await openWorld({ document: { expiresAt: NOW + 3_600_000 } })
  if (whose === 'directory') world.dc.state.aheadMs = off
  else world.parts.storeTime.observe({ sentMs: 1_000, answeredMs: 1_000, storeTime: NOW + off })
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toEqual(ended('failed', 'clock_skew'))
  expect(world.dc.state.effects).toEqual([])
  expect(world.conditions.list()).toMatchObject([
    { code: 'clock_skew', subject: whose === 'directory' ? DIRECTORY : '' },
  ])
})

test.each([
  ['issued', { issuedAt: NOW + 121_000 }, 'the document was issued in the future'],
  ['numbered', { sequence: NOW + 600_001 }, 'the document has a sequence of the future'],
])(
  'a request %s in the future is invalid, and nothing is written [issued_in_the_future]',
  async (_how, dates, detail) => {
    const world = await openWorld({ document: { expiresAt: NOW + 3_600_000, ...dates } })
    expect(await world.run()).toBe('done')
    const outcome = await world.outcome()
    expect(outcome).toEqual(ended('failed', 'request_invalid'))
    expect(outcome).toMatchObject({ detail })
    expect(world.dc.state.effects).toEqual([])
  },
)

test('a host that slept writes nothing before it has heard the store, and ends nothing for it', async () => {
  const world = await openWorld({ document: { expiresAt: NOW + 3_600_000 } })
  world.clock.shiftWall(600_000)
  expect(await world.run()).toMatchObject({ laterMs: expect.any(Number) })
  expect(world.dc.state.effects).toEqual([])
})

test('clocks 118 s apart change nothing', async () => {
  const world = await openWorld({ document: { expiresAt: NOW + 3_600_000 } })
  world.dc.state.aheadMs = 118_000
  await world.finish()
  expect(await world.outcome()).toEqual(ended('applied'))
})

test('somebody’s later change supersedes, and so does a newer request', async () => {
  const foreign = await openWorld({ account: { passwordVersion: { version: 9, changedAtMs: NOW + 3_000 } } })
  await foreign.finish()
  expect([await foreign.outcome(), foreign.dc.state.effects]).toEqual([ended('superseded'), []])
  const newer = await openWorld({ account: { marker: markerText({ sequence: NOW + 1 }) } })
  await newer.finish()
  expect([await newer.outcome(), newer.dc.state.effects]).toEqual([ended('superseded'), []])
})

test('a directory clock that is far off while the account is judged, and right again before the write, undoes nobody’s change', async () => {
  const changed = { passwordVersion: { version: 9, changedAtMs: NOW + 3_000 } }
  const world = await openWorld({ account: changed, document: { expiresAt: NOW + 3_600_000 } })
  world.dc.state.aheadMs = 200_000
  // Another request has asked the directory for its time meanwhile.
  world.dc.state.whenPolicyIsRead = () => {
    world.dc.state.aheadMs = 0
  }
  await world.finish()
  expect([await world.outcome(), world.dc.state.effects]).toEqual([ended('failed', 'clock_skew'), []])
})

test('where only pwdLastSet tells, our own fence does not make somebody’s later change ours', async () => {
  const changed = { passwordVersion: undefined, passwordSetAtMs: NOW + 3_000 }
  const world = await openWorld({ account: changed })
  world.leaveIntent(undefined)
  await world.finish()
  expect([await world.outcome(), world.dc.state.effects]).toEqual([ended('superseded'), []])
  expect(world.dc.state.calls).toContain('fence')
})

test('a newer request that hides a lost write: superseded only when the count of writes proves it', async () => {
  const newer = { sequence: NOW + 1, requestId: newId() }
  const hidden = async (version: number) => {
    const world = await openWorld()
    world.leaveIntent('lost')
    const passwordVersion = { version, changedAtMs: NOW }
    world.dc.edit({ marker: markerText({ ...newer, passwordVersion: version }), passwordVersion })
    await world.finish()
    return world.outcome()
  }
  // Not written at all since: the newer one was an unlock.
  expect(await hidden(4)).toEqual(ended('superseded'))
  // Written once: by the newer request, or by ours before a newer unlock.
  expect(await hidden(5)).toEqual(ended('unknown'))
})

test('a marker nobody of this system wrote is left alone and named', async () => {
  for (const marker of ['Help desk note', markerText({ sequence: NOW + 700_000 })]) {
    const world = await openWorld({ account: { marker } })
    await world.finish()
    expect([await world.outcome(), world.dc.account()?.marker]).toEqual([
      ended('failed', 'marker_implausible'),
      marker,
    ])
    expect(world.conditions.list().map(({ code }) => code)).toEqual(['marker_implausible'])
    const doubtful = await openWorld({ account: { marker } })
    doubtful.leaveIntent(undefined)
    await doubtful.finish()
    expect(await doubtful.outcome()).toEqual(ended('unknown'))
  }
})

test('another store’s marker is replaced by compare-and-set', async () => {
  const world = await openWorld({ account: { marker: markerText({ store: '00000000' }).toUpperCase() } })
  await world.finish()
  expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('applied'), 1])
})

test.each<[string, Partial<Account>, string]>([
  ['protected', { adminCount: true }, 'account_protected'],
  ['out of scope', { dn: 'CN=x,OU=Staff,DC=corp,DC=test' }, 'account_out_of_scope'],
  ['gone', { objectGuid: newId() }, 'account_not_found'],
])('an account that is %s is refused without a write', async (_what, account, reason) => {
  const world = await openWorld({ account })
  await world.finish()
  expect([await world.outcome(), world.dc.state.calls]).toEqual([ended('refused', reason), ['read']])
})

test('an account that goes away while a write is in doubt leaves unknown', async () => {
  const world = await openWorld()
  world.leaveIntent(undefined)
  world.dc.edit(undefined)
  await world.finish()
  expect(await world.outcome()).toMatchObject({ outcome: 'unknown', detail: 'the account is gone' })
})

test.each(['now', 'expired', 'beyond settling', 'server away'])(
  'a write that was accepted before the process ended is applied: %s',
  async (when) => {
    const world = await openWorld()
    const { markerAfter } = world.leaveIntent('accepted')
    world.dc.edit({ marker: markerAfter, passwordVersion: { version: 5, changedAtMs: NOW } })
    if (when === 'expired') world.clock.pass(310_000)
    if (when === 'beyond settling') world.clock.pass(400_000)
    if (when === 'server away') world.dc.state.away = true
    expect(await world.run()).toBe('done')
    expect(await world.outcome()).toMatchObject({ outcome: 'applied', server: SERVER, marker: markerAfter })
    expect(world.dc.state.calls).not.toContain('fence')
  },
)

test('an accepted write stays applied, and is not repeated, whatever came over it', async () => {
  const newer = markerText({ sequence: NOW + 1, requestId: newId(), passwordVersion: 6 })
  const other = markerText({ store: '00000000' })
  const higher = { lease: 9, flag: 'fenced' } as const
  for (const marker of [newer, other, undefined, 'Help desk note', higher]) {
    const world = await openWorld()
    world.leaveIntent('accepted')
    const text = typeof marker === 'object' ? markerText({ ...marker, requestId: world.document.id }) : marker
    world.dc.edit({ marker: text })
    expect(await world.run()).toBe('done')
    expect([await world.outcome(), world.dc.state.effects]).toEqual([ended('applied'), []])
  }
})

test('the seventh start that never came back is the last', async () => {
  const world = await openWorld()
  for (let starts = 0; starts < 6; starts += 1) world.journal.started(world.document.id)
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toEqual(ended('failed', 'internal'))
  expect(world.dc.state.calls).toEqual([])
  const survivor = await openWorld()
  for (let starts = 0; starts < 5; starts += 1) survivor.journal.started(survivor.document.id)
  await survivor.finish()
  expect(await survivor.outcome()).toEqual(ended('applied'))
})

test('a request that ends the process in its write is settled, and not written a seventh time', async () => {
  const world = await openWorld()
  for (let starts = 0; starts < 6; starts += 1) {
    world.journal.started(world.document.id)
    world.leaveIntent(undefined)
  }
  await world.finish()
  expect(await world.outcome()).toEqual(ended('failed', 'internal'))
  expect([world.dc.state.calls, world.dc.state.effects]).toEqual([['read', 'fence'], []])
})

test('resting does not count as an end of the process', async () => {
  const world = await openWorld()
  world.dc.state.away = true
  for (let round = 0; round < 10; round += 1) await world.run()
  world.dc.state.away = false
  await world.finish()
  expect(await world.outcome()).toEqual(ended('applied'))
})

test('a request that ended the process is not forgiven because it rested for a lease after the restart', async () => {
  const world = await openWorld()
  const dieInTheMiddle = () => world.journal.started(world.document.id)
  for (let deaths = 0; deaths < 5; deaths += 1) {
    dieInTheMiddle()
    world.leases.drop({ request: world.document.id, lease: LEASE })
    expect(await world.run()).toEqual({ kind: 'rest', laterMs: 500 })
  }
  dieInTheMiddle()
  world.hold()
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toEqual(ended('failed', 'internal'))
})

test.each(['reset', 'unlock'] as const)(
  'a %s whose process ended before its outcome was kept says the same beside applied',
  async (operation) => {
    const account = { disabled: true, locked: true }
    const world = await openWorld({ account, ...(operation === 'unlock' ? { operation } : {}) })
    world.dc.state.history = 'not_enforced'
    const keep = world.journal.outcome
    const dying = Object.assign(world.journal, {
      outcome: () => {
        throw new WritebackError('ERR_JOURNAL_UNUSABLE', 'the process ends here')
      },
    })
    await expect(world.run()).rejects.toThrow('the process ends here')
    Object.assign(dying, { outcome: keep })
    expect(await world.run()).toBe('done')
    expect((await world.outcome())?.notices).toEqual(
      operation === 'unlock'
        ? ['account_disabled']
        : ['history_not_enforced', 'account_disabled', 'old_password_may_work'],
    )
    expect(world.dc.state.effects).toHaveLength(1)
  },
)

test('requests that were there when the process ended are carried out one at a time, so that only the deadly one pays', async () => {
  const world = await openWorld()
  const other = { requestId: 'another request', directory: DIRECTORY }
  world.journal.started(world.document.id)
  world.parts.suspects.enter({ ...other, directory: 'another directory' })
  world.parts.suspects.enter(other)
  expect(await world.run()).toEqual({ laterMs: expect.any(Number) })
  expect(world.journal.find(world.document.id)?.crashStarts).toBe(1)
  world.parts.suspects.leave(other)
  expect(await world.run()).toBe('done')
  expect(await world.outcome()).toEqual(ended('applied'))
  const clean = await openWorld()
  clean.parts.suspects.enter(other)
  expect(await clean.run()).toBe('done')
})

test('a sealed value of another key, a tampered one, or a NUL in the password fails before any write', async () => {
  const foreign = await makeParties()
  const base = await resetOf(parties, { nowMs: NOW })
  const { ciphertext } = base.sealed
  const tampered = `${ciphertext.startsWith('A') ? 'B' : 'A'}${ciphertext.slice(1)}`
  const cases: Partial<ResetDocument>[] = [
    { ...base, sealed: await sealFor(foreign, base, 'Correct-Horse-7') },
    { ...base, sealed: { ...base.sealed, ciphertext: tampered } },
    { ...base, sealed: await sealedForeign(parties, base, Buffer.from('half\0word')) },
    { ...base, sealed: await sealedForeign(parties, base, Buffer.from([0xed, 0xa0, 0x80])) },
  ]
  for (const document of cases) {
    const world = await openWorld({ document })
    expect(await world.run()).toBe('done')
    expect(await world.outcome()).toEqual(ended('failed', 'request_invalid'))
    expect([world.dc.state.calls, world.dc.state.effects]).toEqual([['read'], []])
  }
})

test('a journaled document whose key is trusted no more ends instead of failing for ever', async () => {
  const foreign = await makeParties()
  const base = await resetOf(parties, { nowMs: NOW })
  const accepted = { document: await signedBy(foreign, base) }
  const world = await openWorld({ document: base, accepted })
  await world.finish()
  expect([await world.outcome(), world.dc.state.calls]).toEqual([ended('failed', 'request_invalid'), []])
  const doubtful = await openWorld({ document: base, accepted })
  doubtful.leaveIntent(undefined)
  await doubtful.finish()
  expect(await doubtful.outcome()).toEqual(ended('unknown'))
})

test('an unknown, closed or released request is done', async () => {
  const world = await openWorld()
  expect(await processRequest(world.parts, newId(), new AbortController().signal)).toBe('done')
  world.journal.release(world.document.id, LEASE, NOW)
  expect([await world.run(), world.dc.state.calls]).toEqual(['done', []])
})

test('nothing is sent before its intent is on the disk, and nothing reported before its outcome is', async () => {
  const world = await openWorld()
  const disk = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let waits = 0
  world.flags.disk = () => disk[waits++]?.promise ?? Promise.resolve()
  const running = world.run()
  await until(() => waits === 1)
  expect([world.dc.state.calls, world.journal.intents(world.document.id).length]).toEqual([['read'], 1])
  disk[0]?.resolve()
  await until(() => waits === 2)
  expect([world.dc.state.effects.length, world.flags.reports]).toEqual([1, 0])
  disk[1]?.resolve()
  expect([await running, world.flags.reports]).toEqual(['done', 1])
})

test('an intent that cannot be put on the disk is not sent, counts no write, and is tried again', async () => {
  const world = await openWorld({ limits: { perAccountAndHour: 1 } })
  let isFull = true
  world.flags.disk = async () => {
    if (!isFull) return
    isFull = false
    throw new WritebackError('ERR_JOURNAL_UNUSABLE', 'no disk', { retry: 'later' })
  }
  await world.finish()
  expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('applied'), 1])
  expect(world.journal.intents(world.document.id).map(({ answer }) => answer)).toEqual([
    'not_sent',
    'accepted',
  ])
})

test('while the disk fails, a request tries one write or one fence a second', async () => {
  for (const isInDoubt of [false, true]) {
    const world = await openWorld()
    if (isInDoubt) world.leaveIntent('lost')
    const before = world.journal.intents(world.document.id).length
    world.flags.disk = async () => {
      throw new WritebackError('ERR_JOURNAL_UNUSABLE', 'no disk', { retry: 'later' })
    }
    expect(await world.run()).toMatchObject({ laterMs: 1_000 })
    const tried = world.journal.intents(world.document.id).slice(before)
    expect(tried.map(({ kind, answer }) => [kind, answer])).toEqual([
      [isInDoubt ? 'fence' : 'write', 'not_sent'],
    ])
  }
})
