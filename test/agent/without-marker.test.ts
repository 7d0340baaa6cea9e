// An account whose marker the service account may not write: refused by default; where the configuration allows it, written
// without a marker, one write at a time, and a lost answer is settled by proof or told as unknown.
import { afterEach, expect, test } from '@jest/globals'
import { judgeUnmarked } from '../../src/agent/decisions/judge-unmarked.ts'
import type { Intent } from '../../src/agent/journal/journal.ts'
import { createLanes } from '../../src/agent/writeback/lanes.ts'
import { createManualClock } from '../fakes/manual-clock.ts'
import {
  closeWorlds,
  ended,
  LEASE,
  markerText,
  NOW,
  openWorld,
  QUARANTINE_MS,
  type Wish,
} from './request-world.ts'
import { accountOf, OTHER_SERVER, SERVER } from './sample-requests.ts'

afterEach(closeWorlds)

/** A world whose service account may not write markers; it may write without them. */
async function openUnmarked(wish: Wish = {}) {
  const world = await openWorld({ withoutMarker: 'version', ...wish })
  world.dc.state.holdsMarkerRight = false
  return world
}
const codes = (world: Awaited<ReturnType<typeof openWorld>>) =>
  world.conditions.list().map(({ code }) => code)
const VERSION_BEFORE = 4
const NEWER = markerText({ sequence: NOW + 5 })
const changedAt = (atMs: number, version = VERSION_BEFORE + 1) => ({
  passwordVersion: { version, changedAtMs: atMs },
})

test.each<Wish>([{}, { operation: 'change' }, { operation: 'unlock' }])(
  'by default nothing is written, and the missing grant is told: %j',
  async (wish) => {
    const world = await openWorld({ ...wish, account: { locked: wish.operation === 'unlock' } })
    world.dc.state.holdsMarkerRight = false
    await world.finish()
    expect(await world.outcome()).toMatchObject({
      ...{ outcome: 'failed', reason: 'missing_right' },
      detail: 'the service account may not write the marker; grant it with: dsacls …',
    })
    expect([world.dc.state.effects, codes(world)]).toEqual([[], ['marker_not_writable']])
  },
)

test.each<Wish>([{}, { operation: 'change' }, { operation: 'unlock' }])(
  'where it is allowed, one write without a marker is applied: %j',
  async (wish) => {
    const world = await openUnmarked({ ...wish, account: { locked: wish.operation === 'unlock' } })
    await world.finish()
    expect(await world.outcome()).toMatchObject({ outcome: 'applied', marker: null, server: SERVER })
    expect(world.dc.state.effects).toEqual([expect.objectContaining({ marker: '' })])
    expect(codes(world)).toEqual(['marker_not_writable'])
    expect(world.journal.intents(world.document.id).at(-1)).toMatchObject({
      ...{ withoutMarker: true, answer: 'accepted', passwordVersionBefore: VERSION_BEFORE },
    })
  },
)

test('the condition ends when the right is there again', async () => {
  const world = await openUnmarked()
  world.conditions.raise('marker_not_writable', 'corp', 'told before')
  world.dc.state.holdsMarkerRight = true
  await world.finish()
  expect([await world.outcome(), codes(world)]).toEqual([ended('applied'), []])
  expect(world.dc.account()?.marker).toBe(markerText({ requestId: world.document.id }))
})

test('without the other rights it is missing_right, not a second try', async () => {
  const world = await openUnmarked()
  world.dc.state.fates = [{ refuse: 'missing_right' }, { refuse: 'missing_right' }]
  await world.finish()
  expect([await world.outcome(), world.dc.state.effects]).toEqual([ended('failed', 'missing_right'), []])
  expect(world.dc.state.calls.filter((call) => call === 'write')).toHaveLength(2)
})

test('a lost answer: no other write before the quarantine is over, then the truth', async () => {
  const world = await openUnmarked()
  world.dc.state.fates = [{ refuse: 'missing_right' }, 'lost']
  const began = world.clock.monotonicMs()
  await world.finish()
  expect(world.clock.monotonicMs() - began).toBeGreaterThanOrEqual(QUARANTINE_MS)
  // The password was written once since: by this request, or by somebody else. Nobody can tell.
  expect(await world.outcome()).toMatchObject({ outcome: 'unknown', server: SERVER, marker: null })
  expect(world.dc.state.effects).toHaveLength(1)
})

