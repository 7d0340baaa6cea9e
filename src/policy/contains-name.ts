// Names inside a password, as Windows looks for them when complexity is on.
import type { Reading } from './character-classes.ts'
import { codePointsOf, foldAscii, foldCase, utf16Units } from './code-points.ts'

/** Whose password it is. */
export interface PasswordHolder {
  /** sAMAccountName. */
  readonly accountName: string
  readonly displayName: string
}

const DELIMITERS = /[,.\-_ #\t]/
const SHORTEST_NAME = 3

/**
 * True when the password holds the account name, or a part of the display name, of three characters or more, in any
 * case. `certain`: only ASCII letters are compared in any case, and a character of two UTF-16 code units is one.
 */
export function containsName(points: Uint32Array, holder: PasswordHolder, reading: Reading): boolean {
  const fold = reading === 'certain' ? foldAscii : foldCase
  const names = [holder.accountName, ...holder.displayName.split(DELIMITERS)].map(codePointsOf)
  return names
    .filter((name) => lengthOf(name, reading) >= SHORTEST_NAME)
    .some((name) => containsFolded(points, name.map(fold), fold))
}

function lengthOf(name: readonly number[], reading: Reading): number {
  return reading === 'certain' ? name.length : name.reduce((sum, point) => sum + utf16Units(point), 0)
}

function containsFolded(
  points: Uint32Array,
  name: readonly number[],
  fold: (point: number) => number,
): boolean {
  for (let start = 0; start + name.length <= points.length; start += 1) {
    if (name.every((point, at) => fold(points[start + at] ?? 0) === point)) return true
  }
  return false
}
