// The passwords of a run by their names, and the search for them where none may be.
import type { SecretName } from '../history/event.ts'

/** Every password of a run begins so: one search finds all of them. */
const STEM = 'Zq7!canary'

/** The passwords of one run. */
export interface Secrets {
  /** A new password with this name. */
  readonly make: (name: SecretName) => string
  /** The name of a password by its text; `?` for a stranger. */
  readonly nameOf: (text: string) => SecretName
  /** The current password that a change was made with, right or wrong. */
  readonly setOld: (request: string, text: string) => void
  readonly isOld: (request: string, text: string) => boolean
}

/** Makes an empty table. */
export function createSecrets(): Secrets {
  const names = new Map<string, SecretName>()
  const olds = new Map<string, string>()
  return {
    make: (name) => {
      const text = `${STEM}-${names.size.toString(36).padStart(4, '0')}`
      names.set(text, name)
      return text
    },
    nameOf: (text) => names.get(text) ?? '?',
    setOld: (request, text) => void olds.set(request, text),
    isOld: (request, text) => olds.get(request) === text,
  }
}

const utf8 = Buffer.from(STEM)
const utf16 = Buffer.from(STEM, 'utf16le')
const base64Of = (bytes: Buffer): string[] =>
  [0, 1, 2].map((offset) =>
    Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .slice(offset === 0 ? 0 : offset + 1, -4),
  )
const FORMS: readonly (readonly [name: string, text: string])[] = [
  ['UTF-8', STEM],
  ['UTF-16LE', utf16.toString('latin1')],
  ['UTF-16LE as JSON', [...STEM].join('\\u0000')],
  ...[utf8, utf16].flatMap((bytes) => [
    ['hex', bytes.toString('hex')] as const,
    ['byte array', [...bytes].join(',')] as const,
    ['buffer', [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')] as const,
    ...base64Of(bytes).map((text) => ['base64', text] as const),
  ]),
]

/** The forms in which a password occurs in a text. */
export const findLeaks = (text: string): readonly string[] =>
  FORMS.filter(([, form]) => text.includes(form)).map(([name]) => name)
