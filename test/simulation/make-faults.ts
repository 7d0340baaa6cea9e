// What goes wrong in a run: a few kinds of faults, drawn from the seed, each for a while. After the last one everything
// heals.

import {
  crashAgent,
  endAgent,
  jumpClock,
  killAgent,
  pauseAgent,
  queueAway,
  queueFault,
  queueSlow,
  sleepHost,
} from './agent-faults.ts'
import {
  cutWay,
  foreignDeed,
  jumpServerClock,
  linkFaults,
  moveWriter,
  serverAway,
  serverBusy,
  serverHangs,
  setUp,
} from './directory-faults.ts'
import { FAULTS_MS, type Kind } from './fault-timing.ts'
import { planOperator } from './operator-deeds.ts'
import {
  cutStore,
  pauseWriting,
  restartStore,
  restoreStore,
  setPauseNow,
  storeFaults,
} from './store-faults.ts'
import type { World } from './world.ts'

const FIRST_MS = 2_500
const FREQUENT: ReadonlySet<string> = new Set([
  'link_faults',
  'foreign_deed',
  'agent_asked_to_end',
  'writer_moved',
])

/** The state of the faults of a run. */
export interface Faults {
  /** True while nobody may ask for anything: what the store would forget must not be asked. */
  readonly isHeld: () => boolean
  /** Begins to heal; resolves nothing: the world goes on. */
  readonly heal: () => void
}

const KINDS: Readonly<Record<string, readonly [kind: Kind, most: number]>> = {
  agent_killed: [killAgent, 6],
  agent_crashed: [crashAgent, 5],
  agent_asked_to_end: [endAgent, 4],
  agent_paused: [pauseAgent, 4],
  host_asleep: [sleepHost, 2],
  server_away: [serverAway, 3],
  server_hangs: [serverHangs, 3],
  writer_moved: [moveWriter, 3],
  way_cut: [cutWay, 4],
  link_faults: [linkFaults, 2],
  store_faults: [storeFaults, 2],
  store_cut: [cutStore, 3],
  store_restarted: [restartStore, 2],
  store_restored: [restoreStore, 1],
  queue_wiped: [queueFault('wipe'), 3],
  queue_wound_back: [queueFault('windBack'), 2],
  queue_duplicated: [queueFault('duplicate'), 4],
  queue_away: [queueAway, 2],
  queue_slow: [queueSlow, 2],
  clock_jumped: [jumpClock, 2],
  server_clock_jumped: [jumpServerClock, 1],
  paused_by_operator: [pauseWriting, 2],
  server_busy: [serverBusy, 2],
  foreign_deed: [foreignDeed, 14],
}

/** Plans the faults of a run. */
export function makeFaults(world: World): Faults {
  const { chance } = world.scheduler
  const hold = { held: false }
  // One run in twenty is calm: what holds without faults must be seen, too.
  const isCalm = chance.happens(0.05)
  for (const [name, [kind, most]] of Object.entries(KINDS)) {
    if (isCalm || !chance.happens(FREQUENT.has(name) ? 0.6 : 0.25)) continue
    for (let count = chance.between(1, most); count > 0; count -= 1)
      kind(world, FIRST_MS + chance.between(0, FAULTS_MS - FIRST_MS - 4_000), hold)
  }
  if (!isCalm) planOperator(world)
  return { isHeld: () => hold.held, heal: () => heal(world, hold) }
}

/** The store runs, and a pause that an older copy of its database remembered is lifted. */
async function resume(world: World): Promise<void> {
  if (!world.store.process()) await world.store.start()
  const process = world.store.process()
  if (process) setPauseNow(world, process, false)
}

/** Everything is well again. */
function heal(world: World, hold: { held: boolean }): void {
  const { switches, model, scheduler, agents } = world
  hold.held = false
  switches.linkFaults = undefined
  switches.storeFaults = undefined
  switches.ways.clear()
  switches.storeCuts.clear()
  void resume(world)
  for (const server of model.servers) {
    server.refusal = undefined
    setUp(world, server, true)
    if (server.owner.isStopped) scheduler.proceed(server.owner)
  }
  for (const agent of agents) {
    agent.plan(undefined)
    const process = agent.process()
    if (process?.owner.isStopped) scheduler.proceed(process.owner)
    if (process) Object.assign(process.queue, { isAway: false, slowMs: 0 })
    if (!process) agent.start()
  }
  world.record({ observer: 'supervisor', kind: 'faults_over' })
}
