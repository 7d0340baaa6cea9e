// Everything that came out of the programs so far, part by part, each with the sink it belongs to.
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { CanaryWorld } from './canary-world.ts'
import type { HttpPart } from './http-recorder.ts'
import type { Sink } from './sinks.ts'

/** A piece of a sink. */
export interface Part {
  readonly sink: Sink
  readonly place: string
  readonly bytes: Buffer
}

const HTTP_SINKS: Readonly<Record<HttpPart, Sink>> = {
  address: 'HTTP addresses',
  'request header': 'HTTP headers',
  'answer header': 'HTTP headers',
  'request body': 'HTTP request bodies',
  'answer body': 'HTTP answer bodies',
}
const DUMP = /(^|\/)(core[^/]*|report\.[^/]*|[^/]*\.(heapsnapshot|heapprofile|cpuprofile|dmp)|isolate[^/]*)$/

/** Collects. The agent is running. */
export async function collect(canary: CanaryWorld): Promise<readonly Part[]> {
  const { world, redis, redisContents, opsAnswers, commands, processes, journal, messages, recorder } = canary
  redisContents.push(await redis.read())
  for (const at of ['/livez', '/readyz', '/status', '/metrics'])
    opsAnswers.push(JSON.stringify(await world.ops(at)))
  const part = (sink: Sink, place: string, bytes: Buffer | string): Part => ({
    ...{ sink, place },
    bytes: Buffer.from(bytes),
  })
  return [
    ...logParts(world.directory),
    ...redisContents.flatMap(({ keys, slowLog, errors }) => [
      ...keys.map(({ key, type, bytes }) =>
        part(type === 'stream' ? 'Redis events stream' : 'Redis keys', key, bytes),
      ),
      part('Redis slow log', '', slowLog),
      part('errors of jobs', 'job', errors),
    ]),
    ...monitorParts(redis.monitored()),
    ...fileParts(world.directory),
    ...outboxParts(world.agent.stateDirectory),
    ...merged(recorder.pieces().map((piece) => part(HTTP_SINKS[piece.part], piece.part, piece.bytes))),
    part('operators’ socket', '', opsAnswers.join('\n')),
    part('command output', '', commands.printed()),
    part('debug output', '', commands.debugged()),
    ...journal.logs().map((bytes) => part('journal WAL', 'as it was', bytes)),
    ...processes.commandLines().map((bytes) => part('command lines', '', bytes)),
    ...processes.environments().map((bytes) => part('environments', '', bytes)),
    ...merged(messages.map(({ place, bytes }) => part('LDAP clear side', place, bytes))),
  ]
}

/** Parts of one place as one: a pass over a few large pieces is faster than over many small ones. */
function merged(parts: readonly Part[]): readonly Part[] {
  return [...Map.groupBy(parts, ({ sink, place }) => `${sink}\0${place}`).values()].flatMap((group) => {
    const [first] = group
    return first ? [{ ...first, bytes: Buffer.concat(group.map(({ bytes }) => bytes)) }] : []
  })
}

/** What the agent prints is its log, line by line; whatever else stands there did not pass the logger. */
function logParts(directory: string): readonly Part[] {
  const read = (name: string) => readFileSync(path.join(directory, name), 'utf8')
  const lines = Object.groupBy(read('agent.log').split('\n'), (line) =>
    line.startsWith('{') ? 'logged' : 'other',
  )
  const part = (sink: Sink, text: string): Part => ({ sink, place: '', bytes: Buffer.from(text) })
  return [
    part('agent log', (lines.logged ?? []).join('\n')),
    part('agent stdout', (lines.other ?? []).join('\n')),
    part('agent stderr', read('agent.log.errors')),
    part('store output', read('store.log')),
    part('store output', read('store.log.errors')),
  ]
}

function monitorParts(lines: readonly string[]): readonly Part[] {
  const failures = lines.filter((line) => /failedReason|stacktrace|ERR_|Error/.test(line))
  const bytes = (text: readonly string[]) => Buffer.from(text.join('\n'), 'latin1')
  return [
    { sink: 'Redis MONITOR', place: '', bytes: bytes(lines) },
    { sink: 'errors of jobs', place: 'as handed to Redis', bytes: bytes(failures) },
  ]
}

/** Every file of the world, under the sink that its path says. */
function fileParts(directory: string): readonly Part[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).flatMap((name): Part[] => {
    const file = path.join(directory, name)
    // Agent and store made these themselves a moment ago, and may have removed them.
    if (!statSync(file, { throwIfNoEntry: false })?.isFile() || /\.log(\.errors)?$/.test(name)) return []
    const sink = sinkOf(name)
    const place = sink === 'store files' ? path.relative('store', name) : name
    return [{ sink, place, bytes: readFileSync(file) }]
  })
}

function sinkOf(name: string): Sink {
  if (DUMP.test(name)) return 'core, heap and report files'
  if (name.startsWith('tmp/')) return 'temporary directory'
  if (name.startsWith('cwd/')) return 'working directory'
  if (name.startsWith('store/')) return 'store files'
  if (name.endsWith('journal.sqlite')) return 'journal file'
  if (name.endsWith('journal.sqlite-wal')) return 'journal WAL'
  if (name.endsWith('.rdb')) return 'Redis RDB'
  if (name.includes('/appendonlydir/')) return 'Redis AOF'
  return 'state directory'
}

/** The outcomes that the journal holds, with the signed part in clear. Read from a copy: the file is locked. */
function outboxParts(stateDirectory: string): readonly Part[] {
  const copy = mkdtempSync(path.join(os.tmpdir(), 'writeback-test-outbox-'))
  try {
    for (const name of ['journal.sqlite', 'journal.sqlite-wal'])
      if (existsSync(path.join(stateDirectory, name)))
        copyFileSync(path.join(stateDirectory, name), path.join(copy, name))
    const db = new DatabaseSync(path.join(copy, 'journal.sqlite'))
    const rows = db.prepare('SELECT outcome_bytes FROM requests WHERE outcome_bytes IS NOT NULL').all()
    db.close()
    return rows.map((row) => {
      const outcome = String(row['outcome_bytes'])
      const clear = outcome.split('.').map((piece) => Buffer.from(piece, 'base64url').toString('latin1'))
      return { sink: 'outbox', place: '', bytes: Buffer.from([outcome, ...clear].join('\n'), 'latin1') }
    })
  } finally {
    rmSync(copy, { recursive: true })
  }
}
