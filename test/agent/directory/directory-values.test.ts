// The pure parts of the directory room: refusals, values as the directory stores them, passwords as it wants them.
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { ClearBytes } from '../../../src/agent/decisions/clear-bytes.ts'
import { largeInteger, momentOfFileTime } from '../../../src/agent/directory/active-directory/file-time.ts'
import { guidText } from '../../../src/agent/directory/active-directory/guid.ts'
import {
  dnOfGuid,
  type EncodedEffect,
  policyHintsControl,
  writeChanges,
} from '../../../src/agent/directory/active-directory/password-modify.ts'
import {
  attributeIdOf,
  originOf,
  passwordVersionOf,
} from '../../../src/agent/directory/active-directory/replication-metadata.ts'
import { sidText } from '../../../src/agent/directory/active-directory/sid.ts'
import { unicodePassword } from '../../../src/agent/directory/active-directory/unicode-password.ts'
import { classifyRefusal, ofChange } from '../../../src/agent/directory/classify-error.ts'
import { isGuid } from '../../../src/agent/directory/dashed-guid.ts'
import { createDirectoryTime } from '../../../src/agent/directory/directory-time.ts'
import { momentOfGeneralizedTime } from '../../../src/agent/directory/generalized-time.ts'
import { fenceChanges } from '../../../src/agent/directory/marker-move.ts'
import { parseEndpoint, serverNameIndication } from '../../../src/agent/directory/server-endpoint.ts'
import { createManualClock } from '../../fakes/manual-clock.ts'

// Samba rows are recorded from 4.17; Windows rows are as published by those who met them.
const REFUSALS: readonly (readonly [
  kind: string,
  code: number,
  hex: string | undefined,
  diagnostic: string,
])[] = [
  ['not_bound', 1, '00002020', '00002020: Operation unavailable without authentication'],
  [
    'not_bound',
    1,
    '000004DC',
    '000004DC: LdapErr: DSID-0C0907C2, comment: In order to perform this operation a successful bind must be completed on the connection., data 0, v1db1',
  ],
  ['unexpected', 1, '00000001', '00000001: something else'],
  ['busy', 3, undefined, ''],
  ['read_only', 10, '0000202B', '0000202B: RefErr: DSID-0310063C, data 0, 1 access points'],
  ['busy', 11, '00002024', '00002024: SvcErr: DSID-020A0710, problem 5008 (ADMIN_LIMIT_EXCEEDED), data 0'],
  ['control_unavailable', 12, undefined, ''],
  [
    'control_unavailable',
    12,
    '00000057',
    '00000057: LdapErr: DSID-0C09098B, comment: Error processing control, data 0, v1db1',
  ],
  [
    'compare_failed',
    16,
    undefined,
    "attribute 'adminDisplayName': no matching attribute value while deleting attribute on 'CN=ann'",
  ],
  [
    'compare_failed',
    16,
    '00002085',
    '00002085: AtrErr: DSID-03151904, #1: 0: 00002085: DSID-03151904, problem 1001 (NO_ATTRIBUTE_OR_VAL)',
  ],
  [
    'password_policy',
    19,
    '0000052D',
    '0000052D: Constraint violation - check_password_restrictions: the password is too short. It should be equal or longer than 7 characters!',
  ],
  [
    'password_policy',
    19,
    '0000052D',
    '0000052D: AtrErr: DSID-03191083, #1: 0: 0000052D: DSID-03191083, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 9005a (unicodePwd)',
  ],
  [
    'password_policy',
    53,
    '0000052D',
    '0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0',
  ],
  [
    'wrong_current_password',
    19,
    '00000056',
    "00000056: Constraint violation - check_password_restrictions: The old password specified doesn't match!",
  ],
  [
    'account_locked',
    19,
    '00000775',
    '00000775: Password change not permitted, account locked out! at ../../source4/dsdb/samdb/ldb_modules/password_hash.c:3929:setup_io',
  ],
  [
    'missing_right',
    19,
    '00000005',
    '00000005: AtrErr: DSID-03190F80, #1: 0: 00000005: DSID-03190F80, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 9005a (unicodePwd)',
  ],
  [
    'compare_failed',
    19,
    '00002081',
    '00002081: AtrErr: DSID-030F112A, #1: 0: 00002081: DSID-030F112A, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 900c2 (adminDisplayName)',
  ],
  ['unexpected', 19, undefined, 'error in module acl: Constraint violation during LDB_MODIFY (19)'],
  ['compare_failed', 20, undefined, "attribute 'adminDisplayName': value #0 on 'CN=ann' already exists"],
  [
    'malformed_value',
    21,
    '00000057',
    '00000057: LdapErr: DSID-0C090D8A, comment: Error in attribute conversion operation, data 0, v1db1',
  ],
  ['account_not_found', 32, '00002030', '00002030: No such Base DN: CN=ghost,DC=corp,DC=test'],
  [
    'account_not_found',
    32,
    '0000208D',
    "0000208D: NameErr: DSID-0310028C, problem 2001 (NO_OBJECT), data 0, best match of: ''",
  ],
  ['malformed_value', 34, '0000208F', '0000208F: NameErr: DSID-03100225, problem 2006 (BAD_NAME), data 8349'],
  ['missing_right', 50, undefined, 'error in module acl: insufficient access rights during LDB_MODIFY (50)'],
  ['missing_right', 50, '00002098', '00002098: Object CN=ann has no write property access'],
  [
    'missing_right',
    50,
    '00000005',
    '00000005: SecErr: DSID-031A1190, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0',
  ],
  ['busy', 51, '0000200E', '0000200E: SvcErr: DSID-03211FC0, problem 5001 (BUSY), data 0'],
  ['busy', 52, '00000000', '00000000: LdapErr: DSID-0C091061, comment: Server is unavailable'],
  [
    'malformed_value',
    53,
    '0000001F',
    '0000001F: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0',
  ],
  [
    'malformed_value',
    53,
    '00002035',
    "00002035: setup_io: it's not allowed to set the NT hash password directly'",
  ],
  ['malformed_value', 53, '00002077', '00002077: pwdLastSet cannot be deleted'],
  ['unexpected', 53, undefined, 'no reason'],
  ['malformed_value', 80, '00000057', '00000057: pwdLastSet must be 0 or -1 only!'],
  ['busy', 80, undefined, 'other'],
  ['unexpected', 122, undefined, 'Assertion Failed'],
]
test.each(REFUSALS)('%s is what code %i with %s means', (kind, code, hex, diagnostic) => {
  expect(classifyRefusal({ code, diagnostic })).toEqual({ kind, code, hex, diagnostic })
})

