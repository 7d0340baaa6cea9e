// The checker is checked: each invariant finds its own violation, and nothing is found where nothing is wrong.
import { expect, test } from '@jest/globals'
import { checkHistory, INVARIANTS } from './check-history.ts'
import { EFFECT_PAIRS } from './effect-histories.ts'
import type { HistoryEvent } from './event.ts'
import { OPENLDAP_PAIRS } from './openldap-histories.ts'
import { PROMISE_PAIRS } from './promise-histories.ts'
import { ended, goodReset, idOf, markerOf, modify, move, setTo, tale } from './sample-history.ts'
import { WRITE_PAIRS } from './write-histories.ts'

const PAIRS = [...EFFECT_PAIRS, ...PROMISE_PAIRS, ...WRITE_PAIRS, ...OPENLDAP_PAIRS]

test.each(PAIRS)('finds: %s (%s)', (_what, invariant, good, bad) => {
  const kept = checkHistory(good)
  expect(kept.violations).toEqual([])
  expect((kept.decided[invariant] ?? 0) + (kept.excused[invariant] ?? 0)).toBeGreaterThan(0)
  const broken = checkHistory(bad)
  expect([...new Set(broken.violations.map((violation) => violation.invariant))]).toEqual([invariant])
  expect(broken.decided[invariant]).toBeGreaterThan(0)
})

test('there is a pair for each of the invariants', () => {
  expect(INVARIANTS).toEqual(Array.from({ length: 26 }, (_, index) => `I${index + 1}`))
  expect(new Set(PAIRS.map(([, invariant]) => invariant))).toEqual(new Set(INVARIANTS))
})

test('a history that does not begin with its run is refused', () => {
  expect(() => checkHistory([])).toThrow('`run`')
})

test('the order in the file does not matter', () => {
  const history = tale(goodReset(), ended(`new:${idOf(1)}`, markerOf(1)))
  expect(checkHistory(history.toReversed())).toEqual(checkHistory(history))
})

test('an answer in the same millisecond belongs to its modify, also when it stands before it', () => {
  const [seen, answered] = modify(1, [...move(null, markerOf(1)), setTo(1)])
  const refused = { ...answered, at: 200, code: 19 } as HistoryEvent
  const history = [...tale(goodReset(1, [])).filter(({ at }) => at < 200), refused, seen as HistoryEvent]
  const { violations } = checkHistory([...history, ...goodReset(1, []).filter(({ at }) => at > 200)])
  expect(violations).toEqual([
    { invariant: 'I3', at: 300, what: `request ${idOf(1)} is said to be applied, and no write of it landed` },
  ])
})

test('of two writes without an answer the marker at the end tells which one landed', () => {
  const first = modify(1, [...move(null, markerOf(1)), setTo(1)], { code: null })
  const again = modify(2, [...move(null, markerOf(1, 'a', 2)), setTo(1)], { at: 220, code: null })
  const history = tale(goodReset(1, [...first, ...again]), ended(`new:${idOf(1)}`, markerOf(1, 'a', 2)))
  expect(checkHistory(history).violations).toEqual([])
})

test('checks 2,000 events in less than 100 ms of processor time', () => {
  const history = tale(
    ...Array.from({ length: 250 }, (_, index) => {
      const before = index === 0 ? null : markerOf(index)
      const at = 200 + 5 * index
      return goodReset(
        index + 1,
        modify(index + 1, [...move(before, markerOf(index + 1)), setTo(index + 1)], { at }),
      ).map((event) => ('kind' in event && event.kind === 'reported' ? { ...event, at: at + 3 } : event))
    }),
  )
  checkHistory(history)
  expect(history.length).toBeGreaterThan(1_900)
  const times = Array.from({ length: 20 }, () => {
    const begun = process.threadCpuUsage()
    expect(checkHistory(history).violations).toEqual([])
    const { user, system } = process.threadCpuUsage(begun)
    return (user + system) / 1_000
  })
  expect(Math.min(...times)).toBeLessThan(100)
})
