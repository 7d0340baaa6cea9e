#!/usr/bin/env node
// The process: argv in, exit status out. No static import of the program, so that an old Node.js gets a readable word.
import { setFlagsFromString } from 'node:v8'

// Without a listener Node.js would open a debugger port, and with it all memory, for whoever may send this signal.
process.on('SIGUSR1', () => {})

// A young generation that grows as V8's does keeps 50 MB of garbage, and one that never grows makes a start dearer: it grows
// once, from 1 MB to 2, while the first modules load.
setFlagsFromString('--semi-space-growth-factor=2')

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const isSupported = (major === 24 && minor >= 15) || (major === 26 && minor >= 3) || major > 26

if (!isSupported) {
  process.stderr.write(
    `writeback: ERR_RUNTIME_UNSUPPORTED: Node.js ${process.versions.node} cannot run this program; use 24.15 or newer in line 24, or 26.3 or newer\n`,
  )
  process.exitCode = 2
} else {
  const { runProgram } = await import('./cli/run-program.ts')
  setFlagsFromString('--semi-space-growth-factor=1')
  const { isOnTerminal, listenForSignals, meantSignals } = await import('./cli/process-signals.ts')
  const signals = meantSignals(process.platform, { onTerminal: isOnTerminal(process) })
  process.exitCode = await runProgram({
    argv: process.argv.slice(2),
    env: process.env,
    execArgv: process.execArgv,
    platform: process.platform,
    uid: process.getuid?.(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    exitNow: (status) => process.exit(status),
    onStopSignal: (listener) => listenForSignals(signals.stop, listener),
    onReloadSignal: (listener) => listenForSignals(signals.reload, listener),
  })
}
