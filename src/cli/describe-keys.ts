// Keys as a table for people, at most 80 columns wide.
import { describeAge } from './describe-age.ts'
import type { ListedKey, RotationAnswer } from './read-keys.ts'

const HEAD = ['KIND', 'ID', 'AGE', 'UNTIL', 'STATE'] as const

/** One line a key, below a head. */
export function describeKeys(keys: readonly ListedKey[], nowMs: number): readonly string[] {
  const rows = [HEAD, ...keys.map((key) => rowOf(key, nowMs))]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(' ')
      .trimEnd(),
  )
}

function rowOf({ kind, id, createdAt, validUntil, state }: ListedKey, nowMs: number): readonly string[] {
  const until = validUntil === null ? '-' : new Date(validUntil).toISOString().slice(0, 10)
  // One unit is enough beside an id of 43 characters.
  const age = describeAge(nowMs - createdAt)
    .split(' ')
    .slice(0, 2)
    .join(' ')
  return [kind, id, age, until, state]
}

/** What became of a rotation, and what comes next. */
export function describeRotation({ state, key, problem }: RotationAnswer): readonly string[] {
  if (state === 'rotated') return [`rotated: passwords are sealed to ${key} from now on`]
  if (state === 'not_accepted')
    return [
      `made and kept: ${key}`,
      `not accepted by the store yet: ${problem}`,
      'the agent tries again every minute; until then passwords are sealed to the key before',
    ]
  return [
    'nothing was made: too many old keys are still kept',
    'wait some minutes: each is wiped when nothing can be sealed to it any more',
  ]
}
