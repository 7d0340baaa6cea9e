// writeback breaker: lets a running agent write again after a burst of requests had stopped it.
import type { Command } from 'commander'
import { type AgentConfig, readAgentConfig } from '../config/agent-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { askAgent } from './ask-agent.ts'
import { type Io, say } from './io.ts'

const EXAMPLES = `
Examples:
  writeback breaker close corp --config /etc/writeback/agent.yaml

Run it on the agent's host, as root or as the agent's own user. Find out first who asked for so many writes: the agent
cannot tell a busy morning from a reset store in the wrong hands.`

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
      const config = readAgentConfig(words.config)
      if (!Object.hasOwn(config.directories, directory))
        throw new WritebackError('ERR_USAGE', `the agent serves no directory ${directory}`)
      const closed = await closeBreaker(config, directory)
      if (words.json) say(io, JSON.stringify({ directory, closed }))
      else
        say(
          io,
          closed ? `closed: writing to ${directory} goes on` : `the breaker of ${directory} was not open`,
        )
    })
}

function closeBreaker(config: AgentConfig, directory: string): Promise<boolean> {
  return askAgent(config, {
    method: 'POST',
    path: `/breakers/${encodeURIComponent(directory)}/close`,
    read: (answer) => {
      const { closed } = (answer ?? {}) as { readonly closed?: unknown }
      return typeof closed === 'boolean' ? closed : undefined
    },
  })
}
