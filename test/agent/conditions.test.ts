// What is wrong now: causes before consequences, and the conditions that are looked for on the clock.
import { afterAll, expect, test } from '@jest/globals'
import { createJournal } from '../../src/agent/journal/create-journal.ts'
import { watchBacklog } from '../../src/agent/watch-backlog.ts'
import { watchClock } from '../../src/agent/watch-clock.ts'
import { readFreeBytes, watchDisk } from '../../src/agent/watch-disk.ts'
import { createProbeWatch } from '../../src/agent/watch-probes.ts'
import { systemClock } from '../../src/clock/clock.ts'
import {
  CONDITIONS,
  type ConditionCode,
  type ConditionRule,
  createConditions,
} from '../../src/telemetry/conditions.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'

const directory = makeScratchDirectory()
afterAll(() => removeScratchDirectory(directory))

let now = 1_000_000_000
const fresh = () => createConditions({ clock: { ...systemClock, wallMs: () => now }, log: silentLogger })
const RULES = Object.entries<ConditionRule>(CONDITIONS)

test('every condition follows only from conditions that there are, and never from itself', () => {
  const causesOf = (code: string): readonly string[] =>
    (RULES.find(([one]) => one === code)?.[1].dependsOn ?? []).flatMap((one) => [one, ...causesOf(one)])
  for (const [code] of RULES) {
    expect(causesOf(code).filter((one) => !(one in CONDITIONS))).toEqual([])
    expect(causesOf(code)).not.toContain(code)
  }
})

test('causes come first, then errors, then what has lasted longest; what follows says from what', () => {
  const conditions = fresh()
  const raised: readonly [ConditionCode, string][] = [
    ['history_not_enforced', 'corp'],
    ['marker_implausible', 'corp/019aa5b8'],
    ['history_not_enforced', 'other'],
    ['history_not_enforceable', 'corp'],
    ['audit_not_forwarded', ''],
    ['requests_waiting', 'corp'],
    ['breaker_open', 'other'],
    ['directory_unreachable', 'corp'],
  ]
  for (const [code, subject] of raised) {
    conditions.raise(code, subject, '')
    now += 1
  }
  expect(conditions.list().map((one) => [`${one.code} ${one.subject}`, ...one.dependsOn])).toEqual([
    ['breaker_open other'],
    ['directory_unreachable corp'],
    ['history_not_enforced other'],
    ['audit_not_forwarded '],
    ['history_not_enforceable corp', 'directory_unreachable'],
    ['history_not_enforced corp', 'directory_unreachable'],
    ['marker_implausible corp/019aa5b8', 'directory_unreachable'],
    ['requests_waiting corp', 'directory_unreachable'],
  ])
  conditions.clear('directory_unreachable', 'corp')
  expect(conditions.list().filter(({ dependsOn }) => dependsOn.length > 0)).toEqual([])
})

test('what concerns every directory follows from one of them, and one of them from what concerns all', () => {
  const conditions = fresh()
  conditions.raise('outcomes_waiting', '', '')
  conditions.raise('outcome_not_delivered', '', '')
  conditions.raise('requests_waiting', 'corp', '')
  conditions.raise('store_refuses_agent', '', '')
  expect(conditions.list().map(({ code, dependsOn }) => [code, ...dependsOn])).toEqual([
    ['store_refuses_agent'],
    ['outcomes_waiting', 'outcome_not_delivered', 'store_refuses_agent'],
    ['outcome_not_delivered', 'store_refuses_agent'],
    ['requests_waiting', 'store_refuses_agent'],
  ])
})

const requestOf = (requestId: string, subject: string, sequence: number) => ({
  ...{ requestId, directory: 'corp', subject, sequence, lease: 1, document: 'x' },
  ...{ expiresAtMs: now + 300_000, earlier: [], last: null },
})

