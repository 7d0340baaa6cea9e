// Every encoding is what it says, and the search finds each of its forms wherever it stands.
import { expect, test } from '@jest/globals'
import { md4 } from './md4.ts'
import { createSearch } from './search.ts'
import { ENCODINGS, type Encoding, secretForms } from './secret-forms.ts'

const word = 'Canary-Word!8?>'
const secret = Buffer.from(word)
const wide = Buffer.from(word, 'utf16le')
const search = createSearch([{ kind: 'word', bytes: secret }])
const encodingsIn = (bytes: Buffer): ReadonlySet<string> =>
  new Set(search.find(bytes).map(({ encoding }) => encoding))

/** A leak in each encoding, as a program would really write it. */
const LEAKS = {
  'UTF-8': `log: ${word}`,
  'UTF-16LE': Buffer.concat([Buffer.from('x'), wide]),
  'UTF-16BE': Buffer.concat([Buffer.from('xyz'), Buffer.from(wide).swap16()]),
  'quoted UTF-16LE': Buffer.from(`"${word}"`, 'utf16le'),
  base64: Buffer.from(`${word}, and more`).toString('base64'),
  base64url: Buffer.from(`{"p":"${word}"}`).toString('base64url'),
  hex: wide.toString('hex'),
  'JSON escapes': [...word].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
  'byte array': JSON.stringify(Buffer.from(`"${word}"`, 'utf16le')),
  'inspected Buffer': `<Buffer 22 00 ${wide.toString('hex').replace(/..(?!$)/g, '$& ')} 22 00>`,
  percent: `https://store.test/?p=${encodeURIComponent(word)}`,
  'BER hex': `(unicodePwd=\\04\\0f${secret.toString('hex').replace(/../g, '\\$&')})`,
  reversed: [...word].reverse().join(''),
  hash: md4(wide).toString('hex'),
} as const satisfies Record<Encoding, string | Buffer>

test.each(Object.entries(LEAKS))('finds what a program leaked as %s', (encoding, leak) => {
  expect(encodingsIn(Buffer.from(leak))).toContain(encoding)
})

test('there are fourteen encodings', () => {
  expect(Object.keys(ENCODINGS)).toHaveLength(14)
})

test('every form is found at every alignment, at the end of the bytes too', () => {
  for (const { encoding, bytes } of secretForms(secret))
    for (let before = 0; before < 5; before += 1) {
      const place = Buffer.concat([Buffer.alloc(before, '.'), bytes])
      expect(search.find(place)).toContainEqual(expect.objectContaining({ encoding, at: before }))
    }
})

test('finds a base64 leak at each of its three alignments', () => {
  for (const before of ['', 'a', 'ab'])
    expect(encodingsIn(Buffer.from(Buffer.from(`${before}${word}`).toString('base64')))).toContain('base64')
})

test('the hash that a domain controller keeps is the known one', () => {
  expect(md4(Buffer.from('password', 'utf16le')).toString('hex')).toBe('8846f7eaee8fb117ad06bdd830b7586c')
  expect(md4(Buffer.alloc(80, 'a'))).toHaveLength(16)
})

test('finds nothing where nothing is, and not a part of a secret', () => {
  expect(search.find(Buffer.alloc(100_000, '7Canary-Wor'))).toEqual([])
  expect(search.find(Buffer.alloc(0))).toEqual([])
  expect(search.find(Buffer.alloc(7))).toEqual([])
})

test('refuses a secret that would be found by chance', () => {
  expect(() => createSearch([{ kind: 'short', bytes: Buffer.from('Abc-123') }])).toThrow('less than')
})
