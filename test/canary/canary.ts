// node test/canary/canary.ts: runs every flow on real servers, Active Directory and OpenLDAP, and searches everything that comes out for six kinds of
// secrets in fourteen encodings. Then leaks on purpose, and must find all of it. Exit status 1: a leak, or a blind search.
import { setTimeout as sleep } from 'node:timers/promises'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'
import { type CanaryWorld, startCanaryWorld } from './canary-world.ts'
import { collect } from './collect.ts'
import { refuseDebugging, runEveryCommand } from './command-words.ts'
import { ALONE, expireUnseen, SIDE_BY_SIDE } from './flows.ts'
import { countWritten, type Hit, inspectMemory, inspectParts } from './inspect.ts'
import { type Plant, plantLeaks } from './plants.ts'
import { createSearch, type Search } from './search.ts'
import { ENCODINGS } from './secret-forms.ts'
import { ABSENT_SINKS, FILLED_BY_COMMANDS, findBlind, SECRET_KINDS, SINKS } from './sinks.ts'

const say = (line: string): void => console.log(line)
const begun = performance.now()
const seconds = (): string => ((performance.now() - begun) / 1000).toFixed(1)

/** Copies of passwords in the programs' memory, one second after the last outcome. */
async function lookIntoMemory(canary: CanaryWorld) {
  await sleep(1_000)
  const passwords = canary
    .secrets()
    .filter(({ kind }) => / password$/.test(kind) && kind !== 'Redis password')
  return inspectMemory(createSearch(passwords), canary)
}

/** Runs every flow; gives their number. Commands are the same whatever the directory is: they run beside the first kind. */
async function runFlows(canary: CanaryWorld, withCommands: boolean) {
  await Promise.all(Object.values(SIDE_BY_SIDE).map((flow) => flow(canary)))
  say(`${seconds()} s: ${Object.keys(SIDE_BY_SIDE).length} flows side by side are done`)
  for (const flow of Object.values(ALONE)) await flow(canary)
  const flows = Object.keys(SIDE_BY_SIDE).length + Object.keys(ALONE).length
  say(`${seconds()} s: ${Object.keys(ALONE).length} flows alone are done`)
  const memory = await lookIntoMemory(canary)
  if (!withCommands) return { flows, memory }
  const ran = await runEveryCommand(canary)
  let refused = 0
  await expireUnseen(canary, async () => {
    refused = await refuseDebugging(canary)
  })
  say(`${seconds()} s: ${ran} commands ran, ${refused} starts with debugging options were refused`)
  return { flows: flows + 1, memory }
}

function describeHits(hits: readonly Hit[]): readonly string[] {
  const kinds = Map.groupBy(
    hits,
    ({ sink, place, found }) => `${found.secret.kind} as ${found.encoding} in ${sink} ${place}`,
  )
  return [...kinds].map(([what, all]) => `leak: ${what} (${all.length} times)`)
}

/** The leaks that must be found, and those that were not. */
async function testTheSearch(canary: CanaryWorld) {
  const plants = await plantLeaks(canary)
  const parts = await collect(canary)
  const search: Search = createSearch(canary.secrets())
  const hits = [...inspectParts(search, parts).hits, ...inspectMemory(search, canary).hits]
  return { plants, missed: plants.filter((plant: Plant) => !plant.isFound(hits)) }
}

/** Runs everything against one kind of directory; gives the number of faults. */
async function prove(kind: DirectoryKind): Promise<number> {
  const isFirst = kind === DIRECTORY_KINDS[0]
  const canary = await startCanaryWorld(kind)
  try {
    say(`on ${kind}`)
    const { flows, memory } = await runFlows(canary, isFirst)
    const parts = await collect(canary)
    const secrets = canary.secrets()
    const search = createSearch(secrets)
    const looked = inspectParts(search, parts)
    const collected = new Set(parts.flatMap(({ sink, bytes }) => (bytes.length > 0 ? sink : [])))
    if (memory.bytes > 0) collected.add('process memory')
    const blind = findBlind(collected).filter((sink) => isFirst || !FILLED_BY_COMMANDS.includes(sink))
    for (const sink of blind) say(`nothing was collected from: ${sink}`)
    const written = countWritten(canary.messages, secrets)
    const hits = [...looked.hits, ...memory.hits]
    for (const line of describeHits(hits)) say(line)
    say(
      `secrets: ${SECRET_KINDS.length} kinds, ${secrets.length} values; encodings: ${Object.keys(ENCODINGS).length}, ${search.forms} forms`,
    )
    say(
      `sinks: ${SINKS.length}; empty: ${SINKS.filter((sink) => !collected.has(sink)).join(', ') || 'none'}; not in this version: ${ABSENT_SINKS.join(', ')}`,
    )
    say(
      `flows: ${flows}; password writes: ${written.writes}, with the password not exactly once: ${written.wrong}`,
    )
    say(`searched: ${looked.bytes} bytes, and ${memory.bytes} bytes of memory`)
    say(`found where it belongs: ${looked.rightful}; hits: ${hits.length}`)
    say(`copies of passwords in memory after one second: ${memory.hits.length}`)
    const missed = isFirst ? await missedPlants(canary) : 0
    const silent = written.writes === 0 ? 1 : 0
    return hits.length + missed + written.wrong + silent + blind.length
  } finally {
    process.chdir('/')
    await canary.stop()
  }
}

async function missedPlants(canary: CanaryWorld): Promise<number> {
  const { plants, missed } = await testTheSearch(canary)
  for (const { name } of missed) say(`planted and not found: ${name}`)
  say(`planted leaks found: ${plants.length - missed.length}/${plants.length}`)
  return missed.length
}

// The search is the same on every kind of directory, and shown to find what is planted on the first.
let faults = 0
for (const kind of DIRECTORY_KINDS) faults += await prove(kind)
say(`${seconds()} s`)
process.exitCode = faults > 0 ? 1 : 0
