// What a chaos run says that it did to the world, it did.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { createRecorder } from '../history/record-run.ts'
import type { Fault } from './chaos-faults.ts'
import { startSchedule } from './chaos-schedule.ts'
import { createRandom } from './random.ts'

test('a fault counts when it struck, and concerns whom it says', async () => {
  const run = { name: 'by hand', seed: 1, drainMs: 1, historyRequired: false }
  const recorder = createRecorder({ ...run, dialect: 'active-directory' })
  const fault = (name: string, strike: Fault['run']): Fault => ({
    ...{ name, target: `proxy of ${name}`, whose: 'agent-id', weight: 1, run: strike },
  })
  const faults = [
    fault('struck', async () => true),
    fault('nothing there', async () => false),
    fault('broken', async () => {
      throw new Error('the world is broken already')
    }),
  ]
  const schedule = startSchedule({ recorder }, faults, createRandom(1), 1)
  while (schedule.missed() < 4 || !schedule.counts().has('struck')) await sleep(5)
  await schedule.end()
  expect([...schedule.counts().keys()]).toEqual(['struck'])
  const begun = recorder.events().filter((event) => event.observer === 'supervisor' && event.kind === 'fault')
  expect(begun.length).toBeGreaterThan(4)
  expect(new Set(begun.map((event) => (event.kind === 'fault' ? event.target : '')))).toEqual(
    new Set(['agent-id']),
  )
})
