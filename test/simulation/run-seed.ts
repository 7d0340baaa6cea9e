// One run from its seed: makes the world, lets it go wrong and heal, and gives what the observers saw.
import type { HistoryEvent } from '../history/event.ts'
import { FAULTS_MS } from './fault-timing.ts'
import { DIRECTORY } from './keys-of-the-run.ts'
import { makeFaults } from './make-faults.ts'
import { makeRequests } from './make-requests.ts'
import { enterRun } from './own-the-process.ts'
import { findLeaks } from './secrets.ts'
import { createWorld, START_MS, type World } from './world.ts'

/** One run as it was. */
export interface SeedRun {
  /** In the order of time. */
  readonly history: readonly HistoryEvent[]
  /** How often each fault happened, by name. */
  readonly faults: Readonly<Record<string, number>>
  readonly events: number
  /** The run came to rest before its time was over. */
  readonly hasDrained: boolean
  /** Virtual milliseconds. */
  readonly lastedMs: number
}

// Beyond the expiry of the last request, and the minute in which it may be settled.
const LONGEST_MS = FAULTS_MS + 50_000 + 20_000 + 60_000
// Copies between servers, and outcomes on their way.
const CALM_MS = 1_500

/** Runs one seed. The process must be prepared. */
export async function runSeed(seed: number): Promise<SeedRun> {
  const world = await createWorld(seed)
  try {
    return await live(world)
  } finally {
    enterRun(undefined)
    world.store.close()
    for (const { giveBack } of world.agents) giveBack()
  }
}

async function live(world: World): Promise<SeedRun> {
  const { scheduler, store, agents, history } = world
  await begin(world)
  const faults = makeFaults(world)
  const toCome = makeRequests(world, faults.isHeld)
  let isHealed = false
  let calmSince: number | undefined
  scheduler.after(scheduler.world, FAULTS_MS + 1, () => {
    faults.heal()
    isHealed = true
  })
  const isCalm = () =>
    isHealed && toCome() === 0 && world.underWay() === 0 && !world.model.isReplicating() && owesNothing(world)
  const look = () => {
    calmSince = isCalm() ? (calmSince ?? scheduler.now()) : undefined
    scheduler.after(scheduler.world, 500, look)
  }
  scheduler.after(scheduler.world, FAULTS_MS + 500, look)
  sample(world)
  const isOver = () => calmSince !== undefined && scheduler.now() - calmSince >= CALM_MS
  const end = await scheduler.run(isOver, START_MS + LONGEST_MS)
  await recordEnd(world)
  for (const agent of agents) agent.kill()
  store.kill()
  history.sort((a, b) => a.at - b.at)
  return {
    ...{
      history,
      faults: Object.fromEntries(world.faults),
      events: scheduler.count(),
      hasDrained: end === 'over',
    },
    lastedMs: scheduler.now() - START_MS,
  }
}

async function begin(world: World): Promise<void> {
  const { store, agents, scheduler, traits, model } = world
  await scheduler.run(() => true, START_MS)
  scheduler.after(scheduler.world, 0, () => {
    void store.start().then(async () => {
      await store.process()?.context.repository.transaction(async (records) => {
        for (const { id, name, keys } of agents)
          await records.addAgent({
            ...{ id, name, identityKey: keys.identity, directories: [DIRECTORY], enrolledAt: START_MS },
            sealingKeys: [{ kid: keys.sealing.kid, statement: 'a.b.c' }],
            ...{ lastSeenAt: null, revokedAt: null, heartbeat: null },
          })
        for (const { guid } of traits.accounts) {
          const name = model.servers[0]?.entries.get(guid)?.cells.name.value ?? guid
          await records.addUser({ name: guid, displayName: name, directory: DIRECTORY, anchor: guid })
        }
      })
      for (const agent of agents) agent.start()
    })
  })
}

function owesNothing({ agents, store }: World): boolean {
  if (store.countOpen() > 0) return false
  return agents.every(({ database }) => {
    const row = database
      .prepare("SELECT count(*) AS number FROM requests WHERE state IN ('open', 'closed')")
      .get()
    return Number(row?.['number']) === 0
  })
}

const SAMPLE_MS = 5_000

/** Looks at every account now and then. */
function sample(world: World): void {
  const { scheduler } = world
  scheduler.after(scheduler.world, SAMPLE_MS, () => {
    sampleNow(world)
    sample(world)
  })
}

function sampleNow({ model, record, traits }: World): void {
  for (const { guid } of traits.accounts) {
    const entries = model.servers.flatMap((server) => {
      const entry = server.entries.get(guid)
      return entry ? [{ count: entry.badPasswordCount, isLocked: model.isLocked(server, entry) }] : []
    })
    record({
      ...{ observer: 'directory', kind: 'sample', account: guid },
      badPasswordCount: Math.max(0, ...entries.map(({ count }) => count)),
      isLocked: entries.some(({ isLocked }) => isLocked),
    })
  }
}

async function recordEnd(world: World): Promise<void> {
  const { store, history, record, traits, model, secrets, sinks } = world
  sampleNow(world)
  for (const { guid } of traits.accounts) {
    const server = model.servers.find(({ id, writer }) => id === writer)
    const entry = server?.entries.get(guid)
    if (!server || !entry) continue
    const { deleted, password, marker } = entry.cells
    record({
      ...{ observer: 'directory', kind: 'end', account: guid, isLocked: model.isLocked(server, entry) },
      password: deleted.value ? null : secrets.nameOf(password.value.text),
      marker: deleted.value ? null : (marker.value ?? null),
    })
  }
  const verdicts = store.verdicts()
  for (const event of [...history])
    if (event.observer === 'store' && event.kind === 'requested') {
      const { outcome = null, reason = null, closedAt = null } = verdicts.get(event.request) ?? {}
      record({ observer: 'store', kind: 'verdict', request: event.request, outcome, reason, closedAt })
    }
  recordAudit(world)
  searchSinks(record, sinks)
}

function recordAudit({ agents, record, scheduler }: World): void {
  for (const { name: agent, database, moments } of agents) {
    const momentOf = (what: string) => moments.get(what) ?? scheduler.now()
    for (const row of database.prepare('SELECT * FROM intents').all()) {
      const text = (key: string) => (row[key] === null ? null : String(row[key]))
      const request = String(row['request_id'])
      record(
        {
          ...{ observer: 'audit', kind: 'intent', agent, request, n: Number(row['n']) },
          effect: (row['kind'] === 'fence' ? 'fence' : String(row['effect'])) as 'fence' | 'reset',
          ...{ server: String(row['server']), markerBefore: text('marker_before') },
          ...{
            markerAfter: String(row['marker_after']),
            answer: text('answer')?.replace(/^accepted:.*/, 'accepted') ?? null,
          },
        },
        momentOf(`intent ${request} ${row['n']}`),
      )
    }
    const ended = database.prepare('SELECT request_id, outcome FROM requests WHERE outcome IS NOT NULL')
    for (const row of ended.all()) {
      const request = String(row['request_id'])
      const outcome = String(row['outcome'])
      record({ observer: 'audit', kind: 'outcome', agent, request, outcome }, momentOf(`outcome ${request} `))
    }
  }
}

function searchSinks(record: World['record'], sinks: World['sinks']): void {
  let bytes = 0
  for (const [sink, lines] of sinks) {
    const text = lines.join('\n')
    bytes += text.length
    for (const form of findLeaks(text))
      record({ observer: 'supervisor', kind: 'leak', sink, secret: 'a password of the run', form })
  }
  record({ observer: 'supervisor', kind: 'searched', sinks: sinks.size, bytes })
}
