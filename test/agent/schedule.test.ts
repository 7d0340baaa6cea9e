// Housekeeping on the real clock: what ran, how it ended, and when it runs again.
import { expect, test } from '@jest/globals'
import { createLastOutcomes } from '../../src/agent/last-outcomes.ts'
import { createSchedule } from '../../src/agent/schedule/create-schedule.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

const EVERY_SECOND = '* * * * * *'
const NEVER_SOON = '0 0 29 2 *'

test('each job tells its last run and its next one, one that fails comes again, and none runs beside itself', async () => {
  const runs = { well: 0, ill: 0, slow: 0 }
  const released = Promise.withResolvers<void>()
  const schedule = createSchedule(
    [
      {
        ...{ name: 'well', when: EVERY_SECOND },
        run: async () => {
          runs.well += 1
        },
      },
      {
        ...{ name: 'ill', when: EVERY_SECOND, isDueAtStart: true },
        run: async () => {
          runs.ill += 1
          throw new Error('the disk is full')
        },
      },
      {
        ...{ name: 'slow', when: EVERY_SECOND, isDueAtStart: true },
        run: async () => {
          runs.slow += 1
          await released.promise
        },
      },
      { name: 'later', when: NEVER_SOON, run: async () => {} },
    ],
    { log: silentLogger, clock: systemClock },
  )
  const none = { lastRunAt: null, lastResult: null, lastDurationMs: null, problem: null }
  expect(schedule.view()[0]).toEqual({ name: 'well', ...none, isRunning: false, nextRunAt: null })
  const begun = systemClock.wallMs()
  schedule.start()
  await new Promise((resolve) => setTimeout(resolve, 2_300))
  const [well, ill, slow, later] = schedule.view()
  expect(well).toMatchObject({ lastResult: 'done', problem: null, isRunning: false })
  expect((well?.nextRunAt ?? 0) - begun).toBeLessThan(6_000)
  expect(ill).toMatchObject({ lastResult: 'failed', problem: expect.stringContaining('the disk is full') })
  expect([runs.well >= 1, runs.ill >= 2, runs.slow]).toEqual([true, true, 1])
  expect(slow).toMatchObject({ ...none, isRunning: true })
  expect(later).toMatchObject({ ...none, nextRunAt: expect.any(Number) })
  released.resolve()
  await new Promise((resolve) => setImmediate(resolve))
  expect(schedule.view()[2]?.lastDurationMs).toBeGreaterThan(1_500)
  await schedule.stop()
  const ended = runs.well
  await new Promise((resolve) => setTimeout(resolve, 1_200))
  expect(runs.well).toBe(ended)
})

test('of the requests that ended the newest five are told, newest first', () => {
  const last = createLastOutcomes()
  const base = { directory: 'corp', operation: 'reset', outcome: 'applied', reason: null }
  for (const at of [3, 1, 2, 9, 8, 7]) last.note({ ...base, request: `r${at}`, at })
  expect(last.list().map(({ request }) => request)).toEqual(['r9', 'r8', 'r7', 'r3', 'r2'])
})
