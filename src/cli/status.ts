// writeback status: how the running agent of this host is, once or again and again.
import type { Command } from 'commander'
import { systemClock } from '../clock/clock.ts'
import { type AgentConfig, readAgentConfig } from '../config/agent-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { askAgent } from './ask-agent.ts'
import { describeStatus } from './describe-status.ts'
import { EXIT, type Io, type SetExit } from './io.ts'
import { readStatus } from './read-status.ts'
import { describeFailure } from './report-failure.ts'
import { openWatchScreen } from './watch-screen.ts'

const HELP = `
Asks the agent on its operators' socket: run it on the agent's host, as root or as the agent's own user. Colour is used
on a terminal only, and not where NO_COLOR is set. What each condition means: docs/runbook.md.

Exit statuses: 0 ready; 1 not ready; 2 bad usage or configuration; 3 no answer from an agent. With --watch, which ends at
Ctrl-C: that of the last look.

Examples:
  writeback status --config /etc/writeback/agent.yaml
  writeback status --watch --config /etc/writeback/agent.yaml
  writeback status --json --config /etc/writeback/agent.yaml | jq .conditions`

const LOOK_AGAIN_MS = 2_000

// As systemctl status and the Linux Standard Base say it of a service that does not run.
const NO_ANSWER = 3

interface Words {
  readonly config: string
  readonly watch?: boolean
  readonly json?: boolean
}

/** One look at the agent. */
interface Look {
  readonly exit: number
  readonly lines: readonly string[]
  readonly hasAnswer: boolean
}

/** Adds the command. */
export function addStatusCommand(program: Command, io: Io, setExit: SetExit): void {
  program
    .command('status')
    .description('how the running agent is: ready or not, what it is connected to, what waits, what is wrong')
    .requiredOption('--config <file>', 'the agent’s configuration, YAML')
    .option('--watch', 'look again every 2 seconds, until Ctrl-C')
    .option('--json', 'print what the agent answers, one line of JSON a look')
    .addHelpText('after', HELP)
    .action(async (words: Words) => {
      const config = readAgentConfig(words.config)
      setExit(words.watch ? await watch(io, config, words) : await showOnce(io, config, words))
    })
}

async function showOnce(io: Io, config: AgentConfig, words: Words): Promise<number> {
  const { exit, lines, hasAnswer } = await look(io, config, words)
  const stream = hasAnswer ? io.stdout : io.stderr
  stream.write(`${lines.join('\n')}\n`)
  return exit
}

async function look(io: Io, config: AgentConfig, words: Words, signal?: AbortSignal): Promise<Look> {
  try {
    const status = await askAgent(config, {
      ...{ method: 'GET', path: '/status', read: readStatus },
      ...(signal === undefined ? {} : { signal }),
    })
    const lines = words.json ? [JSON.stringify(status)] : describeStatus(status, viewOf(io, config))
    return { exit: status.ready ? EXIT.done : EXIT.failed, lines, hasAnswer: true }
  } catch (error) {
    if (!(error instanceof WritebackError)) throw error
    return { exit: NO_ANSWER, lines: describeFailure(error), hasAnswer: false }
  }
}

const viewOf = (io: Io, { audit: { syslog } }: AgentConfig) => ({
  nowMs: systemClock.wallMs(),
  inColour: io.stdout.isTTY === true && (io.env['NO_COLOR'] ?? '') === '',
  auditCollector: syslog && `${syslog.host}:${syslog.port}`,
})

async function watch(io: Io, config: AgentConfig, words: Words): Promise<number> {
  const ended = new AbortController()
  const end = () => ended.abort()
  const forget = io.onStopSignal(end)
  // Whoever reads may go away: writeback status --watch | head
  io.stdout.on('error', end)
  const draw = words.json ? undefined : openWatchScreen(io.stdout)
  let exit: number = NO_ANSWER
  try {
    while (!ended.signal.aborted) {
      const seen = await look(io, config, words, ended.signal)
      // A look that Ctrl-C cut short saw nothing.
      if (ended.signal.aborted) break
      exit = seen.exit
      if (draw) draw.draw(seen.lines)
      else (seen.hasAnswer ? io.stdout : io.stderr).write(`${seen.lines.join('\n')}\n`)
      await systemClock.sleep(LOOK_AGAIN_MS, ended.signal)
    }
    return exit
  } finally {
    draw?.close()
    forget()
  }
}
