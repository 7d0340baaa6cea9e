// One leak in each encoding, as a program would really write it.
import { md4 } from './md4.ts'
import type { Encoding } from './secret-forms.ts'

/** The leaks of a word, which is ASCII of 15 characters. */
export function leakExamples(word: string): Readonly<Record<Encoding, string | Buffer>> {
  const secret = Buffer.from(word)
  const wide = Buffer.from(word, 'utf16le')
  return {
    'UTF-8': `log: ${word}`,
    'UTF-16LE': Buffer.concat([Buffer.from('x'), wide]),
    'UTF-16BE': Buffer.concat([Buffer.from('xyz'), Buffer.from(wide).swap16()]),
    'quoted UTF-16LE': Buffer.from(`"${word}"`, 'utf16le'),
    base64: Buffer.from(`${word}, and more`).toString('base64'),
    base64url: Buffer.from(`{"p":"${word}"}`).toString('base64url'),
    hex: wide.toString('hex'),
    'JSON escapes': [...word]
      .map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
    'byte array': JSON.stringify(Buffer.from(`"${word}"`, 'utf16le')),
    'inspected Buffer': `<Buffer 22 00 ${wide.toString('hex').replace(/..(?!$)/g, '$& ')} 22 00>`,
    percent: `https://store.test/?p=${encodeURIComponent(word)}`,
    'BER hex': `(unicodePwd=\\04\\0f${secret.toString('hex').replace(/../g, '\\$&')})`,
    reversed: [...word].reverse().join(''),
    hash: md4(wide).toString('hex'),
  }
}
