// When faults begin and end, and how each is written down.
import type { World } from './world.ts'

/** After so long everything heals. */
export const FAULTS_MS = 40_000

/** One kind of fault, beginning at a moment. */
export type Kind = (world: World, at: number, hold: { held: boolean }) => void

/** Lets something happen at a moment of the run. */
export const plan = (world: World, at: number, run: () => void) =>
  world.scheduler.after(world.scheduler.world, at, run)

/** A fault from a moment on for a while; never beyond the time of faults. */
export function during(
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

/** A fault of one moment; `run` gives false when it could not happen. */
export function once(
  world: World,
  name: string,
  target: string,
  at: number,
  run: () => boolean | undefined,
): void {
  plan(world, at, () => {
    if (run() === false) return
    world.note(name)
    world.record({ observer: 'supervisor', kind: 'fault', name, phase: 'once', target })
  })
}
