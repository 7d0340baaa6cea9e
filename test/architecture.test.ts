// The house rules that can be read from the imports: levels, packages and their rooms, and who may name clear bytes.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from '@jest/globals'
import { VERSION } from '../src/protocol/version.ts'

const SOURCE = path.resolve(import.meta.dirname, '../src')

/** Level of each room; the longest prefix counts. Imports go to a lower level, or stay in the room. */
const LEVELS: readonly (readonly [room: string, level: number])[] = [
  ['main.ts', 7],
  ['cli', 6],
  ['agent', 5],
  ['service', 5],
  ['reset-store', 5],
  ['agent/intake', 4],
  ['agent/writeback', 4],
  ['agent/schedule', 4],
  ['agent/ops', 4],
  ['agent/store-client', 3],
  ['agent/queue', 3],
  ['agent/journal', 3],
  ['agent/audit', 3],
  ['agent/directory', 3],
  ['agent/discovery', 3],
  ['agent/keys', 3],
  ['reset-store/http', 4],
  ['reset-store/requests', 3],
  ['reset-store/verification', 3.5],
  ['reset-store/database', 2],
  ['agent/decisions', 2],
  ['protocol', 1],
  ['config', 1],
  ['telemetry', 1],
  // Below everything: even the lowest rooms fail with a code, and wipe their bytes.
  ['errors', -1],
  ['clock', 0],
  ['policy', 0],
  ['ldap-wire', 0],
  ['disk', 0],
  ['memory', -1],
]

/** Where each package may be named, and why it stays there. */
const PACKAGES: Readonly<Record<string, { readonly rooms: readonly string[]; readonly why: string }>> = {
  ldapts: { rooms: ['agent/directory'], why: 'the rest of the agent knows accounts, not LDAP' },
  bullmq: { rooms: ['agent/queue'], why: 'the queue may be replaced and may vanish' },
  '@bull-board/api': { rooms: ['agent/queue'], why: 'it shows the queue as BullMQ holds it' },
  ioredis: { rooms: ['agent/queue'], why: 'the queue may be replaced and may vanish' },
  fastify: { rooms: ['agent/ops', 'reset-store/http'], why: 'HTTP stays at the edge' },
  'node:https': {
    rooms: ['agent/store-client', 'cli', 'reset-store/http'],
    why: 'one place a program decides about trust, proxies and deadlines',
  },
  'node-cron': { rooms: ['agent/schedule'], why: 'one clock for housekeeping' },
  winston: { rooms: ['telemetry'], why: 'one place redacts' },
  argon2: { rooms: ['agent/keys', 'reset-store/verification'], why: 'hashing secrets is their job' },
  commander: { rooms: ['cli'], why: 'words of the command line stay there' },
  yaml: { rooms: ['config'], why: 'one place reads configuration' },
  '@noble/hashes/legacy.js': {
    rooms: ['policy'],
    why: 'blocklists hash without a promise, also in a browser',
  },
  '@noble/hashes/sha2.js': { rooms: ['policy'], why: 'blocklists hash without a promise, also in a browser' },
  'node:sqlite': {
    rooms: ['agent/journal', 'reset-store/database'],
    why: 'SQL stays behind a journal and a repository',
  },
}

interface Import {
  readonly file: string
  readonly target: string
}

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
)
const imports: readonly Import[] = files.flatMap((file) => {
  const text = readFileSync(path.join(SOURCE, file), 'utf8')
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, target = '']) => ({ file, target }))
})

function roomOf(file: string): readonly [string, number] {
  const fits = LEVELS.filter(([room]) => file === room || file.startsWith(`${room}/`))
  const longest = fits.sort(([a], [b]) => b.length - a.length)[0]
  if (!longest) throw new Error(`${file} lies in no room of the architecture`)
  return longest
}

test('every file lies in a room', () => {
  for (const file of files) expect(roomOf(file)).toBeDefined()
})

test('imports go down only, and rooms of one level never import each other', () => {
  const wrong = imports.flatMap(({ file, target }) => {
    if (!target.startsWith('.')) return []
    const to = path.relative(SOURCE, path.resolve(SOURCE, path.dirname(file), target))
    const [room, level] = roomOf(file)
    const [otherRoom, otherLevel] = roomOf(to)
    const isAllowed = room === otherRoom || otherLevel < level
    return isAllowed
      ? []
      : [`${file} (${room}, level ${level}) imports ${to} (${otherRoom}, level ${otherLevel})`]
  })
  expect(wrong).toEqual([])
})

test('agent and store meet in the contract only', () => {
  const wrong = imports.filter(
    ({ file, target }) =>
      (file.startsWith('agent/') && target.includes('reset-store/')) ||
      (file.startsWith('reset-store/') && target.includes('/agent/')),
  )
  expect(wrong).toEqual([])
})

test.each(Object.entries(PACKAGES))('%s is named in its rooms only', (name, { rooms, why }) => {
  const strangers = imports.filter(
    ({ file, target }) => target === name && !rooms.some((room) => file.startsWith(`${room}/`)),
  )
  expect({ why, strangers }).toEqual({ why, strangers: [] })
})

test('policy, and what it imports, runs in a browser', () => {
  const named = imports.filter(
    ({ file, target }) => file.startsWith('policy/') && /^[\w@.][\w@./:-]*$/.test(target),
  )
  const allowed = /^(\.\/|\.\.\/errors\/|@noble\/hashes\/)/
  expect(named.filter(({ target }) => !allowed.test(target))).toEqual([])
  const ofNode = /'node:|\bBuffer\b|\bprocess\./
  const strangers = files.filter(
    (file) => /^(policy|errors)\//.test(file) && ofNode.test(readFileSync(path.join(SOURCE, file), 'utf8')),
  )
  expect(strangers).toEqual([])
})

test('clear bytes are named only where a password is opened, written and sent', () => {
  const allowed = /^agent\/(decisions\/clear-bytes|keys\/|writeback\/write-password|directory\/)/
  const strangers = files.filter(
    (file) => !allowed.test(file) && readFileSync(path.join(SOURCE, file), 'utf8').includes('ClearBytes'),
  )
  expect(strangers).toEqual([])
})

test('only main.ts touches the process', () => {
  const touches = /\bprocess\.(argv|env|exitCode|exit\(|stdout|stderr|stdin)/
  const strangers = files.filter(
    (file) => file !== 'main.ts' && touches.test(readFileSync(path.join(SOURCE, file), 'utf8')),
  )
  expect(strangers).toEqual([])
})

test('certificate checks cannot be switched off', () => {
  const texts = files
    .filter((file) => file !== 'cli/unsafe-runtime.ts')
    .map((file) => readFileSync(path.join(SOURCE, file), 'utf8'))
  expect(texts.join('\n')).not.toMatch(/rejectUnauthorized:\s*false|NODE_TLS_REJECT_UNAUTHORIZED/)
})

test('every file says at its top what it is for', () => {
  const silent = files.filter(
    (file) => !/^(#!.*\n)?\/\/ /.test(readFileSync(path.join(SOURCE, file), 'utf8')),
  )
  expect(silent).toEqual([])
})

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(path.join(SOURCE, '../package.json'), 'utf8'))
  expect(VERSION).toBe(version)
})