test('requests that wait for two minutes and outcomes that wait for one are told of, and no longer than that', () => {
  const journal = createJournal(directory)
  const conditions = fresh()
  const look = (afterMs: number) => {
    const storeTime = { nowMs: () => now + afterMs }
    watchBacklog({ journal, conditions, storeTime, directories: new Map([['corp', {}]]) } as never)
    return conditions.list().map(({ code, detail }) => `${code}: ${detail}`)
  }
  expect(look(1e9)).toEqual([])
  // The second is an inspection, which has no sequence.
  journal.accept([requestOf('r1', 'a', now), requestOf('r2', 'b', 0)])
  expect(look(120_000)).toEqual([])
  expect(look(120_001)).toEqual(['requests_waiting: 1 open, the oldest for 120 s'])
  journal.outcome({ requestId: 'r1', outcome: 'expired', bytes: 'signed', atMs: now })
  expect(look(60_000)).toEqual([])
  expect(look(60_001)).toEqual(['outcomes_waiting: 1 not confirmed, the oldest for 60 s'])
  journal.delivered([{ requestId: 'r1', answer: 'accepted' }], now)
  expect(look(1e9)).toEqual([])
  journal.close()
})

test('a disk is low below 512 MiB and full below 16 MiB, as the file system counts', async () => {
  expect(await readFreeBytes(directory)).toBeGreaterThan(0)
  const conditions = fresh()
  for (const [megabytes, expected] of [
    [512, undefined],
    [511, 'disk_low'],
    [15, 'disk_full'],
    [16, 'disk_low'],
    [4000, undefined],
  ] as const) {
    await watchDisk(directory, conditions, async () => megabytes * 1024 * 1024)
    expect(conditions.list()[0]?.code).toBe(expected)
    expect(conditions.list().length).toBe(expected ? 1 : 0)
  }
})

test('a store whose time is not known is no clock that differs', async () => {
  const conditions = fresh()
  const state = { skewed: false, uncertain: true }
  const storeTime = {
    ...{ isSkewed: () => state.skewed, isUncertain: () => state.uncertain, isComparable: () => true },
    offsetMs: () => 121_000,
  }
  const look = async () => {
    await watchClock({ storeTime, conditions } as never, async () => {})
    return conditions.list().map(({ code }) => code)
  }
  expect(await look()).toEqual(['store_time_unknown'])
  state.skewed = true
  expect(await look()).toEqual(['clock_skew'])
  state.skewed = state.uncertain = false
  expect(await look()).toEqual([])
})

const PROBED = '0199c0de-0000-4000-8000-000000000042'
const MINUTE_MS = 60_000

/** A watch of a probe each hour, on a journal of its own, with a clock that the test moves and a marker that it writes. */
function watchedProbe() {
  const state = makeScratchDirectory()
  const conditions = fresh()
  let [monotonic, made, marker, isUncertain, reads] = [0, 0, '', false, 0]
  let journal = createJournal(state)
  const readAccount = async () => {
    reads += 1
    return { marker }
  }
  const start = () =>
    createProbeWatch({
      config: { directories: { corp: { probe: { account: PROBED, expectEveryMinutes: 60 } }, lab: {} } },
      ...{ journal, conditions, enrolled: { store: '0a1b2c3d' }, log: silentLogger },
      directories: new Map([['corp', { directory: { writer: async () => ({ readAccount }) } }]]),
      clock: { ...systemClock, monotonicMs: () => monotonic },
      storeTime: { nowMs: () => now, isUncertain: () => isUncertain },
    } as never)
  let watch = start()
  const said = async () => {
    await watch.look()
    return conditions.list().map(({ code, detail }) => `${code}: ${detail}`)
  }
  return {
    said,
    ...{ view: () => watch.list(), reads: () => reads },
    pass: (minutes: number) => {
      now += minutes * MINUTE_MS
      monotonic += minutes * MINUTE_MS
    },
    end: (outcome: string, fields: { reason?: string; subject?: string; sequence?: number } = {}) => {
      made += 1
      const { reason, subject = PROBED, sequence = now } = fields
      const payload = Buffer.from(JSON.stringify({ outcome, reason, decidedAt: now })).toString('base64url')
      journal.accept([{ ...requestOf(`p${made}`, subject, sequence), requestId: `p${made}` }])
      journal.outcome({ requestId: `p${made}`, outcome, bytes: `h.${payload}.s`, atMs: now })
    },
    mark: (sequence: number, flag = 'a', store = '0a1b2c3d') => {
      marker = `wb1:${store}:${sequence}:${'0'.repeat(32)}:${flag}:1.1:7`
    },
    setUncertain: (value: boolean) => {
      isUncertain = value
    },
    restart: () => {
      journal.close()
      journal = createJournal(state)
      for (const { code, subject } of conditions.list()) conditions.clear(code, subject)
      monotonic = 0
      watch = start()
    },
    close: async () => {
      journal.close()
      await removeScratchDirectory(state)
    },
  }
}

