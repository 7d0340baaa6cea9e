// The rules for passwords: what each reading refuses, what it names, and that nothing about the password is told.
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseBlocklist } from '../../src/policy/blocklist.ts'
import type { Reading } from '../../src/policy/character-classes.ts'
import { describeRule } from '../../src/policy/describe-rule.ts'
import {
  findAgeViolation,
  findPasswordViolation,
  type PasswordHolder,
} from '../../src/policy/find-violation.ts'
import type { PasswordPolicy } from '../../src/policy/password-policy.ts'

const DAY = 86_400_000
const policy: PasswordPolicy = {
  minimumLength: 7,
  complexity: true,
  refusesNames: true,
  historyLength: 24,
  minimumAgeMs: DAY,
  maximumAgeMs: 42 * DAY,
  lockoutThreshold: 0,
  lockoutDurationMs: null,
  lockoutWindowMs: 30 * 60_000,
}
const nobody: PasswordHolder = { accountName: '', displayName: '' }
const READINGS: readonly Reading[] = ['certain', 'explain']

interface Case {
  readonly policy?: Partial<PasswordPolicy>
  readonly holder?: Partial<PasswordHolder>
  readonly listed?: string
}

function reasonOf(password: string | Uint8Array, reading: Reading, { holder, listed, ...rest }: Case = {}) {
  const check = {
    policy: { ...policy, ...rest.policy },
    holder: { ...nobody, ...holder },
    ...(listed === undefined ? {} : { blocklist: parseBlocklist(listed) }),
    reading,
  }
  return findPasswordViolation(Buffer.from(password), check)?.reason
}
const bothReasons = (password: string, options?: Case) =>
  READINGS.map((reading) => reasonOf(password, reading, options))

test.each([
  ['7 ASCII characters', 'Abcde1!', undefined],
  ['6 ASCII characters', 'Abcd1!', 'password_too_short'],
  ['5 ASCII characters and one of two code units', 'Abc1!😀', undefined],
  ['3 ASCII characters and one of two code units', 'Ab1😀', 'password_too_short'],
  ['6 characters of three bytes', 'A中文字符1', 'password_too_short'],
  ['none', '', 'password_too_short'],
])('length counts UTF-16 code units: %s', (_, password, reason) => {
  expect(bothReasons(password)).toEqual([reason, reason])
})

test.each<[what: string, password: string, certain: boolean, explain: boolean]>([
  ['lower and digits', 'abcdefg1', true, true],
  ['upper and digits', 'ABCDEFG1', true, true],
  ['one class', 'aaaaaaaa', true, true],
  ['symbols only', '~!@#$%^&*_-+=`|\\(){}[]:;"\'<>,.?/', true, true],
  ['upper, lower, digits', 'Abcdefg1', false, false],
  ['lower, digits, symbol', 'abcdefg1`', false, false],
  ['upper, lower, symbol', 'Abcdefg/', false, false],
  ['a space', 'Abcdefg h', false, true],
  ['a tab', 'Abcdefg\th', false, true],
  ['a currency sign', 'Abcdefg€', false, true],
  ['a letter without case', 'Abcdefg中', false, false],
  ['upper case beyond ASCII', 'abcdefg1Ä', false, false],
  ['lower case beyond ASCII, where lower case is there already', 'abcdefg1ß', false, true],
  ['lower and upper case of another script', '1234567жЖ', false, false],
  ['one class in two scripts', 'abcdefgж', true, true],
  ['a titlecase letter', 'Abcdefgǅ', false, false],
  ['a digit of another script', 'Abcdefg٣', false, false],
  ['an emoji beside one class', 'abcdefg😀', false, true],
])('three of five classes: %s', (_, password, certain, explain) => {
  const refused = (is: boolean) => (is ? 'password_not_complex' : undefined)
  expect(bothReasons(password)).toEqual([refused(certain), refused(explain)])
  expect(bothReasons(password, { policy: { complexity: false } })).toEqual([undefined, undefined])
})

