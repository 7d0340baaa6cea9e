// What goes wrong with agents: their processes, their machines, their queues.
import { CRASH_STEPS } from './crashing-journal.ts'
import { during, type Kind, once, plan } from './fault-timing.ts'
import type { SimulatedAgent } from './simulated-agent.ts'
import type { World } from './world.ts'

/** One of the agents. */
export const someAgent = (world: World): SimulatedAgent => world.scheduler.chance.pick(world.agents)
function startAgain(world: World, agent: SimulatedAgent, ms: number): void {
  world.scheduler.after(world.scheduler.world, ms, () => {
    if (!agent.process()) agent.start()
  })
}

export function killAgent(world: World, at: number): void {
  const agent = someAgent(world)
  const downMs = world.scheduler.chance.between(100, 12_000)
  once(world, 'agent_killed', agent.name, at, () => {
    if (!agent.process()) return false
    agent.kill()
    startAgain(world, agent, downMs)
    return true
  })
}

export function crashAgent(world: World, at: number): void {
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

export function endAgent(world: World, at: number): void {
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

export function pauseAgent(world: World, at: number): void {
  stopFor(world, 'agent_paused', at, world.scheduler.chance.between(3_000, 45_000), false)
}

export function sleepHost(world: World, at: number): void {
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

export function jumpClock(world: World, at: number): void {
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

/** The queue of an agent loses, brings back or repeats requests. */
export function queueFault(what: 'wipe' | 'windBack' | 'duplicate'): Kind {
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

export function queueAway(world: World, at: number): void {
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

export function queueSlow(world: World, at: number): void {
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
