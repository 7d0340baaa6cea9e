// What goes wrong in a run: a few kinds of faults, drawn from the seed, each for a while. After the last one everything
// heals.

import { setPause } from '../../src/reset-store/requests/pause.ts'
import { CRASH_STEPS } from './crashing-journal.ts'
import type { ForeignDeed, Server } from './directory-model.ts'
import type { SimulatedAgent } from './simulated-agent.ts'
import type { StoreProcess } from './simulated-store.ts'
import type { World } from './world.ts'

const FIRST_MS = 2_500
/** After so long everything heals. */
export const FAULTS_MS = 56_000

/** The state of the faults of a run. */
export interface Faults {
  /** True while nobody may ask for anything: what the store would forget must not be asked. */
  readonly isHeld: () => boolean
  /** Begins to heal; resolves nothing: the world goes on. */
  readonly heal: () => void
}

type Kind = (world: World, at: number, hold: { held: boolean }) => void

const KINDS: Readonly<Record<string, readonly [kind: Kind, most: number]>> = {
  agent_killed: [killAgent, 6],
  agent_crashed: [crashAgent, 5],
  agent_asked_to_end: [endAgent, 2],
  agent_paused: [pauseAgent, 4],
  host_asleep: [sleepHost, 2],
  server_away: [serverAway, 3],
  server_hangs: [serverHangs, 3],
  writer_moved: [moveWriter, 2],
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
  foreign_deed: [foreignDeed, 8],
}

/** Plans the faults of a run. */
export function makeFaults(world: World): Faults {
  const { chance } = world.scheduler
  const hold = { held: false }
  // One run in twenty is calm: what holds without faults must be seen, too.
  const isCalm = chance.happens(0.05)
  for (const [name, [kind, most]] of Object.entries(KINDS)) {
    const isFrequent = name === 'link_faults' || name === 'foreign_deed'
    if (isCalm || !chance.happens(isFrequent ? 0.6 : 0.25)) continue
    for (let count = chance.between(1, most); count > 0; count -= 1)
      kind(world, FIRST_MS + chance.between(0, FAULTS_MS - FIRST_MS - 4_000), hold)
  }
  return { isHeld: () => hold.held, heal: () => heal(world, hold) }
}

const plan = (world: World, at: number, run: () => void) =>
  world.scheduler.after(world.scheduler.world, at, run)

/** A fault from a moment on for a while; never beyond the time of faults. */
function during(
  world: World,
  name: string,
  target: string,
  at: number,
  ms: number,
  begin: () => void,
  end: () => void,
) {
  plan(world, at, () => {
    world.note(name)
    world.record({ observer: 'supervisor', kind: 'fault', name, phase: 'begin', target })
    begin()
  })
  plan(world, Math.min(at + ms, FAULTS_MS), () => {
    end()
    world.record({ observer: 'supervisor', kind: 'fault', name, phase: 'end', target })
  })
}

function once(world: World, name: string, target: string, at: number, run: () => boolean | undefined): void {
  plan(world, at, () => {
    if (run() === false) return
    world.note(name)
    world.record({ observer: 'supervisor', kind: 'fault', name, phase: 'once', target })
  })
}

const someAgent = (world: World): SimulatedAgent => world.scheduler.chance.pick(world.agents)
const someServer = (world: World): Server => world.scheduler.chance.pick(world.model.servers)

function startAgain(world: World, agent: SimulatedAgent, ms: number): void {
  world.scheduler.after(world.scheduler.world, ms, () => {
    if (!agent.process()) agent.start()
  })
}

function killAgent(world: World, at: number): void {
  const agent = someAgent(world)
  const downMs = world.scheduler.chance.between(100, 12_000)
  once(world, 'agent_killed', agent.name, at, () => {
    if (!agent.process()) return false
    agent.kill()
    startAgain(world, agent, downMs)
    return true
  })
}

function crashAgent(world: World, at: number): void {
  const { chance } = world.scheduler
  const agent = someAgent(world)
  const crash = { step: chance.pick(CRASH_STEPS), when: chance.pick(['before', 'after'] as const) }
  const downMs = chance.between(100, 6_000)
  once(world, `agent_crashed_${crash.when}_${crash.step}`, agent.name, at, () => {
    const process = agent.process()
    if (!process) return false
    agent.plan({ ...crash, downMs })
    return true
  })
}