const ann = { accountName: 'ann', displayName: 'Ann-Marie O.Élan,Wu #Jr_von\tderÖd' }
test.each<[what: string, password: string, certain: boolean, explain: boolean]>([
  ['the account name', 'xx1!annXX', true, true],
  ['the account name in other case', 'xx1!aNNxx', true, true],
  ['a part after a dash', 'Marie123', true, true],
  ['a part after a full stop, accents in other case', 'xx1!éLAN', false, true],
  ['the same, in its own case', 'XX1!Élan', true, true],
  ['a part after an underscore', '1!XXVONxx', true, true],
  ['a part after a tab', '1!XXDERÖDx', true, true],
  ['parts of two characters', 'Wu!Jr!1234', false, false],
  ['the whole name over its delimiter', 'Mari-e123', false, false],
  ['most of a part', 'Mari123!', false, false],
])('names inside: %s', (_, password, certain, explain) => {
  const refused = (is: boolean) => (is ? 'password_contains_name' : undefined)
  expect(bothReasons(password, { holder: ann })).toEqual([refused(certain), refused(explain)])
  expect(bothReasons(password, { holder: ann, policy: { refusesNames: false } })).toEqual([
    undefined,
    undefined,
  ])
})

test('an account name of two characters, and one with delimiters in it, count as they are', () => {
  expect(bothReasons('xx1!alXX', { holder: { accountName: 'al' } })).toEqual([undefined, undefined])
  const holder = { accountName: 'svc-web' }
  expect(bothReasons('1!SVC-webx', { holder })).toEqual(['password_contains_name', 'password_contains_name'])
  expect(bothReasons('1!SVCwebxx', { holder })).toEqual([undefined, undefined])
})

test('the first of several broken rules is named: length, classes, names, blocklist', () => {
  const all: Case = { holder: { accountName: 'aaa' }, listed: 'aaa\naaaaaaaa\n1!Aaaaaaaa\nunrelated1!' }
  for (const reading of READINGS) {
    expect(reasonOf('aaa', reading, all)).toBe('password_too_short')
    expect(reasonOf('aaaaaaaa', reading, all)).toBe('password_not_complex')
    expect(reasonOf('1!Aaaaaaaa', reading, all)).toBe('password_contains_name')
    expect(reasonOf('Unrelated1!', reading, all)).toBe('password_blocklisted')
    expect(reasonOf('Other1!x', reading, all)).toBeUndefined()
  }
})

test.each([
  ['bytes that are not UTF-8', 'ff'],
  ['a lone surrogate', 'eda080'],
  ['an overlong form', 'c0af'],
  ['a character cut off', 'e4b8'],
  ['a code point past the last', 'f4908080'],
])('leaves %s to whoever writes the password', (_, hex) => {
  for (const reading of READINGS) expect(reasonOf(Buffer.from(hex, 'hex'), reading)).toBeUndefined()
})

test('a change is too young until the minimum age has passed', () => {
  expect(findAgeViolation(policy, 1_000, 1_000 + DAY - 1)).toEqual({
    reason: 'password_too_young',
    rule: { kind: 'changeable_from', at: 1_000 + DAY },
  })
  expect(findAgeViolation(policy, 1_000, 1_000 + DAY)).toBeUndefined()
  expect(findAgeViolation({ ...policy, minimumAgeMs: 0 }, 1_000, 0)).toBeUndefined()
  expect(findAgeViolation(policy, undefined, 0)).toBeUndefined()
  expect(findAgeViolation(policy, 0.5, 0)?.rule).toEqual({ kind: 'changeable_from', at: DAY + 1 })
})

