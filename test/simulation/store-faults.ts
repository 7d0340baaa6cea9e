// What goes wrong with the store and on the way to it.

import { setPause } from '../../src/reset-store/requests/pause.ts'
import { someAgent } from './agent-faults.ts'
import { during, FAULTS_MS, plan } from './fault-timing.ts'
import type { StoreProcess } from './simulated-store.ts'
import type { World } from './world.ts'

export function storeFaults(world: World, at: number): void {
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

export function cutStore(world: World, at: number): void {
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

export function restartStore(world: World, at: number): void {
  const ms = world.scheduler.chance.between(200, 8_000)
  during(world, 'store_restarted', 'store', at, ms, world.store.kill, () => startStore(world))
}

/** The store runs again, where it does not. */
function startStore(world: World): void {
  if (!world.store.process()) void world.store.start()
}

export function restoreStore(world: World, at: number, hold: { held: boolean }): void {
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
    record({
      ...{ observer: 'supervisor', kind: 'fault', name: 'store_forgot', phase: 'once', target },
      since: copiedAt,
    })
}

export function pauseWriting(world: World, at: number): void {
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

/** The operator turns the switch that stops all writing. */
export function setPauseNow(world: World, process: StoreProcess, on: boolean): void {
  world.scheduler.after(process.owner, 0, () => void setPause(process.context, on))
  world.record({ observer: 'store', kind: 'pause', on })
}