function endAgent(world: World, at: number): void {
  const agent = someAgent(world)
  const downMs = world.scheduler.chance.between(100, 6_000)
  once(world, 'agent_asked_to_end', agent.name, at, () => {
    const process = agent.process()
    if (!process || process.owner.isStopped) return false
    world.scheduler.after(process.owner, 0, () => {
      agent.askToEnd().then(
        () => startAgain(world, agent, downMs),
        () => {},
      )
    })
    return true
  })
}

function pauseAgent(world: World, at: number): void {
  stopFor(world, 'agent_paused', at, world.scheduler.chance.between(3_000, 45_000), false)
}

function sleepHost(world: World, at: number): void {
  stopFor(world, 'host_asleep', at, world.scheduler.chance.between(3_000, 45_000), true)
}

function stopFor(world: World, name: string, at: number, ms: number, isSleep: boolean): void {
  const agent = someAgent(world)
  const { scheduler, record } = world
  let stopped: ReturnType<SimulatedAgent['process']>
  const begin = () => {
    stopped = agent.process()
    if (!stopped || stopped.owner.isStopped) {
      stopped = undefined
      return
    }
    scheduler.stop(stopped.owner)
    if (isSleep) agent.host.sleep()
    record({ observer: 'supervisor', kind: 'process', agent: agent.name, what: 'stopped' })
  }
  const end = () => {
    if (!stopped) return
    if (isSleep) agent.host.wake()
    scheduler.proceed(stopped.owner)
    record({ observer: 'supervisor', kind: 'process', agent: agent.name, what: 'continued' })
  }
  during(world, name, agent.name, at, ms, begin, end)
}

function setUp(world: World, server: Server, isUp: boolean): void {
  if (server.isUp === isUp) return
  server.isUp = isUp
  world.record({ observer: 'supervisor', kind: 'server', server: server.id, isReachable: isUp })
}

function serverAway(world: World, at: number): void {
  const server = someServer(world)
  const ms = world.scheduler.chance.between(1_000, 40_000)
  during(
    world,
    'server_away',
    server.id,
    at,
    ms,
    () => setUp(world, server, false),
    () => setUp(world, server, true),
  )
}

function serverHangs(world: World, at: number): void {
  const server = someServer(world)
  const { scheduler, record } = world
  const tell = (isReachable: boolean) =>
    record({ observer: 'supervisor', kind: 'server', server: server.id, isReachable })
  const begin = () => {
    scheduler.stop(server.owner)
    tell(false)
  }
  const end = () => {
    scheduler.proceed(server.owner)
    tell(server.isUp)
  }
  during(world, 'server_hangs', server.id, at, scheduler.chance.between(1_000, 20_000), begin, end)
}

/** The role is taken by the other server; the old one hears of it later, or when it is back. */
function moveWriter(world: World, at: number): void {
  const { scheduler, model } = world
  const to = someServer(world)
  const lagMs = scheduler.chance.between(0, 15_000)
  plan(world, at, () => {
    if (model.servers.every(({ writer }) => writer === to.id)) return
    world.note('writer_moved')
    // Without an end: what is in doubt on the former writer, agents cannot ask it any more.
    world.record({
      observer: 'supervisor',
      kind: 'fault',
      name: 'writer_moved',
      phase: 'begin',
      target: to.id,
    })
    to.writer = to.id
    const tell = (other: Server) => {
      if (!other.isUp || other.owner.isStopped)
        return void scheduler.after(scheduler.world, 1_000, () => tell(other))
      other.writer = to.id
    }
    for (const other of model.servers)
      if (other !== to) scheduler.after(scheduler.world, lagMs, () => tell(other))
  })
}

function cutWay(world: World, at: number): void {
  const { chance } = world.scheduler
  const key = `${someAgent(world).name} ${someServer(world).id}`
  const how = chance.pick(['refused', 'silent'] as const)
  const { ways } = world.switches
  const begin = () => void ways.set(key, how)
  during(world, `way_${how}`, key, at, chance.between(500, 30_000), begin, () => void ways.delete(key))
}