test('a probe that is not applied for two intervals is late, and an applied one ends that', async () => {
  const probe = watchedProbe()
  expect(probe.view()).toEqual([
    { directory: 'corp', expectEveryMs: 60 * MINUTE_MS, last: null, lastAppliedAt: null },
  ])
  probe.pass(120)
  expect(await probe.said()).toEqual([])
  probe.pass(1)
  expect(await probe.said()).toEqual([
    'probe_late: none was applied for 121 min; one is expected every 60 min',
  ])
  // Of others, and of inspections, nothing is told.
  probe.end('applied', { subject: 'another' })
  probe.end('applied', { sequence: 0 })
  expect(await probe.said()).toHaveLength(1)
  probe.end('applied')
  expect(await probe.said()).toEqual([])
  expect(probe.view()).toMatchObject([
    { last: { request: 'p3', outcome: 'applied', reason: null, at: now }, lastAppliedAt: now },
  ])
  probe.pass(121)
  probe.setUncertain(true)
  expect(await probe.said()).toEqual([])
  probe.setUncertain(false)
  expect(await probe.said()).toHaveLength(1)
  await probe.close()
})

test('a probe that does not end applied is told at once, with its reason, until one is applied', async () => {
  const probe = watchedProbe()
  probe.end('applied')
  probe.pass(60)
  probe.end('refused', { reason: 'account_disabled' })
  expect(await probe.said()).toEqual([
    'probe_failed: the last probe ended refused account_disabled: request p2',
  ])
  expect(probe.view()[0]?.lastAppliedAt).toBe(now - 60 * MINUTE_MS)
  probe.pass(60)
  probe.end('expired')
  expect(await probe.said()).toEqual(['probe_failed: the last probe ended expired: request p3'])
  probe.pass(61)
  // Late, too, and that follows from the failure.
  expect((await probe.said()).map((line) => line.split(':', 1)[0])).toEqual(['probe_failed', 'probe_late'])
  probe.end('applied')
  expect(await probe.said()).toEqual([])
  await probe.close()
})

test('after a restart the journal tells how the last probe ended, and nothing is late within the first interval', async () => {
  const probe = watchedProbe()
  probe.end('applied')
  probe.pass(300)
  probe.restart()
  expect(await probe.said()).toEqual([])
  probe.pass(60)
  expect(await probe.said()).toEqual([])
  probe.pass(1)
  expect(await probe.said()).toEqual([
    'probe_late: none was applied for 361 min; one is expected every 60 min',
  ])
  probe.end('failed', { reason: 'no_answer' })
  probe.restart()
  expect(await probe.said()).toEqual(['probe_failed: the last probe ended failed no_answer: request p2'])
  await probe.close()
})

test('what another agent applied is seen at the account, which is read only when an alarm is near', async () => {
  const probe = watchedProbe()
  probe.end('applied')
  probe.pass(60)
  expect(await probe.said()).toEqual([])
  expect(probe.reads()).toBe(0)
  probe.end('refused', { reason: 'account_disabled' })
  const refusedAt = now
  probe.mark(refusedAt - 1)
  expect(await probe.said()).toHaveLength(1)
  for (const [flag, store] of [
    ['f', '0a1b2c3d'],
    ['a', 'ffffffff'],
  ] as const) {
    probe.mark(refusedAt + 1, flag, store)
    expect(await probe.said()).toHaveLength(1)
  }
  probe.mark(refusedAt + 1)
  expect(await probe.said()).toEqual([])
  expect(probe.view()[0]?.lastAppliedAt).toBe(refusedAt + 1)
  probe.pass(119)
  const before = probe.reads()
  expect(await probe.said()).toEqual([])
  expect(probe.reads()).toBe(before)
  probe.pass(2)
  expect(await probe.said()).toEqual([expect.stringContaining('probe_late: none was applied for 120 min')])
  probe.mark(now)
  expect(await probe.said()).toEqual([])
  await probe.close()
})
