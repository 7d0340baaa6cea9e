// What goes wrong with the directory, on the way to it, and what others do to its accounts.

import { someAgent } from './agent-faults.ts'
import type { ForeignDeed, Server } from './directory-model.ts'
import { during, plan } from './fault-timing.ts'
import { BUSY } from './make-requests.ts'
import type { World } from './world.ts'

const someServer = (world: World): Server => world.scheduler.chance.pick(world.model.servers)

/** A server goes away or is back. */
export function setUp(world: World, server: Server, isUp: boolean): void {
  if (server.isUp === isUp) return
  server.isUp = isUp
  world.record({ observer: 'supervisor', kind: 'server', server: server.id, isReachable: isUp })
}

export function serverAway(world: World, at: number): void {
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

export function serverHangs(world: World, at: number): void {
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

/** Who has the role of the writer, once it moved: what a server hears of an earlier move is not news any more. */
const roles = new WeakMap<World, string>()
// An agent looks once a minute whether its server is still the writer, and the former writer may hear of it 15 s late.
const LOOK_FOR_WRITER_MS = 75_000

/** The role is taken by the other server; the old one hears of it later, or when it is back. */
export function moveWriter(world: World, at: number): void {
  const { scheduler, model } = world
  const to = someServer(world)
  const lagMs = scheduler.chance.between(0, 15_000)
  plan(world, at, () => {
    if (model.servers.every(({ writer }) => writer === to.id)) return
    world.note('writer_moved')
    // What is in doubt on a former writer, agents cannot ask it any more: until it has the role again.
    const tellRole = (phase: 'begin' | 'end', target: string) =>
      world.record({ observer: 'supervisor', kind: 'fault', name: 'writer_moved', phase, target })
    for (const { id } of model.servers) if (id !== to.id) tellRole('begin', id)
    scheduler.after(scheduler.world, LOOK_FOR_WRITER_MS, () => {
      if (roles.get(world) === to.id) tellRole('end', to.id)
    })
    to.writer = to.id
    roles.set(world, to.id)
    const tell = (other: Server) => {
      if (roles.get(world) !== to.id) return
      if (!other.isUp || other.owner.isStopped)
        return void scheduler.after(scheduler.world, 1_000, () => tell(other))
      other.writer = to.id
    }
    for (const other of model.servers)
      if (other !== to) scheduler.after(scheduler.world, lagMs, () => tell(other))
  })
}

export function cutWay(world: World, at: number): void {
  const { chance } = world.scheduler
  const key = `${someAgent(world).name} ${someServer(world).id}`
  const how = chance.pick(['refused', 'silent'] as const)
  const { ways } = world.switches
  const begin = () => void ways.set(key, how)
  during(world, `way_${how}`, key, at, chance.between(500, 30_000), begin, () => void ways.delete(key))
}

export function linkFaults(world: World, at: number): void {
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

export function jumpServerClock(world: World, at: number): void {
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

export function serverBusy(world: World, at: number): void {
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

export function foreignDeed(world: World, at: number): void {
  const { chance } = world.scheduler
  const server = someServer(world)
  const all = world.traits.accounts.filter(({ mayBeWritten }) => mayBeWritten)
  const chosen = chance.pick(chance.happens(0.5) ? all.slice(0, BUSY) : all)
  const isAimed = chance.happens(0.6)
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
    const { guid } = (isAimed && all.find((account) => account.guid === lastAsked(world))) || chosen
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

/** The account of the newest request, which is most likely under way. */
const lastAsked = ({ history }: World): string | undefined =>
  history.findLast((event) => event.observer === 'store' && event.kind === 'requested')?.account

const foreignMarker = ({ scheduler: { chance, now } }: World): string =>
  `wb1:0f0f0f0f:${now()}:${chance.hex(32)}:a:1.1:7`
