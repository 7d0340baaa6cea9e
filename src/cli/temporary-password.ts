// A temporary password: random, easy to read aloud, with every kind of character.

import { randomInt } from 'node:crypto'
import { wipeableBuffer } from '../memory/wipeable-buffer.ts'

const UPPER = 'ABCDEFGHJKLMNPQRSTUVWXYZ'
const LOWER = 'abcdefghijkmnpqrstuvwxyz'
const DIGITS = '23456789'
const GROUPS = 4
const GROUP_LENGTH = 4
const ALPHABET = Buffer.from(UPPER + LOWER + DIGITS)

/** Makes one: four groups of four with dashes, about 92 random bits, nothing that looks alike. The caller wipes it. */
export function makeTemporaryPassword(): Buffer {
  const password = wipeableBuffer(GROUPS * (GROUP_LENGTH + 1) - 1)
  do {
    for (let at = 0; at < password.length; at += 1)
      password[at] =
        at % (GROUP_LENGTH + 1) === GROUP_LENGTH ? 0x2d : (ALPHABET[randomInt(ALPHABET.length)] ?? 0)
  } while (
    ![UPPER, LOWER, DIGITS].every((kind) => password.some((byte) => kind.includes(String.fromCharCode(byte))))
  )
  return password
}
