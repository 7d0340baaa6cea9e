// node --import test/test-build/crash-build.ts src/main.ts agent ...: the agent with every crash point in its source, and
// with the planted bug that PLANT names.
import type { Socket } from 'node:net'
import { takePlan } from './crash-plan.ts'
import { PLANTS } from './crash-plants.ts'
import { crashEdits } from './crash-points.ts'
import { installEdits } from './source-edits.ts'

const configFile = process.argv[process.argv.indexOf('--config') + 1] ?? ''
const asleep = new Int32Array(new SharedArrayBuffer(4))

/** Ends or stops this process; comes back only from a stop. */
function strike(how: 'kill' | 'stop'): void {
  process.kill(process.pid, how === 'kill' ? 'SIGKILL' : 'SIGSTOP')
  // The signal is there within this time; nothing of the program runs until then.
  Atomics.wait(asleep, 0, 0, how === 'kill' ? 60_000 : 50)
}

const points = {
  crashPoint: (at: string, request: string | undefined): void => {
    const plan = takePlan(configFile, at, request)
    if (plan) strike(plan.how ?? 'kill')
  },
  /** As crashPoint, when so many bytes of the message are on their way; false: not planned. */
  crashWriting: (at: string, socket: Socket, frame: Buffer, bytes: number): boolean => {
    const plan = takePlan(configFile, at, undefined)
    if (!plan) return false
    socket.write(frame.subarray(0, bytes), () => {
      strike(plan.how ?? 'kill')
      socket.write(frame.subarray(bytes))
    })
    return true
  },
}
Object.assign(globalThis, points)
const planted = process.env['PLANT']
installEdits([...crashEdits(), ...(planted === undefined ? [] : (PLANTS[planted]?.edits ?? []))])
