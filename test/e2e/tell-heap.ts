// Loaded before the agent: on SIGUSR2 it collects its garbage and writes into the file TELL_HEAP how many bytes it holds.
import { writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const file = process.env['TELL_HEAP']
if (file === undefined) throw new Error('TELL_HEAP names the file')
process.on('SIGUSR2', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  writeFileSync(file, String(heapUsed + external))
})
