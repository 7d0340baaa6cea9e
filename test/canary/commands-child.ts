// Runs commands of the product one after the other, as main.ts would run each: read from standard input, with the input
// that each is given. What they print goes to the standard output of this process.
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Io } from '../../src/cli/io.ts'
import { runProgram } from '../../src/cli/run-program.ts'

const commands = JSON.parse(await text(process.stdin)) as { words: string[]; input: string }[]
for (const { words, input } of commands) {
  const stdin = Readable.from([Buffer.from(input, 'base64')]) as unknown as Io['stdin']
  const { env, execArgv, stdout } = process
  const status = await runProgram({
    ...{ argv: words, env, execArgv, stdin, stdout, stderr: stdout },
    onStopSignal: () => () => undefined,
    platform: process.platform,
    uid: process.getuid?.(),
    onReloadSignal: () => () => undefined,
    exitNow: (code) => process.exit(code),
  })
  stdout.write(`status ${status}\n`)
}
process.exit(0)
