// The five classes of characters of "Password must meet complexity requirements" in Windows: upper case, lower case,
// digits 0 to 9, the listed symbols, and letters without case. Samba has the same list, and puts in the last class what
// is neither ASCII nor a letter with case.
import { utf16Units } from './code-points.ts'

/** How many classes there are. */
export const CLASSES = 5

/** How many classes a complex password needs. */
export const CLASSES_ASKED = 3

/** How to read what documentation leaves open: only what is beyond doubt, or as documented. */
export type Reading = 'certain' | 'explain'

const LISTED_SYMBOLS = new Set(
  Array.from('~!@#$%^&*_-+=`|\\(){}[]:;"\'<>,.?/', (symbol) => symbol.charCodeAt(0)),
)

type CharacterClass = 'upper' | 'lower' | 'digit' | 'symbol' | 'letter'

/**
 * How many of the five classes occur. `certain`: each UTF-16 code unit outside the ASCII letters, digits and listed
 * symbols counts as one more class, since directories differ about it; so no directory counts more. `explain`: as
 * documented, so that space, control characters and currency signs are in no class; of the characters beyond ASCII on
 * which the documentation is silent, letters are told by their Unicode category and the rest are symbols.
 */
export function countClasses(points: Uint32Array, reading: Reading): number {
  const found = new Set<CharacterClass>()
  let doubtful = 0
  for (const point of points) {
    const known = asciiClass(point) ?? (reading === 'explain' ? unicodeClass(point) : undefined)
    if (known) found.add(known)
    else if (reading === 'certain') doubtful += utf16Units(point)
  }
  return Math.min(CLASSES, found.size + doubtful)
}

function asciiClass(point: number): CharacterClass | undefined {
  if (point >= 0x41 && point <= 0x5a) return 'upper'
  if (point >= 0x61 && point <= 0x7a) return 'lower'
  if (point >= 0x30 && point <= 0x39) return 'digit'
  return LISTED_SYMBOLS.has(point) ? 'symbol' : undefined
}

function unicodeClass(point: number): CharacterClass | undefined {
  if (point < 0x80) return undefined
  const character = String.fromCodePoint(point)
  if (/\p{Lu}/u.test(character)) return 'upper'
  if (/\p{Ll}/u.test(character)) return 'lower'
  if (/\p{L}/u.test(character)) return 'letter'
  return /\p{Sc}/u.test(character) ? undefined : 'symbol'
}
