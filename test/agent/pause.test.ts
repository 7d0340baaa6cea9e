// Answers of the store may overtake one another; the switch that stops all writing must not be lifted by an old one.
import { expect, test } from '@jest/globals'
import { createPause } from '../../src/agent/pause.ts'

const SECOND = 1_000
const conditions = { raise: () => {}, clear: () => {} }

test('an answer that was overtaken by a newer one does not lift a pause', () => {
  const pause = createPause(conditions)
  expect(pause.isPaused()).toBe(false)
  pause.setPaused({ paused: true, storeTime: 100 * SECOND })
  pause.setPaused({ paused: false, storeTime: 99 * SECOND })
  expect(pause.isPaused()).toBe(true)
  pause.setPaused({ paused: false, storeTime: 101 * SECOND })
  expect(pause.isPaused()).toBe(false)
})

test('a pause holds however old the answer is that tells of it, and ends although the store’s clock was set back', () => {
  const pause = createPause(conditions)
  pause.setPaused({ paused: false, storeTime: 100 * SECOND })
  pause.setPaused({ paused: true, storeTime: 90 * SECOND })
  expect(pause.isPaused()).toBe(true)
  pause.setPaused({ paused: false, storeTime: 20 * SECOND })
  expect(pause.isPaused()).toBe(false)
})
