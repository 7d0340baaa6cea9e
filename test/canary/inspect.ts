// Looks through collected parts and through the memory of the programs; sorts what is found into leaks and what may be.

import type { CanaryWorld, ClearMessage } from './canary-world.ts'
import type { Part } from './collect.ts'
import { scanMemory } from './scan-memory.ts'
import { createSearch, type Found, type Search, type Secret } from './search.ts'
import type { Encoding } from './secret-forms.ts'
import { isRightful, PASSWORD_PLACES, type Sink } from './sinks.ts'

/** A secret where none belongs. Never shows the secret itself. */
export interface Hit {
  readonly sink: Sink
  readonly place: string
  readonly found: Found
}

/** What a look found. */
export interface Inspection {
  readonly hits: readonly Hit[]
  /** Secrets where they belong. */
  readonly rightful: number
  readonly bytes: number
}

const sort = (all: readonly Hit[], bytes: number): Inspection => {
  const hits = all.filter(
    ({ sink, place, found }) => !isRightful(found.secret.kind, found.encoding, sink, place),
  )
  return { hits, rightful: all.length - hits.length, bytes }
}

/** Looks through the parts. */
export function inspectParts(search: Search, parts: readonly Part[]): Inspection {
  const all = parts.flatMap(({ sink, place, bytes }) =>
    search.find(bytes).map((found) => ({ sink, place, found })),
  )
  return sort(
    all,
    parts.reduce((sum, { bytes }) => sum + bytes.length, 0),
  )
}

/** Looks through the memory of agent, store and Redis. */
export function inspectMemory(search: Search, { world, redisPid }: CanaryWorld): Inspection {
  const pids = { agent: world.agent.pid(), store: world.store.pid(), Redis: redisPid() }
  const scans = Object.entries(pids).map(([place, pid]) => ({ place, ...scanMemory(pid, search) }))
  return sort(
    scans.flatMap(({ place, found }) =>
      found.map((one) => ({ sink: 'process memory' as const, place, found: one })),
    ),
    scans.reduce((sum, { bytes }) => sum + bytes, 0),
  )
}

/** Messages that write a password, and those of them that do not hold each of theirs exactly once. */
export function countWritten(
  messages: readonly ClearMessage[],
  secrets: readonly Secret[],
): { readonly writes: number; readonly wrong: number } {
  const search = createSearch(secrets)
  const writes = messages.filter(({ place }) => Object.values(PASSWORD_PLACES).includes(place))
  const wrong = writes.filter(({ bytes, passwords, place }) => {
    const form: Encoding = place === PASSWORD_PLACES['unicodepwd'] ? 'quoted UTF-16LE' : 'UTF-8'
    const written = search.find(bytes).filter(({ encoding }) => encoding === form)
    return written.length !== passwords
  })
  return { writes: writes.length, wrong: wrong.length }
}