function linkFaults(world: World, at: number): void {
  const { chance } = world.scheduler
  const draw = (most: number) => (chance.happens(0.6) ? chance.next() * most : 0)
  const faults = {
    ...{ slow: draw(0.3), refusedConnection: draw(0.2) },
    ...{ lostBefore: draw(0.3), lostAfter: draw(0.4), late: draw(0.4) },
  }
  const begin = () => {
    world.switches.linkFaults = faults
  }
  const end = () => {
    world.switches.linkFaults = undefined
  }
  during(world, 'link_faults', 'directory', at, chance.between(4_000, 50_000), begin, end)
}

function storeFaults(world: World, at: number): void {
  const { chance } = world.scheduler
  const draw = (most: number) => (chance.happens(0.5) ? chance.next() * most : 0)
  const faults = {
    ...{ slow: draw(0.2), lostBefore: draw(0.2), lostAfter: draw(0.3), duplicated: draw(0.3) },
    ...{ serverError: draw(0.3), redirected: draw(0.1), truncated: draw(0.2) },
  }
  const begin = () => {
    world.switches.storeFaults = faults
  }
  const end = () => {
    world.switches.storeFaults = undefined
  }
  during(world, 'store_faults', 'store', at, chance.between(4_000, 40_000), begin, end)
}

function cutStore(world: World, at: number): void {
  const agent = someAgent(world).name
  const { storeCuts } = world.switches
  const ms = world.scheduler.chance.between(1_000, 40_000)
  during(
    world,
    'store_cut',
    agent,
    at,
    ms,
    () => void storeCuts.add(agent),
    () => void storeCuts.delete(agent),
  )
}

function restartStore(world: World, at: number): void {
  const ms = world.scheduler.chance.between(200, 8_000)
  during(world, 'store_restarted', 'store', at, ms, world.store.kill, () => startStore(world))
}

function startStore(world: World): void {
  if (!world.store.process()) void world.store.start()
}

function restoreStore(world: World, at: number, hold: { held: boolean }): void {
  const { chance } = world.scheduler
  const sinceMs = chance.between(300, 8_000)
  plan(world, at, () => {
    hold.held = true
  })
  let copiedAt = 0
  plan(world, at + 300, () => {
    world.store.takeSnapshot()
    copiedAt = world.scheduler.now()
  })
  const restoreAt = Math.min(at + 300 + sinceMs, FAULTS_MS - 500)
  plan(world, restoreAt, () => {
    world.store.kill()
    world.store.restore()
    world.note('store_restored')
    world.record({
      observer: 'supervisor',
      kind: 'fault',
      name: 'store_restored',
      phase: 'once',
      target: 'store',
    })
    tellForgotten(world, copiedAt)
  })
  plan(world, restoreAt + 400, () => {
    startStore(world)
    hold.held = false
  })
}

/** What the store had said yes to, and knows no more. */
function tellForgotten({ history, record }: World, copiedAt: number): void {
  const forgotten = new Set(
    history.flatMap((event) => {
      const isPromise = event.observer === 'store' && (event.kind === 'receipt' || event.kind === 'reported')
      return isPromise && event.at >= copiedAt && event.answer === 'accepted' ? [event.request] : []
    }),
  )
  for (const target of forgotten)
    record({ observer: 'supervisor', kind: 'fault', name: 'store_forgot', phase: 'once', target })
}

function queueFault(what: 'wipe' | 'windBack' | 'duplicate'): Kind {
  return (world, at) => {
    const agent = someAgent(world)
    if (what === 'windBack') plan(world, Math.max(0, at - 4_000), () => agent.process()?.queue.snapshot())
    const name = { wipe: 'queue_wiped', windBack: 'queue_wound_back', duplicate: 'queue_duplicated' }[what]
    once(world, name, agent.name, at, () => {
      const process = agent.process()
      if (!process) return false
      world.scheduler.after(process.owner, 0, process.queue[what])
      return true
    })
  }
}

function queueAway(world: World, at: number): void {
  const agent = someAgent(world)
  const turn = (isAway: boolean) => {
    const queue = agent.process()?.queue
    if (queue) queue.isAway = isAway
  }
  const ms = world.scheduler.chance.between(500, 20_000)
  during(
    world,
    'queue_away',
    agent.name,
    at,
    ms,
    () => turn(true),
    () => turn(false),
  )
}

function queueSlow(world: World, at: number): void {
  const agent = someAgent(world)
  const turn = (slowMs: number) => {
    const queue = agent.process()?.queue
    if (queue) queue.slowMs = slowMs
  }
  const ms = world.scheduler.chance.between(500, 30_000)
  during(
    world,
    'queue_slow',
    agent.name,
    at,
    ms,
    () => turn(6_000),
    () => turn(0),
  )
}