test('a lost write that did not land is tried again after the quarantine, with one effect', async () => {
  const world = await openUnmarked()
  world.dc.state.fates = [{ refuse: 'missing_right' }, 'vanished']
  await world.finish()
  expect(world.clock.wallMs() - NOW).toBeGreaterThanOrEqual(QUARANTINE_MS)
  expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('applied'), 1])
})

test('a lost write that did not land and came too late to try again is expired', async () => {
  const world = await openUnmarked({ document: { expiresAt: NOW + 100_000 } })
  world.dc.state.fates = [{ refuse: 'missing_right' }, 'vanished']
  await world.finish()
  expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('expired'), 0])
})

test('a write that lands during the quarantine is not repeated', async () => {
  const world = await openUnmarked()
  world.dc.state.fates = [{ refuse: 'missing_right' }, 'late']
  let rests = 0
  await world.finish(() => {
    rests += 1
    if (rests === 10) world.dc.arrive()
  })
  expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('unknown'), 1])
})

test('a foreign change during the doubt is not taken for ours', async () => {
  const world = await openUnmarked()
  world.dc.state.fates = [{ refuse: 'missing_right' }, 'vanished']
  let changed = false
  await world.finish(() => {
    if (!changed) world.dc.edit(changedAt(NOW + 30_000))
    changed = true
  })
  expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('unknown'), 0])
})

test('a lost unlock: applied where nothing is locked, tried again where the lockout is older than the request', async () => {
  const locked = { locked: true, lockedAtMs: NOW - 60_000 }
  for (const fate of ['lost', 'vanished'] as const) {
    const world = await openUnmarked({ operation: 'unlock', account: locked })
    world.dc.state.fates = [{ refuse: 'missing_right' }, fate]
    await world.finish()
    expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('applied'), 1])
  }
  const again = await openUnmarked({ operation: 'unlock', account: locked })
  again.dc.state.fates = [{ refuse: 'missing_right' }, 'lost']
  await again.finish(() => again.dc.edit({ locked: true, lockedAtMs: NOW + 20_000 }))
  expect([await again.outcome(), again.dc.state.effects.length]).toEqual([ended('unknown'), 1])
})

test('after a crash the intent of an unmarked write is settled the same way, also when markers can be written again', async () => {
  for (const holdsMarkerRight of [false, true]) {
    const world = await openUnmarked()
    world.dc.state.holdsMarkerRight = holdsMarkerRight
    world.leaveIntent(undefined, { withoutMarker: true })
    await world.finish()
    expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('applied'), 1])
    expect(world.clock.wallMs() - NOW).toBeGreaterThanOrEqual(QUARANTINE_MS)
    expect(world.dc.state.calls).not.toContain('fence')
  }
  const confirmed = await openUnmarked()
  confirmed.leaveIntent('accepted', { withoutMarker: true })
  await confirmed.finish()
  expect(await confirmed.outcome()).toMatchObject({ outcome: 'applied', marker: null })
})

test('what another agent may have sent: not applied is proven by an old password, else unknown', async () => {
  const earlier = [{ agent: 'other', server: SERVER }]
  const old = await openUnmarked({ accepted: { earlier } })
  await old.finish()
  expect([await old.outcome(), old.dc.state.effects.length]).toEqual([ended('applied'), 1])
  const changed = await openUnmarked({ accepted: { earlier }, account: changedAt(NOW + 20_000) })
  await changed.finish()
  expect([await changed.outcome(), changed.dc.state.effects.length]).toEqual([ended('unknown'), 0])
  const elsewhere = await openUnmarked({
    document: { expiresAt: NOW - 40_000 },
    accepted: { earlier: [{ agent: 'other', server: OTHER_SERVER }] },
  })
  await elsewhere.finish()
  expect([await elsewhere.outcome(), elsewhere.dc.state.effects.length]).toEqual([ended('unknown'), 0])
})