test('19 without hex digits is a change that is not permitted, and nothing else is', () => {
  for (const [kind, code, hex, diagnostic] of REFUSALS) {
    const expected = code === 19 && hex === undefined ? 'change_not_permitted' : kind
    expect(ofChange(classifyRefusal({ code, diagnostic })).kind).toBe(expected)
  }
})

test('a code nobody knows is unexpected, and a diagnostic is cut and cleaned', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 123, max: 2 ** 31 - 1 }),
      fc.string({ maxLength: 40 }),
      (code, diagnostic) => {
        expect(classifyRefusal({ code, diagnostic }).kind).toBe('unexpected')
      },
    ),
    { numRuns: 2000 },
  )
  const dirty = `0000052d: a\r\n\u0000\u001b[31mb\u2028c${'x'.repeat(9000)}`
  const refusal = classifyRefusal({ code: 53, diagnostic: dirty })
  expect(refusal).toMatchObject({ kind: 'password_policy', hex: '0000052D' })
  expect(refusal.diagnostic).toMatch(/^0000052d: a \[31mb cx+$/)
  expect(refusal.diagnostic.length).toBeLessThanOrEqual(500)
})

test('GUIDs and SIDs read as people write them', () => {
  const guid = Buffer.from('33221100554477668899aabbccddeeff', 'hex')
  expect(guidText(guid)).toBe('00112233-4455-6677-8899-aabbccddeeff')
  expect(guidText(guid.subarray(1))).toBeUndefined()
  expect(isGuid('00112233-4455-6677-8899-aabbccddeeff')).toBe(true)
  for (const wrong of [
    '',
    '00112233-4455-6677-8899-AABBCCDDEEFF',
    '00112233-4455-6677-8899-aabbccddeeff>',
    'x',
  ]) {
    expect(isGuid(wrong)).toBe(false)
    expect(() => dnOfGuid(wrong)).toThrow(expect.objectContaining({ code: 'ERR_DOCUMENT_INVALID' }))
  }
  const sid = Buffer.from('010500000000000515000000010000000200000003000000f4010000', 'hex')
  expect(sidText(sid)).toBe('S-1-5-21-1-2-3-500')
  expect(sidText(sid.subarray(0, 27))).toBeUndefined()
  expect(sidText(Buffer.alloc(0))).toBeUndefined()
})