function jumpClock(world: World, at: number): void {
  const { chance } = world.scheduler
  const agent = someAgent(world)
  const byMs = chance.pick([-1, 1]) * chance.pick([5_000, 60_000, 110_000, 200_000, 3_600_000])
  const tell = () =>
    world.record({ observer: 'supervisor', kind: 'clock', of: agent.name, aheadMs: agent.host.wallAheadMs })
  const move = (ms: number) => {
    agent.host.wallAheadMs += ms
    tell()
  }
  during(
    world,
    'clock_jumped',
    agent.name,
    at,
    chance.between(2_000, 40_000),
    () => move(byMs),
    () => move(-byMs),
  )
}

function jumpServerClock(world: World, at: number): void {
  const { chance } = world.scheduler
  const server = someServer(world)
  const byMs = chance.pick([-1, 1]) * chance.pick([5_000, 110_000, 200_000])
  const move = (ms: number) => {
    server.aheadMs += ms
    world.record({ observer: 'supervisor', kind: 'clock', of: server.id, aheadMs: server.aheadMs })
  }
  const ms = chance.between(2_000, 40_000)
  during(
    world,
    'server_clock_jumped',
    server.id,
    at,
    ms,
    () => move(byMs),
    () => move(-byMs),
  )
}

function pauseWriting(world: World, at: number): void {
  const turn = (on: boolean) => {
    const process = world.store.process()
    // While the store is down nobody can turn it.
    if (!process) return void world.scheduler.after(world.scheduler.world, 500, () => turn(on))
    setPauseNow(world, process, on)
  }
  const ms = world.scheduler.chance.between(2_000, 15_000)
  during(
    world,
    'paused_by_operator',
    'store',
    at,
    ms,
    () => turn(true),
    () => turn(false),
  )
}

function setPauseNow(world: World, process: StoreProcess, on: boolean): void {
  world.scheduler.after(process.owner, 0, () => void setPause(process.context, on))
  world.record({ observer: 'store', kind: 'pause', on })
}

function serverBusy(world: World, at: number): void {
  const { chance } = world.scheduler
  const server = someServer(world)
  const refusal = chance.pick([
    { code: 51, diagnostic: '' },
    { code: 52, diagnostic: '' },
    { code: 53, diagnostic: '' },
    { code: 1, diagnostic: '00002020: Operation unavailable without authentication' },
  ])
  const begin = () => {
    server.refusal = refusal
  }
  const end = () => {
    server.refusal = undefined
  }
  during(world, `server_says_${refusal.code}`, server.id, at, chance.between(500, 8_000), begin, end)
}

function foreignDeed(world: World, at: number): void {
  const { chance } = world.scheduler
  const server = someServer(world)
  const { guid } = chance.pick(world.traits.accounts.filter(({ mayBeWritten }) => mayBeWritten))
  const number = chance.hex(6)
  const kind = chance.between(0, 11)
  const deed = (): ForeignDeed => {
    if (kind < 5) return { what: 'password', text: world.secrets.make(`foreign:${number}`) }
    if (kind === 5) return { what: 'marker', text: chance.pick(['hello', foreignMarker(world)]) }
    if (kind === 6) return { what: 'locked' }
    if (kind === 7) return { what: 'bad_password' }
    if (kind === 8) return { what: 'excluded' }
    if (kind === 9) return { what: 'renamed', name: `renamed ${number}` }
    if (kind === 10) return { what: 'deleted' }
    return { what: 'recreated', name: '' }
  }
  plan(world, at, () => {
    const done = deed()
    if (!world.model.doForeign(server, guid, done)) return
    world.note(`foreign ${done.what}`)
    const what = done.what === 'moved' ? 'excluded' : done.what
    const secret = done.what === 'password' ? { secret: `foreign:${number}` } : {}
    world.record({
      observer: 'directory',
      kind: 'foreign',
      account: guid,
      what,
      server: server.id,
      ...secret,
    })
  })
}

const foreignMarker = ({ scheduler: { chance, now } }: World): string =>
  `wb1:0f0f0f0f:${now()}:${chance.hex(32)}:a:1.1:7`

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
