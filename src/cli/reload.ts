// writeback reload: has the running agent read its configuration anew, and says what needs a restart.
import type { Command } from 'commander'
import { z } from 'zod'
import { readAgentConfig } from '../config/agent-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { askAgent } from './ask-agent.ts'
import { EXIT, type Io, type SetExit, say } from './io.ts'
import { describeFailure } from './report-failure.ts'

const HELP = `
Taken over at once: log.level, shutdownTimeoutSeconds, and the limits of each directory. Every other change needs a restart;
it is named here and in the agent's log, and the agent goes on with the value it started with. A limit that lets more
through waits for the restart too where its directory has other changes that need one. A file with a fault changes
nothing. The content of a file that holds the password of a service account is no change of the configuration: see
docs/service.md. On Linux SIGHUP and systemctl reload do the same.

Exit statuses: 0 the agent goes by the file; 1 a change needs a restart; 2 the file has a fault, and nothing was changed;
3 no answer from an agent.

Examples:
  writeback reload --config /etc/writeback/agent.yaml
  writeback reload --json --config /etc/writeback/agent.yaml`

const NO_ANSWER = 3

const answerSchema = z.looseObject({
  applied: z.array(z.string()),
  needsRestart: z.array(z.string()),
  faults: z.array(
    z.looseObject({ path: z.string(), line: z.number(), column: z.number(), message: z.string() }),
  ),
  problem: z.string().nullable(),
})
type Answer = z.output<typeof answerSchema>

interface Words {
  readonly config: string
  readonly json?: boolean
}

/** Adds the command. */
export function addReloadCommand(program: Command, io: Io, setExit: SetExit): void {
  program
    .command('reload')
    .description('have the running agent read its configuration anew')
    .requiredOption('--config <file>', 'the agent’s configuration, YAML')
    .option('--json', 'print the agent’s answer as JSON')
    .addHelpText('after', HELP)
    .action(async (words: Words) => setExit(await reload(io, words)))
}

async function reload(io: Io, words: Words): Promise<number> {
  const config = readAgentConfig(words.config)
  try {
    const read = (answer: unknown) => answerSchema.safeParse(answer).data
    const answer = await askAgent(config, { method: 'POST', path: '/reload', read })
    if (words.json) say(io, JSON.stringify(answer))
    else for (const line of describe(words.config, answer)) say(io, line)
    if (answer.problem !== null) return EXIT.usage
    return answer.needsRestart.length === 0 ? EXIT.done : EXIT.failed
  } catch (error) {
    if (!(error instanceof WritebackError) || error.code !== 'ERR_AGENT_UNREACHABLE') throw error
    io.stderr.write(`${describeFailure(error).join('\n')}\n`)
    return NO_ANSWER
  }
}

function describe(file: string, { applied, needsRestart, faults, problem }: Answer): readonly string[] {
  if (problem !== null)
    return [
      ...faults.map(
        ({ path, line, column, message }) =>
          `${file}:${line}:${column} ${path === '' ? '' : `${path}: `}${message}`,
      ),
      `nothing was changed: ${problem}`,
    ]
  const lines = [
    ...applied.map((key) => `taken over: ${key}`),
    ...needsRestart.map((key) => `needs a restart: ${key}`),
  ]
  return lines.length === 0 ? ['nothing has changed'] : lines
}
