// node --import test/test-build/strike-build.ts src/main.ts agent --config FILE: the agent, to which a test can do what
// hosts do to programs. At SIGUSR2 it suffers what FILE.strike names, such as `block 4500`.
import { readFileSync } from 'node:fs'

const configFile = process.argv[process.argv.indexOf('--config') + 1] ?? ''
const asleep = new Int32Array(new SharedArrayBuffer(4))
const realNow = Date.now
let aheadMs = 0
Date.now = () => realNow() + aheadMs

const STRIKES: Readonly<Record<string, (amount: number) => void>> = {
  /** Nothing of the program runs for so many milliseconds. */
  block: (ms) => void Atomics.wait(asleep, 0, 0, ms),
  /** The wall clock goes ahead of the true time by so many milliseconds. */
  shift: (ms) => {
    aheadMs = ms
  },
  reject: () => void Promise.reject(new Error('nobody waits for this')),
  /** Takes memory until there is none. */
  exhaust: () => {
    const kept: unknown[] = []
    for (;;) kept.push(Array.from({ length: 100_000 }, (_, index) => ({ index })))
  },
}

process.on('SIGUSR2', () => {
  const [name = '', amount] = readFileSync(`${configFile}.strike`, 'utf8').split(' ')
  STRIKES[name]?.(Number(amount))
})