test('what another agent may have sent without a marker is no fence to settle, also where markers can be written', async () => {
  const earlier = [{ agent: 'other', server: SERVER }]
  for (const fields of [changedAt(NOW + 20_000), { ...changedAt(NOW + 20_000), marker: NEWER }]) {
    const landed = await openUnmarked({ accepted: { earlier }, account: fields })
    landed.dc.state.holdsMarkerRight = true
    await landed.finish()
    expect([await landed.outcome(), landed.dc.state.effects]).toEqual([ended('unknown'), []])
    expect(landed.dc.state.calls).not.toContain('fence')
  }
  const late = await openUnmarked({ accepted: { earlier } })
  late.dc.state.holdsMarkerRight = true
  let rests = 0
  await late.finish(() => {
    rests += 1
    if (rests === 10) late.dc.edit(changedAt(NOW + 50_000))
  })
  expect([await late.outcome(), late.dc.state.effects]).toEqual([ended('unknown'), []])
  const nothing = await openUnmarked({ accepted: { earlier } })
  nothing.dc.state.holdsMarkerRight = true
  await nothing.finish()
  expect([await nothing.outcome(), nothing.dc.state.effects.length]).toEqual([ended('applied'), 1])
  expect(nothing.clock.wallMs() - NOW).toBeGreaterThanOrEqual(QUARANTINE_MS)
  // The other agent may have sent a marker as well.
  expect(nothing.dc.state.calls).toContain('fence')
})

test('the previous request of the account: waited for when unsettled, never passed on another server', async () => {
  const last = { server: SERVER, marker: null, settled: false }
  const unsettled = await openUnmarked({ accepted: { last } })
  await unsettled.finish()
  expect(await unsettled.outcome()).toEqual(ended('applied'))
  expect(unsettled.clock.wallMs() - NOW).toBeGreaterThanOrEqual(QUARANTINE_MS)
  const settled = await openUnmarked({ accepted: { last: { ...last, settled: true } } })
  await settled.finish()
  expect([await settled.outcome(), settled.clock.wallMs() - NOW]).toEqual([ended('applied'), 0])
  const moved = await openUnmarked({
    document: { expiresAt: NOW + 20_000 },
    accepted: { last: { ...last, server: OTHER_SERVER, settled: true } },
  })
  await moved.finish()
  expect([await moved.outcome(), moved.dc.state.effects]).toEqual([ended('expired'), []])
  const hidden = await openUnmarked({
    accepted: { last: { ...last, marker: markerText({}), settled: true } },
  })
  await hidden.finish()
  expect([await hidden.outcome(), hidden.dc.state.effects]).toEqual([
    ended('failed', 'marker_unreadable'),
    [],
  ])
})

test('an older request of ours that was applied after this one was issued does not cancel it', async () => {
  const account = changedAt(NOW + 20_000)
  const foreign = await openUnmarked({ account })
  await foreign.finish()
  expect(await foreign.outcome()).toEqual(ended('superseded'))
  for (const [sequence, outcome] of [
    [NOW - 5, 'applied'],
    [NOW + 5, 'superseded'],
  ] as const) {
    const world = await openUnmarked({ account })
    const id = '0a0a0a0a-0000-7000-8000-000000000001'
    world.journal.accept([{ ...world.accepted, requestId: id, sequence }])
    const intent = {
      requestId: id,
      n: 1,
      lease: LEASE,
      kind: 'write',
      server: SERVER,
      markerBefore: undefined,
    } as const
    world.journal.intent({
      ...intent,
      markerAfter: markerText({}),
      passwordVersionBefore: VERSION_BEFORE,
      startedAtMs: NOW,
      effect: 'reset',
      notices: [],
      withoutMarker: true,
    })
    world.journal.answer(id, 1, 'accepted')
    await world.finish()
    expect(await world.outcome()).toEqual(ended(outcome))
  }
})

