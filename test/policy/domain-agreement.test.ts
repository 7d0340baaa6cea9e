// The rules against a real domain controller: what they refuse before a write it refuses too, and what it refuses they
// explain. Samba looks for no names, so those are left out.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Client } from 'ldapts'
import type { Reading } from '../../src/policy/character-classes.ts'
import { findPasswordViolation, type ViolationReason } from '../../src/policy/find-violation.ts'
import { setPassword } from '../servers/directory-admin.ts'
import { type SambaDomain, startSambaDomain } from '../servers/samba-domain.ts'

const policy = {
  minimumLength: 7,
  complexity: true,
  refusesNames: false,
  historyLength: 24,
  minimumAgeMs: 0,
  maximumAgeMs: null,
  lockoutThreshold: 0,
  lockoutDurationMs: null,
  lockoutWindowMs: 0,
}

let domain: SambaDomain
let admin: Client
let dn: string
beforeAll(async () => {
  domain = await startSambaDomain({ policy: { minPasswordLength: policy.minimumLength } })
  admin = await domain.admin()
  dn = (await domain.createUser({ name: 'agreement' })).dn
})
afterAll(() => domain.stop())

async function refusalOf(password: string): Promise<ViolationReason | undefined> {
  try {
    await setPassword(admin, dn, Buffer.from(password))
    return undefined
  } catch (error) {
    const { message } = error as Error
    if (message.includes('too short')) return 'password_too_short'
    if (message.includes('complexity')) return 'password_not_complex'
    throw error
  }
}

const reasonOf = (password: string, reading: Reading) =>
  findPasswordViolation(Buffer.from(password), {
    policy,
    holder: { accountName: 'agreement', displayName: '' },
    reading,
  })?.reason

const simple = fc.string({ unit: fc.constantFrom(...'abAB12!\\ \t'), minLength: 4, maxLength: 10 })
// At the edge of the rules: one class of ASCII, and up to two characters that may be of any other.
const beyondAscii = fc
  .integer({ min: 0x80, max: 0x10ffff })
  .filter((point) => point < 0xd800 || point > 0xdfff)
const edge = fc
  .tuple(
    fc.constantFrom('a', 'A', '1', '!', ' '),
    fc.integer({ min: 4, max: 8 }),
    fc.array(fc.oneof(fc.constantFrom(0x41, 0x31, 0x20, 0xe4, 0xc4, 0x4e2d), beyondAscii), { maxLength: 2 }),
  )
  .map(([character, count, others]) => character.repeat(count) + String.fromCodePoint(...others))

test('of ASCII passwords, both readings of the rules say what the domain says', async () => {
  await fc.assert(
    fc.asyncProperty(simple, async (password) => {
      const refusal = await refusalOf(password)
      expect(reasonOf(password, 'explain')).toBe(refusal)
      expect([refusal, undefined]).toContain(reasonOf(password, 'certain'))
    }),
    { numRuns: 60, endOnFailure: true },
  )
})

test('of any Unicode passwords, none is refused for certain that the domain would take', async () => {
  const refused = { password_too_short: 0, password_not_complex: 0 }
  await fc.assert(
    fc.asyncProperty(edge, async (password) => {
      const certain = reasonOf(password, 'certain')
      if (certain) expect(await refusalOf(password)).toBe(certain)
      if (certain === 'password_too_short' || certain === 'password_not_complex') refused[certain] += 1
    }),
    { numRuns: 100, endOnFailure: true },
  )
  expect(Math.min(...Object.values(refused))).toBeGreaterThan(2)
})
