// What is wrong now: causes before consequences, and the conditions that are looked for on the clock.
import { afterAll, expect, test } from '@jest/globals'
import { createJournal } from '../../src/agent/journal/create-journal.ts'
import { watchBacklog } from '../../src/agent/watch-backlog.ts'
import { watchClock } from '../../src/agent/watch-clock.ts'
import { readFreeBytes, watchDisk } from '../../src/agent/watch-disk.ts'
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
