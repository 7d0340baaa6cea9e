// The offline list of forbidden passwords: which lines it takes, what it finds, and how it bears a million of them.
import { createHash, randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseBlocklist } from '../../src/policy/blocklist.ts'

const hex = (algorithm: string, password: string) => createHash(algorithm).update(password).digest('hex')
const has = (text: string, password: string) => parseBlocklist(text).has(Buffer.from(password))

test('a list mixes words, hashes, comments and blank lines', () => {
  const list = parseBlocklist(
    [
      '\ufeffSommer2026',
      '# a comment',
      '',
      '   ',
      hex('sha1', 'by sha-1'),
      `${hex('sha1', 'Seen Often').toUpperCase()}:24230577`,
      hex('sha256', 'by sha-256'),
      `${hex('sha256', 'seen once').toUpperCase()}:1`,
      'two words\r',
      'last without an end',
    ].join('\n'),
  )
  const listed = ['Sommer2026', 'by sha-1', 'Seen Often', 'by sha-256', 'seen once', 'two words']
  for (const password of [...listed, 'last without an end']) {
    expect([password, list.has(Buffer.from(password))]).toEqual([password, true])
  }
  for (const password of [
    '',
    '   ',
    'a comment',
    '# a comment',
    'Sommer2026!',
    'Sommer202',
    'two',
    'words',
  ]) {
    expect([password, list.has(Buffer.from(password))]).toEqual([password, false])
  }
  expect(list.size).toBe(7)
})

test('words count in any case, hashes for what was hashed alone', () => {
  expect(has('PassWörd', 'pASSwÖRD')).toBe(true)
  expect(has('ΣΟΦΌΣ', 'σοφόΣ')).toBe(true)
  expect(has(hex('sha1', 'password'), 'Password')).toBe(false)
  expect(has(hex('sha256', 'password'), 'Password')).toBe(false)
})

test('a hash of another length is a word, and one with a count is refused', () => {
  const md5 = hex('md5', 'password')
  expect(has(md5, md5.toUpperCase())).toBe(true)
  expect(has(`${hex('sha1', 'password')}:x`, 'password')).toBe(false)
  for (const line of [`${md5}:12`, `${hex('sha512', 'password')}:1`]) {
    expect(() => parseBlocklist(`word\n${line}`)).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG_INVALID',
        message: 'line 2 of the blocklist holds a hash that is neither SHA-1 nor SHA-256',
      }),
    )
  }
})

test.each([
  ['is longer than 1024 characters', 'x'.repeat(1_025)],
  ['holds a control character', 'a\tb'],
  ['holds a control character', 'a\u0000'],
  ['holds a control character', 'a\rb'],
  ['holds a control character', `# \u0085`],
])('a line that %s is refused by its number', (fault, line) => {
  expect(() => parseBlocklist(`one\r\ntwo\n${line}\nfour`)).toThrow(
    expect.objectContaining({
      code: 'ERR_CONFIG_INVALID',
      message: `line 3 of the blocklist ${fault}`,
    }),
  )
})

test('an empty list and one of comments forbid nothing', () => {
  for (const text of ['', '\n\n', '# none', '\ufeff']) {
    const list = parseBlocklist(text)
    expect([list.size, list.has(Buffer.from('')), list.has(Buffer.from('x'))]).toEqual([0, false, false])
  }
})

test('bytes that are not UTF-8 are found by their hash only', () => {
  const bytes = Buffer.from('ff00ff', 'hex')
  expect(parseBlocklist('ÿ').has(bytes)).toBe(false)
  expect(parseBlocklist(createHash('sha1').update(bytes).digest('hex')).has(bytes)).toBe(true)
})

const anyCharacter = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 })
const word = fc
  .string({ unit: fc.oneof(fc.constantFrom(...'aZß İıſé中😀'), anyCharacter), minLength: 1, maxLength: 30 })
  .filter((text) => text.isWellFormed() && !/\p{Cc}|^#|^\s*$|^\ufeff/u.test(text))

test('every listed password is found, as a word and by both hashes; every other is not', () => {
  fc.assert(
    fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 40 }), word, (words, other) => {
      for (const form of [(text: string) => text, (text: string) => hex('sha1', text), sha256WithCount]) {
        const list = parseBlocklist(words.map(form).join('\n'))
        for (const text of words) expect(list.has(Buffer.from(text))).toBe(true)
        const isListed = words.some((text) => text.toLowerCase() === other.toLowerCase())
        if (!isListed) expect(list.has(Buffer.from(other))).toBe(false)
      }
    }),
    { numRuns: 100 },
  )
})
const sha256WithCount = (text: string) => `${hex('sha256', text)}:7`

test('the order of the lines and repeated ones make no difference', () => {
  const lines = Array.from({ length: 300 }, (_, at) => hex('sha1', `p${at}`))
  const sorted = lines.toSorted((a, b) => (a < b ? -1 : 1))
  for (const list of [lines, sorted, sorted.toReversed(), [...lines, ...lines]]) {
    const blocklist = parseBlocklist(list.join('\n'))
    expect(blocklist.size).toBe(300)
    for (let at = 0; at < 600; at += 1) expect(blocklist.has(Buffer.from(`p${at}`))).toBe(at < 300)
  }
})

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')
/** Bytes outside the heap that somebody still holds. */
async function heldBytes(): Promise<number> {
  collectGarbage()
  await new Promise((resolve) => setTimeout(resolve, 50))
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}
function manyHashes(count: number): string {
  const digests = Buffer.from(randomBytes(count * 20).toString('hex'), 'latin1')
  const text = Buffer.alloc(count * 41, '\n')
  for (let at = 0; at < count; at += 1) digests.copy(text, at * 41, at * 40, at * 40 + 40)
  text.write(hex('sha1', 'listed'), 777_777 * 41)
  return text.toString('latin1')
}

test('a million hashes take seconds of processor time to load, and stay under 60 MB', async () => {
  const count = 1_000_000
  const lines = manyHashes(count)
  const before = await heldBytes()
  const cpuBefore = process.cpuUsage()
  const list = parseBlocklist(lines)
  const { user, system } = process.cpuUsage(cpuBefore)
  expect((user + system) / 1e6).toBeLessThan(20)
  const held = (await heldBytes()) - before
  expect(held).toBeGreaterThan(count * 15)
  expect(held).toBeLessThan(60_000_000)
  expect(list.size).toBe(count)
  expect(list.has(Buffer.from('listed'))).toBe(true)
  expect(list.has(Buffer.from('not listed'))).toBe(false)
})
