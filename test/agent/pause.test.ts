// The two switches that stop all writing: the store's, whose answers may overtake one another, and the one of this host.
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { createJournal } from '../../src/agent/journal/create-journal.ts'
import type { Journal } from '../../src/agent/journal/journal.ts'
import { createPause } from '../../src/agent/pause.ts'
import { createConditions } from '../../src/telemetry/conditions.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { createManualClock } from '../fakes/manual-clock.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'

const SECOND = 1_000
const NOW = Date.UTC(2026, 10, 22)
let directory: string
let journal: Journal

beforeEach(() => {
  directory = makeScratchDirectory()
  journal = createJournal(directory)
})
afterEach(async () => {
  journal.close()
  await removeScratchDirectory(directory)
})

function open() {
  const clock = createManualClock(NOW)
  const conditions = createConditions({ clock, log: silentLogger })
  const pause = createPause({ conditions, journal, clock })
  return { ...pause, told: () => conditions.list().map(({ code, detail }) => `${code}: ${detail}`) }
}

test('an answer that was overtaken by a newer one does not lift a pause', () => {
  const pause = open()
  expect(pause.isPaused()).toBe(false)
  pause.setPaused({ paused: true, storeTime: 100 * SECOND })
  pause.setPaused({ paused: false, storeTime: 99 * SECOND })
  expect(pause.isPaused()).toBe(true)
  pause.setPaused({ paused: false, storeTime: 101 * SECOND })
  expect(pause.isPaused()).toBe(false)
})

test('a pause holds however old the answer is that tells of it, and ends although the store’s clock was set back', () => {
  const pause = open()
  pause.setPaused({ paused: false, storeTime: 100 * SECOND })
  pause.setPaused({ paused: true, storeTime: 90 * SECOND })
  expect(pause.isPaused()).toBe(true)
  pause.setPaused({ paused: false, storeTime: 20 * SECOND })
  expect(pause.isPaused()).toBe(false)
})

test('a pause of this host holds over a restart and whatever the store says, and the condition names who paused', () => {
  const first = open()
  first.pauseHere('ada')
  first.pauseHere('grace')
  first.setPaused({ paused: false, storeTime: 100 * SECOND })
  expect([first.isPaused(), first.told()]).toEqual([true, ['paused: ada has paused writing on this host']])
  const again = open()
  expect([again.isPaused(), again.pausedHere(), again.isPausedByStore()]).toEqual([
    true,
    { by: 'ada', at: NOW },
    false,
  ])
  again.setPaused({ paused: true, storeTime: 100 * SECOND })
  expect(again.told()).toEqual([
    'paused: ada has paused writing on this host; the reset store has paused writing',
  ])
  again.resumeHere('grace')
  expect([again.isPaused(), again.told()]).toEqual([true, ['paused: the reset store has paused writing']])
  again.setPaused({ paused: false, storeTime: 101 * SECOND })
  expect([again.isPaused(), again.told(), open().isPaused()]).toEqual([false, [], false])
})

test('each pause and each end of one is told to the audit record, once', () => {
  const pause = open()
  for (const by of ['ada', 'ada']) pause.pauseHere(by)
  for (const by of ['grace', 'grace']) pause.resumeHere(by)
  const told = journal.auditEntries(0, 10).map(({ record }) => JSON.parse(record))
  const time = new Date(NOW).toISOString()
  expect(told).toEqual([
    { kind: 'operator', time, action: 'pause', actor: { kind: 'operator', name: 'ada' }, request: null },
    { kind: 'operator', time, action: 'resume', actor: { kind: 'operator', name: 'grace' }, request: null },
  ])
})
