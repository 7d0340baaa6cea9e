// writeback breaker: lets a running agent write again after a burst of requests had stopped it.
import { request } from 'node:http'
import { join } from 'node:path'
import type { Command } from 'commander'
import { readAgentConfig } from '../config/agent-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { type Io, say } from './io.ts'

const EXAMPLES = `
Examples:
  writeback breaker close corp --config /etc/writeback/agent.yaml

Run it on the agent's host, as root or as the agent's own user. Find out first who asked for so many writes: the agent
cannot tell a busy morning from a reset store in the wrong hands.`

const ANSWER_LIMIT_MS = 5_000

interface Words {
  readonly config: string
  readonly json?: boolean
}

/** Adds the command. */
export function addBreakerCommand(program: Command, io: Io): void {
  program
    .command('breaker')
    .description('the breaker that stops writing after a burst')
    .command('close <directory>')
    .description('let writing to a directory go on; the writes so far no longer count as a burst')
    .requiredOption('--config <file>', 'the agent’s configuration, YAML')
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, words: Words) => {
      const { stateDirectory, ops, directories } = readAgentConfig(words.config)
      if (!Object.hasOwn(directories, directory))
        throw new WritebackError('ERR_USAGE', `the agent serves no directory ${directory}`)
      const closed = await closeBreaker(ops.socket ?? join(stateDirectory, 'ops.sock'), directory)
      if (words.json) say(io, JSON.stringify({ directory, closed }))
      else
        say(
          io,
          closed ? `closed: writing to ${directory} goes on` : `the breaker of ${directory} was not open`,
        )
    })
}

function closeBreaker(socketPath: string, directory: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) =>
      reject(
        new WritebackError('ERR_AGENT_UNREACHABLE', `no answer from the agent at ${socketPath}`, { cause }),
      )
    const signal = AbortSignal.timeout(ANSWER_LIMIT_MS)
    const path = `/breakers/${encodeURIComponent(directory)}/close`
    const outgoing = request({ socketPath, path, method: 'POST', signal }, (incoming) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (part: string) => {
        text += part
      })
      incoming.on('error', fail)
      incoming.on('end', () => {
        const closed = incoming.statusCode === 200 ? readAnswer(text) : undefined
        if (closed === undefined) fail(new Error(`HTTP status ${incoming.statusCode}, no answer of an agent`))
        else resolve(closed)
      })
    })
    outgoing.on('error', fail)
    outgoing.end()
  })
}

/** undefined: something else than an agent answered. */
function readAnswer(text: string): boolean | undefined {
  try {
    const { closed } = JSON.parse(text)
    return typeof closed === 'boolean' ? closed : undefined
  } catch {
    return undefined
  }
}