test('a password that was set on another server is not ours, though our older request counted to the same version', async () => {
  for (const [origin, outcome] of [
    [SERVER, 'applied'],
    [OTHER_SERVER, 'superseded'],
  ] as const) {
    const passwordVersion = { version: VERSION_BEFORE + 1, changedAtMs: NOW + 20_000, origin }
    const world = await openUnmarked({ account: { passwordVersion } })
    leaveOther(world, 'accepted', { passwordVersionBefore: VERSION_BEFORE, startedAtMs: NOW - QUARANTINE_MS })
    await world.finish()
    expect(await world.outcome()).toEqual(ended(outcome))
  }
})

test('an unsettled write of the previous request that left no marker is waited for, also where markers can be written', async () => {
  const last = { server: SERVER, marker: null, settled: false }
  const world = await openUnmarked({ accepted: { last } })
  world.dc.state.holdsMarkerRight = true
  await world.finish()
  expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('applied'), 1])
  expect(world.clock.wallMs() - NOW).toBeGreaterThanOrEqual(QUARANTINE_MS)
  const late = await openUnmarked({ accepted: { last } })
  late.dc.state.holdsMarkerRight = true
  let rests = 0
  await late.finish(() => {
    rests += 1
    if (rests === 10) late.dc.edit(changedAt(NOW + 50_000))
  })
  // Whose change that was nobody knows: a newer password is not undone.
  expect([await late.outcome(), late.dc.state.effects]).toEqual([ended('superseded'), []])
  for (const [server, settled] of [
    [OTHER_SERVER, false],
    [SERVER, true],
  ] as const) {
    const free = await openUnmarked({ accepted: { last: { server, marker: null, settled } } })
    free.dc.state.holdsMarkerRight = true
    free.flags.gone.add(OTHER_SERVER)
    await free.finish()
    expect([await free.outcome(), free.clock.wallMs() - NOW]).toEqual([ended('applied'), 0])
  }
})

test('an unmarked write that the journal does not know the end of is waited for, whatever the store says of it', async () => {
  const last = { server: SERVER, marker: null, settled: true }
  for (const withoutMarker of ['version', undefined] as const)
    for (const answer of [undefined, 'lost']) {
      const world = await openWorld({ accepted: { last }, ...(withoutMarker ? { withoutMarker } : {}) })
      world.dc.state.holdsMarkerRight = withoutMarker === undefined
      leaveOther(world, answer, {})
      await world.finish()
      expect([await world.outcome(), world.dc.state.effects.length]).toEqual([ended('applied'), 1])
      const waitedMs = world.clock.wallMs() - NOW
      expect(waitedMs).toBeGreaterThanOrEqual(QUARANTINE_MS)
      expect(waitedMs).toBeLessThan(QUARANTINE_MS + 10_000)
    }
  for (const [answer, fields] of [
    ['refused:busy:51', {}],
    ['lost', { startedAtMs: NOW - QUARANTINE_MS }],
    ['lost', { withoutMarker: false }],
  ] as const) {
    const world = await openUnmarked({ accepted: { last } })
    leaveOther(world, answer, fields)
    await world.finish()
    expect([await world.outcome(), world.clock.wallMs() - NOW]).toEqual([ended('applied'), 0])
  }
})

/** The journal holds an older request of the account: its only write ended so, and its outcome is delivered. */
function leaveOther(
  world: Awaited<ReturnType<typeof openWorld>>,
  answer: string | undefined,
  fields: Partial<Intent>,
): void {
  const requestId = '0a0a0a0a-0000-7000-8000-000000000001'
  world.journal.accept([{ ...world.accepted, requestId, sequence: NOW - 5 }])
  world.leaveIntent(undefined, { requestId, n: 1, withoutMarker: true, ...fields })
  if (answer !== undefined) world.journal.answer(requestId, 1, answer)
  world.journal.outcome({ requestId, outcome: 'unknown', bytes: 'signed', atMs: NOW })
  world.journal.delivered([{ requestId, answer: 'accepted' }], NOW)
}

