// writeback agent: runs the agent until it is told to stop.
import type { Command } from 'commander'
import { systemClock } from '../clock/clock.ts'
import { type AgentConfig, readAgentConfig } from '../config/agent-config.ts'
import { keepCompiledCode } from './compile-cache.ts'
import { EXIT, type Io, type SetExit } from './io.ts'
import { stopRequest } from './stop-request.ts'
import { admitRuntime } from './unsafe-runtime.ts'

const EXAMPLES = `
Examples:
  writeback agent --config /etc/writeback/agent.yaml

The first SIGTERM or SIGINT lets work that is under way finish; a second one ends the process at once.

Exit statuses: 0 stopped as asked; 1 failed; 2 bad usage or configuration, another start does not help; 7 the queue takes
no jobs though Redis answers, also with a new worker: the service manager should start the agent again.`

/** Adds the command. */
export function addAgentCommand(program: Command, io: Io, setExit: SetExit): void {
  program
    .command('agent')
    .description('run the agent: take requests from the store and write them to the directory')
    .requiredOption('--config <file>', 'the agent’s configuration, YAML')
    .option('--allow-debug', 'run even where a debugging option makes passwords readable, and warn', false)
    .addHelpText('after', EXAMPLES)
    .action(async (options: AgentWords) => setExit(await runAgent(io, options)))
}

const REST_OF_STOP_MS = 15_000

interface AgentWords {
  readonly config: string
  readonly allowDebug: boolean
}

async function runAgent(io: Io, words: AgentWords): Promise<number> {
  const unsafeRuntime = admitRuntime(io, words.allowDebug)
  const config = readAgentConfig(words.config)
  keepCompiledCode(config.stateDirectory)
  // Loaded here: no other command needs it.
  const { createLogger, errorFields } = await import('../telemetry/logger.ts')
  const log = createLogger({ ...config.log, stream: io.stdout })
  const { createAgent } = await import('../agent/create-agent.ts')
  const agent = createAgent({ config, log, clock: systemClock, env: io.env, unsafeRuntime })
  const stopped = stopRequest(io)
  log.info('agent starting', { stateDirectory: config.stateDirectory, store: config.store.url })
  try {
    await agent.start()
    const ending = await Promise.race([stopped, agent.failed])
    if (typeof ending === 'string') {
      log.info('stopping', { signal: ending })
      return EXIT.done
    }
    log.error('the agent cannot go on and ends: start it again', errorFields(ending))
    endForSure(io, config)
    return EXIT.startAgain
  } finally {
    await agent.stop()
    log.info('agent stopped')
  }
}

// Every part of a stop has a deadline of its own; an agent that is stuck may not be kept by one that has not.
function endForSure(io: Io, { shutdownTimeoutSeconds }: AgentConfig): void {
  setTimeout(() => io.exitNow(EXIT.startAgain), shutdownTimeoutSeconds * 1000 + REST_OF_STOP_MS).unref()
}
