// Takes clock, timers and chance of this process into the run's hands, so that nothing outside of the seed is left. Only
// for a process that simulates; a run is handed in before it begins.
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import type { Scheduler } from './scheduler.ts'

/** The process's own, from before it was taken over. */
export const realSetImmediate = globalThis.setImmediate

let running: Scheduler | undefined

const run = (): Scheduler => {
  if (!running) throw new Error('time or chance was asked for outside of a simulated run')
  return running
}

/** From now on time and chance are this run's. */
export function enterRun(scheduler: Scheduler | undefined): void {
  running = scheduler
}

/** Replaces timers, clocks and chance for good. */
export function ownTheProcess(): void {
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout }
  const setTimer = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
    if (!running) return real.setTimeout(callback, ms, ...args)
    const cancel = running.timer(running.current(), ms, () => callback(...args))
    return { cancel, unref: () => {}, ref: () => {}, hasRef: () => true }
  }
  const clearTimer = (timer: unknown) => {
    if (typeof timer === 'object' && timer !== null && 'cancel' in timer) (timer.cancel as () => void)()
    else real.clearTimeout(timer as NodeJS.Timeout)
  }
  Object.assign(globalThis, {
    setTimeout: setTimer,
    clearTimeout: clearTimer,
    setImmediate: (callback: (...args: unknown[]) => void, ...args: unknown[]) =>
      run().soon(() => callback(...args)),
  })
  const realNow = Date.now
  Date.now = () => running?.now() ?? realNow()
  const realRandom = Math.random
  Math.random = () => running?.chance.next() ?? realRandom()
  const realUuid = crypto.randomUUID
  Object.assign(crypto, {
    randomUUID: () => (running ? uuid('4') : realUuid()),
    randomBytes: (size: number) => Buffer.from(run().chance.hex(size * 2), 'hex'),
  })
  syncBuiltinESMExports()
}

/** A UUID of the run's chance, of this version. */
export function uuid(version: '4' | '7'): string {
  const { chance, now } = run()
  const head = version === '7' ? now().toString(16).padStart(12, '0') : chance.hex(12)
  const variant = chance.pick(['8', '9', 'a', 'b'])
  return `${head.slice(0, 8)}-${head.slice(8)}-${version}${chance.hex(3)}-${variant}${chance.hex(3)}-${chance.hex(12)}`
}
