// What the proofs on real servers run of themselves, and on which directory: the commit's hash decides, so that commits take
// turns and a run can be repeated. Words on the command line go before it.
import { execFileSync } from 'node:child_process'
import { DIRECTORY_KINDS, type DirectoryKind } from './directory-kinds.ts'
import { PASSWORD_SCHEMES, type PasswordScheme } from './slapd-template.ts'

/** One commit's share. */
export interface Turn {
  /** Of the crash matrix. */
  readonly third: 0 | 1 | 2
  /** The directory of the crash matrix; that of chaos is the other one. */
  readonly crashes: DirectoryKind
  readonly chaos: DirectoryKind
  /** How the one that is OpenLDAP keeps passwords. */
  readonly scheme: PasswordScheme
}

/** The directory that a proof runs on. */
export interface ProofDirectory {
  readonly kind: DirectoryKind
  /** Of OpenLDAP alone. */
  readonly scheme: PasswordScheme | undefined
}

/** The commit of the working tree; `0` where there is none to ask. */
export function readCommit(): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  } catch {
    return '0'
  }
}

/** The share of a commit, by its hash in hexadecimal digits: each of the twelve shares is as likely as any other. */
export function turnOf(commit: string): Turn {
  const hash = BigInt(`0x${commit}`)
  const directory = Number((hash / 3n) % 2n)
  return {
    third: Number(hash % 3n) as Turn['third'],
    crashes: DIRECTORY_KINDS[directory] as DirectoryKind,
    chaos: DIRECTORY_KINDS[1 - directory] as DirectoryKind,
    scheme: PASSWORD_SCHEMES[Number((hash / 6n) % 2n)] as PasswordScheme,
  }
}

/** The words `--directory` and `--scheme`, and the commit's choice where one is not given. Throws for a word it does not know. */
export function chooseDirectory(
  wish: { readonly directory?: string | undefined; readonly scheme?: string | undefined },
  chosen: DirectoryKind,
  scheme: PasswordScheme,
): ProofDirectory {
  const kind = known('directory', DIRECTORY_KINDS, wish.directory ?? chosen)
  if (kind === 'openldap') return { kind, scheme: known('scheme', PASSWORD_SCHEMES, wish.scheme ?? scheme) }
  if (wish.scheme !== undefined) throw new Error(`${kind} has no --scheme`)
  return { kind, scheme: undefined }
}

/** The words that choose this directory again. */
export const wordsOf = ({ kind, scheme }: ProofDirectory): string =>
  `--directory ${kind}${scheme === undefined ? '' : ` --scheme '${scheme}'`}`

function known<T extends string>(what: string, all: readonly T[], word: string): T {
  const found = all.find((one) => one === word)
  if (found === undefined) throw new Error(`no ${what} ${word}: ${all.join(', ')}`)
  return found
}