test('a newer lease has a quarantine of its own, though the earlier holders read the same', async () => {
  const earlier = [{ agent: 'other', server: SERVER }]
  const world = await openUnmarked({ accepted: { earlier } })
  world.flags.paused = true
  for (let rests = 0; rests < 30; rests += 1) {
    await world.run()
    world.clock.pass(5_000)
    world.hold()
  }
  const began = world.clock.wallMs()
  const lease = LEASE + 2
  world.journal.accept([{ ...world.accepted, lease }])
  world.flags.paused = false
  const holdAgain = () =>
    world.leases.confirm({ request: world.document.id, lease }, world.clock.monotonicMs())
  holdAgain()
  await world.finish(holdAgain)
  expect(world.clock.wallMs() - began).toBeGreaterThanOrEqual(QUARANTINE_MS)
  expect(await world.outcome()).toEqual(ended('applied'))
})

test('a version that is a time in seconds proves neither that nothing was written nor that it was us', async () => {
  const seconds = (atMs: number) =>
    ({
      passwordVersion: { version: atMs / 1_000, changedAtMs: atMs, counts: 'seconds' },
    }) as const
  const doubt = { unanswered: [{ n: 1, server: SERVER, passwordVersionBefore: NOW / 1_000 }], earlier: [] }
  const request = { operation: 'reset', issuedAtMs: NOW } as const
  expect(judgeUnmarked(accountOf(seconds(NOW)), doubt, request)).toBe('undecided')
  expect(judgeUnmarked(accountOf(seconds(NOW - 3_000)), doubt, request)).toBe('unapplied')
  // Our older request was applied within the second; a second later somebody else changed the password.
  const world = await openUnmarked({ account: seconds(NOW + 21_000) })
  leaveOther(world, 'accepted', { passwordVersionBefore: NOW / 1_000 + 20 })
  await world.finish()
  expect([await world.outcome(), world.dc.state.effects]).toEqual([ended('superseded'), []])
})

test('a write that was refused for the missing right does not count, and is not tried again by the same request', async () => {
  const world = await openUnmarked({ limits: { perAccountAndHour: 1 } })
  // Another account of the directory holds the right, and ends the condition at once.
  const { raise, clear } = world.conditions
  Object.assign(world.conditions, {
    raise: (...told: Parameters<typeof raise>) => {
      raise(...told)
      clear(told[0], told[1])
    },
  })
  await world.finish()
  expect(await world.outcome()).toEqual(ended('applied'))
  expect(world.dc.state.calls.filter((call) => call === 'write')).toHaveLength(2)
  expect(world.journal.recentWrites(NOW - 1)).toHaveLength(1)
})

test('a fence that was refused for the missing right does not count', async () => {
  const earlier = [{ agent: 'other', server: SERVER }]
  const world = await openUnmarked({ accepted: { earlier }, limits: { perAccountAndHour: 1 } })
  await world.finish()
  expect([await world.outcome(), world.dc.state.calls]).toEqual([
    ended('applied'),
    expect.arrayContaining(['fence', 'write']),
  ])
})

test('metadata that cannot be read proves nothing', () => {
  const request = { operation: 'reset', issuedAtMs: NOW } as const
  const doubt = { unanswered: [{ n: 1, server: SERVER, passwordVersionBefore: undefined }], earlier: [] }
  const verdict = (fields: Parameters<typeof accountOf>[0]) =>
    judgeUnmarked(accountOf(fields), doubt, request)
  expect(verdict({ passwordVersion: undefined })).toBe('undecided')
  expect(verdict({ passwordVersion: { version: 4, changedAtMs: NOW } })).toBe('undecided')
  expect(verdict({ passwordVersion: { version: 4, changedAtMs: NOW - 2_001 } })).toBe('unapplied')
})

test('a lane holds one write, and a quarantine ends only for a read after it', () => {
  const clock = createManualClock(NOW)
  const lanes = createLanes(clock, 1_000)
  const leave = lanes.enter('ada')
  expect([lanes.enter('ada'), typeof lanes.enter('bob')]).toEqual([undefined, 'function'])
  leave?.()
  expect(lanes.enter('ada')).toBeDefined()
  expect(lanes.remainingMs('a')).toBe(1_000)
  clock.pass(999)
  expect(lanes.remainingMs('a')).toBe(1)
  clock.pass(1)
  expect([lanes.remainingMs('a'), lanes.remainingMs('a')]).toEqual([1, 0])
})