test('times count from 1601 and know never', () => {
  expect(momentOfFileTime(133_801_632_000_000_000n)).toBe(Date.UTC(2025, 0, 1))
  for (const never of [0n, -1n, 0x7fff_ffff_ffff_ffffn]) expect(momentOfFileTime(never)).toBeUndefined()
  expect(momentOfGeneralizedTime('20260131235959.0Z')).toBe(Date.UTC(2026, 0, 31, 23, 59, 59))
  expect(momentOfGeneralizedTime('2026')).toBeUndefined()
  const evening = Date.UTC(2026, 0, 31, 23)
  for (const same of [
    '2026013123Z',
    '202601312300Z',
    '20260131230000,000Z',
    '20260201010000+0200',
    '2026013120-03',
  ])
    expect(momentOfGeneralizedTime(same)).toBe(evening)
  expect(momentOfGeneralizedTime('2026013123.5Z')).toBe(evening + 1_800_000)
  expect(momentOfGeneralizedTime('202601312300,25Z')).toBe(evening + 15_000)
  expect(momentOfGeneralizedTime('20260131230000.1239Z')).toBe(evening + 123)
  expect(momentOfGeneralizedTime('20260131230060Z')).toBe(evening + 60_000)
  expect(new Date(momentOfGeneralizedTime('000001010000Z') ?? 0).getUTCFullYear()).toBe(0)
  expect(momentOfGeneralizedTime('00000101000000Z')).toBe(momentOfGeneralizedTime('000001010000Z'))
  for (const none of [
    '20260131235959',
    '20260230000000Z',
    '20261301000000Z',
    '20260101240000Z',
    '2026010100.Z',
    '2026010100+2Z',
    '',
  ])
    expect(momentOfGeneralizedTime(none)).toBeUndefined()
  expect(largeInteger('9223372036854775807')).toBe(9_223_372_036_854_775_807n)
  expect(largeInteger('9e9')).toBeUndefined()
})

function metadata(
  entries: readonly (readonly [attribute: number, version: number, seconds: bigint])[],
): Buffer {
  const blob = Buffer.alloc(16 + entries.length * 48)
  blob.writeUInt32LE(1, 0)
  blob.writeUInt32LE(entries.length, 8)
  for (const [at, [attribute, version, seconds]] of entries.entries()) {
    blob.writeUInt32LE(attribute, 16 + at * 48)
    blob.writeUInt32LE(version, 20 + at * 48)
    blob.writeBigUInt64LE(seconds, 24 + at * 48)
    blob.writeUInt32LE(at + 1, 32 + at * 48)
  }
  return blob
}

test('the metadata knows an attribute by its own id, else by its OID', () => {
  expect(attributeIdOf('1.2.840.113556.1.4.90', undefined)).toBe(0x9005a)
  // adminDisplayName, description, and an attribute that an administrator added.
  expect(attributeIdOf('1.2.840.113556.1.2.194', undefined)).toBe(0x200c2)
  expect(attributeIdOf('2.5.4.13', undefined)).toBe(0xd)
  expect(attributeIdOf('1.3.6.1.4.1.99999.1', '-2147483647')).toBe(0x80000001)
  for (const oid of [undefined, '', 'x', '1.3.6.1.4.1.99999.1', '1.2.840.113556.1.4.16384'])
    expect(attributeIdOf(oid, undefined)).toBeUndefined()
})

test('the password version is read from the replication metadata, and from nothing damaged', () => {
  const blob = metadata([
    [0x90001, 3, 1n],
    [0x9005a, 7, 13_380_163_200n],
  ])
  const origin = '00000002-0000-0000-0000-000000000000'
  expect(passwordVersionOf(blob)).toEqual({ version: 7, changedAtMs: Date.UTC(2025, 0, 1), origin })
  expect(originOf(blob, 0x90001)).toBe('00000001-0000-0000-0000-000000000000')
  expect([originOf(blob, 0x90002), originOf(blob, undefined), originOf(undefined, 1)]).toEqual([
    ...[undefined, undefined, undefined],
  ])
  // Readable, but the password was never set.
  expect(passwordVersionOf(metadata([[0x90001, 3, 1n]]))).toEqual({ version: 0, changedAtMs: 0 })
  expect(passwordVersionOf(undefined)).toBeUndefined()
  for (let length = 0; length < blob.length; length++) {
    expect(passwordVersionOf(blob.subarray(0, length))).toBeUndefined()
    expect(originOf(blob.subarray(0, length), 0x90001)).toBeUndefined()
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      passwordVersionOf(Buffer.from(bytes))
    }),
    { numRuns: 1000 },
  )
})

const clear = (bytes: Uint8Array | string) => Buffer.from(bytes as string) as ClearBytes

test('any Unicode password becomes the quoted UTF-16 that the directory wants', () => {
  const password = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 60 })
    .filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(password, (text) => {
      expect(unicodePassword(clear(text))).toEqual(Buffer.from(`"${text}"`, 'utf16le'))
    }),
    { numRuns: 2000 },
  )
  const value = unicodePassword(clear('x'))
  expect(value.buffer.byteLength).toBe(value.length)
})