test('rules are told in plain English', () => {
  expect(describeRule({ kind: 'minimum_length', characters: 14 })).toBe('at least 14 characters')
  expect(describeRule({ kind: 'minimum_length', characters: 1 })).toBe('at least 1 character')
  expect(describeRule({ kind: 'character_classes', least: 3, of: 5 })).toBe(
    'characters of at least 3 of these 5 kinds: uppercase letters, lowercase letters, digits, symbols, letters without case',
  )
  expect(describeRule({ kind: 'no_names' })).toBe(
    'a password that holds neither the account name nor a part of the display name',
  )
  expect(describeRule({ kind: 'not_blocklisted' })).toBe(
    'a password that is not on the list of forbidden passwords',
  )
  expect(describeRule({ kind: 'changeable_from', at: 0 })).toBe(
    'a change at 1970-01-01T00:00:00.000Z or later',
  )
  expect(describeRule({ kind: 'not_used_before', remembered: 24 })).toBe(
    'a password other than the last 24 passwords of this account',
  )
})

const anyCharacter = fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })
const unicode = fc.string({ unit: fc.oneof(fc.constantFrom(...'aZ09 ~é中€😀'), anyCharacter), maxLength: 24 })
const name = fc.oneof(fc.constantFrom('ann', 'Zoë Łuk-Øst', '😀😀'), unicode)
const anyPolicy = fc.record({
  minimumLength: fc.integer({ min: 0, max: 20 }),
  complexity: fc.boolean(),
  refusesNames: fc.boolean(),
})

test('what is certain is also explained', () => {
  fc.assert(
    fc.property(unicode, name, name, anyPolicy, (password, accountName, displayName, rules) => {
      const options = { policy: rules, holder: { accountName, displayName } }
      for (const embedded of [password, accountName + password, password + displayName.toUpperCase()]) {
        if (reasonOf(embedded, 'certain', options) !== undefined) {
          expect(reasonOf(embedded, 'explain', options)).toBeDefined()
        }
      }
    }),
    { numRuns: 1_000 },
  )
})

test('more characters never make a password too short or less complex', () => {
  fc.assert(
    fc.property(unicode, unicode, anyPolicy, (password, more, rules) => {
      const longer = password.toWellFormed() + more.toWellFormed()
      const options = { policy: { ...rules, refusesNames: false } }
      for (const reading of READINGS) {
        if (reasonOf(password, reading, options) === undefined) {
          expect(reasonOf(longer, reading, options)).toBeUndefined()
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('any bytes get an answer, which holds the rule alone, and stay as they were', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), name, anyPolicy, (bytes, accountName, rules) => {
      const before = Buffer.from(bytes)
      const check = { policy: { ...policy, ...rules }, holder: { accountName, displayName: '' } }
      const blocklist = parseBlocklist('a\n0\n')
      for (const reading of READINGS) {
        const found = findPasswordViolation(bytes, { ...check, blocklist, reading })
        if (found) expect(ruleIn(found.rule.kind, rules.minimumLength)).toEqual(found.rule)
      }
      expect(Buffer.from(bytes)).toEqual(before)
    }),
    { numRuns: 500 },
  )
})

/** All that may be told, made from the policy alone. */
function ruleIn(kind: string, characters: number): unknown {
  if (kind === 'minimum_length') return { kind, characters }
  return kind === 'character_classes' ? { kind, least: 3, of: 5 } : { kind }
}

test('nothing of a password is left in the arrays it was worked on in', () => {
  const made: ArrayBuffer[] = []
  const original = globalThis.ArrayBuffer
  globalThis.ArrayBuffer = class extends original {
    constructor(length: number) {
      super(length)
      made.push(this)
    }
  } as ArrayBufferConstructor
  try {
    const blocklist = parseBlocklist('listed')
    const holder = { accountName: 'ann', displayName: '' }
    findPasswordViolation(Uint8Array.of(0x41, 0x62, 0x31, 0x21, 0x63, 0x64, 0x65), {
      policy,
      holder,
      blocklist,
      reading: 'explain',
    })
  } finally {
    globalThis.ArrayBuffer = original
  }
  expect(made.length).toBeGreaterThan(1)
  for (const buffer of made) expect(new Uint8Array(buffer).every((byte) => byte === 0)).toBe(true)
})
