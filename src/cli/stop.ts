// writeback stop: asks the running agent of this host to end in good order, and waits until it is gone.
import type { Command } from 'commander'
import { systemClock } from '../clock/clock.ts'
import { type AgentConfig, readAgentConfig } from '../config/agent-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { isAgentProcess, isProcess } from './agent-process.ts'
import { askAgent } from './ask-agent.ts'
import { EXIT, type Io, type SetExit, say } from './io.ts'
import { describeFailure } from './report-failure.ts'

const HELP = `
The agent takes no new requests, finishes what is under way, delivers its outcomes, and ends, all within
shutdownTimeoutSeconds; what does not end in that time stays in the journal, and the next start settles it. Run it on the
agent's host, as root or as the agent's own user. Ctrl-C ends the waiting, not the stop. An agent that systemd runs is
not started again; systemctl stop writeback does the same.

Exit statuses: 0 the agent has ended; 1 it still runs; 2 bad usage or configuration; 3 no answer from an agent.

Examples:
  writeback stop --config /etc/writeback/agent.yaml
  writeback stop --json --config /etc/writeback/agent.yaml`

const NO_ANSWER = 3
const LOOK_MS = 100
// The last resort of the agent is due at its deadline; this is for its last steps.
const GRACE_MS = 2_000
const BACK_AND_CLEAR = '\r\x1b[K'

interface Words {
  readonly config: string
  readonly json?: boolean
}

interface Stopping {
  readonly pid: number
  readonly deadlineMs: number
}

/** Adds the command. */
export function addStopCommand(program: Command, io: Io, setExit: SetExit): void {
  program
    .command('stop')
    .description('stop the running agent in good order, and wait until it is gone')
    .requiredOption('--config <file>', 'the agent’s configuration, YAML')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (words: Words) => setExit(await stop(io, words)))
}

async function stop(io: Io, words: Words): Promise<number> {
  const config = readAgentConfig(words.config)
  const begunMs = systemClock.monotonicMs()
  const stopping = await ask(io, config)
  if (stopping === undefined) return NO_ANSWER
  const stopped = await awaitEnd(io, words, config, stopping)
  const seconds = Math.round((systemClock.monotonicMs() - begunMs) / 100) / 10
  if (words.json) say(io, JSON.stringify({ stopped, pid: stopping.pid, seconds }))
  else
    say(
      io,
      stopped
        ? `stopped, after ${seconds} s`
        : `still running after ${seconds} s, as process ${stopping.pid}: read its log; a second signal ends it at once`,
    )
  return stopped ? EXIT.done : EXIT.failed
}

async function ask(io: Io, config: AgentConfig): Promise<Stopping | undefined> {
  try {
    return await askAgent(config, { method: 'POST', path: '/stop', read: readStopping })
  } catch (error) {
    if (!(error instanceof WritebackError)) throw error
    io.stderr.write(`${describeFailure(error).join('\n')}\n`)
    return undefined
  }
}

function readStopping(answer: unknown): Stopping | undefined {
  const { pid, deadlineMs } = (answer ?? {}) as Partial<Stopping>
  return Number.isSafeInteger(pid) && typeof deadlineMs === 'number' ? (answer as Stopping) : undefined
}

async function awaitEnd(io: Io, words: Words, config: AgentConfig, stopping: Stopping): Promise<boolean> {
  const showsProgress = io.stdout.isTTY === true && !words.json
  const begunMs = systemClock.monotonicMs()
  const passedMs = () => systemClock.monotonicMs() - begunMs
  const isSeen = isAgentProcess(stopping.pid, io.platform)
  let runs = true
  while (runs && passedMs() < stopping.deadlineMs + GRACE_MS) {
    if (showsProgress)
      io.stdout.write(
        `${BACK_AND_CLEAR}stopping: ${Math.floor(passedMs() / 1000)} s of at most ${stopping.deadlineMs / 1000} s`,
      )
    await systemClock.sleep(LOOK_MS)
    runs = (isSeen && isProcess(stopping.pid)) || (await answers(config))
  }
  if (showsProgress) io.stdout.write(BACK_AND_CLEAR)
  return !runs
}

// Where the agent runs in a container of its own, or nobody may see its process, only the socket tells of it.
const answers = (config: AgentConfig): Promise<boolean> =>
  askAgent(config, { method: 'GET', path: '/livez', read: () => true }).catch(() => false)
