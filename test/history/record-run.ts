// The recorder of a real run: one clock for all observers, the names of the secrets in use, and the file that is written.
import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import type { HistoryEvent, SecretName } from './event.ts'
import type { SupervisorSaid } from './index-history.ts'

/** What a secret is called: only its digest is kept. */
export interface SecretNames {
  /** `name`: `first:<account>`, `foreign:<n>`, or `new:` and `old:` with the request. */
  readonly learn: (name: SecretName, secret: Buffer) => void
  /** What a written value is called. `old`: the value of request `request` that must be there before. */
  readonly nameOf: (digest: string, request: string | undefined, isOld: boolean) => SecretName
}

/** Takes down what is observed. */
export interface Recorder {
  readonly now: () => number
  /** Store time, or any other wall clock in milliseconds, as time of the run. */
  readonly atWall: (wallMs: number) => number
  readonly add: (event: HistoryEvent) => void
  readonly secrets: SecretNames
  readonly events: () => readonly HistoryEvent[]
  /** Writes all as JSON lines, in the order of `at`. */
  readonly write: (file: string) => void
}

/** SHA-256 of a password as unicodePwd carries it (quoted, UTF-16 little endian), and as userPassword does. */
const digestsOf = (password: Buffer): readonly string[] =>
  [Buffer.from(`"${password.toString()}"`, 'utf16le'), password].map((value) =>
    createHash('sha256').update(value).digest('hex'),
  )

/** Starts the record of a run; its clock is the wall clock of this host, which all its processes share. */
export function createRecorder(run: Omit<SupervisorSaid<'run'>, 'at' | 'observer' | 'kind'>): Recorder {
  const origin = Date.now()
  const events: HistoryEvent[] = [{ at: 0, observer: 'supervisor', kind: 'run', ...run }]
  const sorted = () => events.toSorted((a, b) => a.at - b.at)
  return {
    now: () => Date.now() - origin,
    atWall: (wallMs) => wallMs - origin,
    add: (event) => events.push(event),
    secrets: createSecretNames(),
    events: sorted,
    write: (file) => {
      writeFileSync(file, '')
      for (const event of sorted()) appendFileSync(file, `${JSON.stringify(event)}\n`)
    },
  }
}

function createSecretNames(): SecretNames {
  const names = new Map<string, SecretName[]>()
  return {
    learn: (name, secret) => {
      for (const digest of digestsOf(secret)) names.set(digest, [...(names.get(digest) ?? []), name])
    },
    nameOf: (digest, request, isOld) => {
      const known = names.get(digest) ?? []
      const wanted = `${isOld ? 'old' : 'new'}:${request}`
      return known.find((name) => name === wanted) ?? known.find((name) => !name.startsWith('old:')) ?? '?'
    },
  }
}

/** Reads a file of JSON lines. */
export const readHistory = (file: string): HistoryEvent[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as HistoryEvent)
