// The password of a probe: random, of every class, and never known to anybody. It lives from here to the seal.
import { randomInt } from 'node:crypto'
import { wipeableBuffer } from '../../memory/wipeable-buffer.ts'

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const LOWER = UPPER.toLowerCase()
const DIGIT = '0123456789'
// Never three letters or digits in a row: so no name of three characters is inside by chance.
const PATTERN = [UPPER, LOWER, '-', DIGIT, '-'].map((characters) => Buffer.from(characters))
// About 100 random bits.
const SHORTEST = 40
const LONGEST = 255

/** Makes one that is no shorter than any of the policies asks. The caller wipes it. */
export function makeProbePassword(policies: readonly { readonly minimumLength: number }[]): Buffer {
  const asked = Math.max(SHORTEST, ...policies.map(({ minimumLength }) => minimumLength))
  const password = wipeableBuffer(Math.min(asked, LONGEST))
  for (let at = 0; at < password.length; at += 1) {
    const characters = PATTERN[at % PATTERN.length] ?? Buffer.from(DIGIT)
    password[at] = characters[randomInt(characters.length)] ?? 0
  }
  return password
}