test.each([
  ['empty', ''],
  ['with a NUL', '61 00 62'],
  ['with a lone surrogate', 'ed a0 80'],
  ['with a cut sequence', '61 e2 82'],
  ['with an overlong sequence', 'c0 af'],
  ['with a continuation alone', '80'],
  ['above U+10FFFF', 'f4 90 80 80'],
  ['with a byte UTF-8 never has', 'ff'],
])('a password %s is refused', (_name, hex) => {
  expect(() => unicodePassword(clear(Buffer.from(hex.replaceAll(' ', ''), 'hex')))).toThrow(
    expect.objectContaining({ code: 'ERR_PASSWORD_UNREPRESENTABLE', retry: 'never' }),
  )
})

test('exactly the valid UTF-8 strings are accepted', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 6 }), (bytes) => {
      let expected: string | undefined
      try {
        expected = decoder.decode(bytes)
      } catch {}
      const representable = expected !== undefined && !expected.includes('\0')
      if (representable) expect(unicodePassword(clear(bytes)).toString('utf16le')).toBe(`"${expected}"`)
      else expect(() => unicodePassword(clear(bytes))).toThrow()
    }),
    { numRuns: 5000 },
  )
})

test('one modify carries the marker first, then the password and what was asked beside it', () => {
  const marker = { attribute: 'adminDisplayName', before: 'old', after: 'new' }
  const changes = writeChanges(marker, {
    kind: 'reset',
    unicodePwd: Buffer.of(1),
    unlock: true,
    mustChange: true,
  })
  expect(changes.map((change) => [change.operation, change.attribute, change.values[0]?.toString()])).toEqual(
    [
      ['delete', 'adminDisplayName', 'old'],
      ['add', 'adminDisplayName', 'new'],
      ['replace', 'unicodePwd', '\u0001'],
      ['replace', 'lockoutTime', '0'],
      ['replace', 'pwdLastSet', '0'],
    ],
  )
  const rest = (effect: EncodedEffect) =>
    writeChanges(marker, effect)
      .slice(2)
      .map((change) => [change.operation, change.attribute, change.values[0]?.toString()])
  expect(rest({ kind: 'unlock' })).toEqual([['replace', 'lockoutTime', '0']])
  expect(rest({ kind: 'change', oldUnicodePwd: Buffer.of(1), newUnicodePwd: Buffer.of(2) })).toEqual([
    ['delete', 'unicodePwd', '\u0001'],
    ['add', 'unicodePwd', '\u0002'],
  ])
  expect(fenceChanges({ ...marker, before: undefined }).map((change) => change.operation)).toEqual(['add'])
})

test('policy hints are critical, with the newest number the server offers', () => {
  const value = Buffer.from('3003020101', 'hex')
  const newer = '1.2.840.113556.1.4.2239'
  const older = '1.2.840.113556.1.4.2066'
  expect(policyHintsControl(new Set([older, newer]))).toEqual({ oid: newer, critical: true, value })
  expect(policyHintsControl(new Set([older]))).toEqual({ oid: older, critical: true, value })
  expect(policyHintsControl(new Set())).toBeUndefined()
})

test('addresses are LDAPS, and never a global catalog', () => {
  expect(parseEndpoint('ldaps://dc1.corp.test')).toMatchObject({ host: 'dc1.corp.test', port: 636 })
  const six = parseEndpoint('ldaps://[::1]:1636', { serverName: 'dc1.corp.test' })
  expect(six).toMatchObject({ host: '::1', port: 1636, serverName: 'dc1.corp.test' })
  expect(serverNameIndication(six)).toBe('dc1.corp.test')
  expect(serverNameIndication(parseEndpoint('ldaps://10.0.0.1'))).toBe('')
  expect(() => parseEndpoint('ldaps://dc1:3269')).toThrow(
    expect.objectContaining({ code: 'ERR_DIRECTORY_UNSUITABLE' }),
  )
  for (const url of ['ldap://dc1', 'https://dc1', 'dc1', 'ldaps://']) {
    expect(() => parseEndpoint(url)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }))
  }
})

test('the directory is asked for its time again as soon as the two clocks of this host part', () => {
  const clock = createManualClock(1_000_000)
  // Whole seconds are told: half a second more is the likeliest.
  const reading = (timeMs: number) => ({
    ...{ sentMs: clock.monotonicMs() - 100, answeredMs: clock.monotonicMs(), timeMs, resolutionMs: 1_000 },
  })
  const time = createDirectoryTime(clock, reading(1_000_000))
  clock.pass(59_000)
  expect([time.isOld(), time.nowMs()]).toEqual([false, 1_059_550])
  clock.shiftWall(1_500)
  expect([time.isOld(), time.nowMs()]).toEqual([true, 1_059_550])
  time.asked(reading(1_059_000))
  expect([time.isOld(), time.nowMs()]).toEqual([false, 1_059_550])
  clock.shiftWall(-1_500)
  expect(time.isOld()).toBe(true)
  time.asked(reading(1_059_000))
  clock.pass(60_000)
  expect(time.isOld()).toBe(true)
})
