// What an operator does at the desk of an agent: pauses writing on that host, drops a request. Drawn from a stream of its own, and only
// in seeds beyond those that are recorded, so that no other choice of a run moves.
import { FAULTS_MS, plan } from './fault-timing.ts'
import { type Chance, createChance } from './seeded-random.ts'
import type { SimulatedAgent } from './simulated-agent.ts'
import type { World } from './world.ts'

/** The first seed in which an operator acts. */
export const FIRST_OPERATED_SEED = 2_001
const STREAM = 0x0be7a706
const FIRST_MS = 2_500
// Then nobody pauses any more, and the agents that are down are back soon.
const LAST_MS = FAULTS_MS - 3_000
const AGAIN_MS = 250

/** Plans what the operator does in a run. */
export function planOperator(world: World): void {
  if (world.seed < FIRST_OPERATED_SEED) return
  const chance = createChance(world.seed ^ STREAM)
  const moment = () => chance.between(FIRST_MS, LAST_MS - 2_000)
  const pauses = chance.happens(0.5) ? chance.between(1, 3) : 0
  for (let count = 0; count < pauses; count += 1)
    pauseHere(world, chance.pick(world.agents), moment(), chance.between(500, 20_000))
  const drops = chance.happens(0.5) ? chance.between(1, 12) : 0
  for (let count = 0; count < drops; count += 1)
    plan(world, moment(), () => dropOne(world, chance.pick(world.agents), chance))
}

/** Turned as often as it takes: an agent that is down has no desk, and one that dies meanwhile has not heard. */
function pauseHere(world: World, agent: SimulatedAgent, at: number, ms: number): void {
  const { scheduler, record, note } = world
  let isOver = false
  const turn = (on: boolean) => {
    let isDone = on && isOver
    if (isDone) return
    const process = agent.process()
    if (process)
      scheduler.after(process.owner, 0, () => {
        if (isDone) return
        isDone = true
        const isOn = process.desk.isPausedHere()
        if (on) process.desk.pause('operator')
        else process.desk.resume('operator')
        if (isOn === on) return
        if (on) note('paused_here')
        record({ observer: 'supervisor', kind: 'paused_here', agent: agent.name, on })
      })
    scheduler.after(scheduler.world, AGAIN_MS, () => {
      if (isDone) return
      isDone = true
      turn(on)
    })
  }
  plan(world, at, () => turn(true))
  plan(world, Math.min(at + ms, LAST_MS), () => {
    isOver = true
    turn(false)
  })
}

/** One of the requests that the agent has open, whatever it is doing with it. */
function dropOne({ scheduler, record, note }: World, agent: SimulatedAgent, chance: Chance): void {
  const process = agent.process()
  if (!process) return
  scheduler.after(process.owner, 0, () => {
    const open = process.desk.open()
    if (open.length === 0) return
    const request = chance.pick(open)
    const tell = (result: string) =>
      record({ observer: 'supervisor', kind: 'drop', agent: agent.name, request, result })
    tell('asked')
    process.desk.drop(request, 'operator').then(
      ({ result }) => {
        note(`drop ${result}`)
        tell(result)
      },
      () => {},
    )
  })
}
