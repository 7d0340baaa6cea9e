// What excuses a seed, and what does not.
import { expect, test } from '@jest/globals'
import { judgeSeed } from './judge-seed.ts'

const known = [{ invariant: 'I7', what: 'reset 11 of request a on account b' }]
const seen = known.map((one) => ({ ...one, at: 5 }))

test('a seed that breaks exactly what is named is known', () => {
  expect(judgeSeed({ violations: seen, hasDrained: true }, known)).toBe('known')
  expect(judgeSeed({ violations: [], hasDrained: true }, known)).toBe('kept')
})

test('the same invariant of another request, or twice, is no known violation', () => {
  const other = seen.map((one) => ({ ...one, what: 'reset 12 of request c on account b' }))
  expect(judgeSeed({ violations: other, hasDrained: true }, known)).toBe('broken')
  expect(judgeSeed({ violations: [...seen, ...seen], hasDrained: true }, known)).toBe('broken')
  expect(judgeSeed({ violations: seen, hasDrained: true })).toBe('broken')
})

test('a run that did not come to rest is broken, though nothing else is', () => {
  expect(judgeSeed({ violations: [], hasDrained: false })).toBe('broken')
  expect(judgeSeed({ violations: seen, hasDrained: false }, known)).toBe('broken')
})
