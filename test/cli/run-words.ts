// Runs words of the command line in this process, as main.ts does, and gives what they print.
import { PassThrough } from 'node:stream'
import type { Io } from '../../src/cli/io.ts'
import { runProgram } from '../../src/cli/run-program.ts'

/** Runs one command: exit status, standard output and standard error. It finds no terminal and an empty environment. */
export async function runWords(argv: readonly string[], over: Partial<Io> = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const signals = { onStopSignal: () => () => {}, onReloadSignal: () => () => {}, exitNow: () => {} }
  const io = {
    env: {},
    execArgv: [],
    platform: process.platform,
    uid: process.getuid?.(),
    ...signals,
    ...over,
  }
  const status = await runProgram({ ...io, argv, stdin: new PassThrough(), stdout, stderr } as unknown as Io)
  return { status, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') }
}
