// writeback agent: runs the agent until it is told to stop.
import type { Command } from 'commander'
import { systemClock } from '../clock/clock.ts'
import { readAgentConfig } from '../config/agent-config.ts'
import { withCredentials } from '../config/credentials.ts'
import { createServiceNotifier } from '../service/notify-systemd.ts'
import type { Logger } from '../telemetry/logger.ts'
import { keepCompiledCode, saveCompiledCode } from './compile-cache.ts'
import { EXIT, type Io, type SetExit } from './io.ts'
import { stopRequest } from './stop-request.ts'
import { admitRuntime } from './unsafe-runtime.ts'
import { growYoungGeneration } from './young-generation.ts'

const EXAMPLES = `
Examples:
  writeback agent --config /etc/writeback/agent.yaml

The first SIGTERM, SIGINT (Ctrl-C) or SIGBREAK, or writeback stop, lets work that is under way finish for at most
shutdownTimeoutSeconds; a second signal ends the process at once. Nothing is lost by either: the next start settles what is open.
SIGHUP does what writeback reload does; where a terminal that is closed would send it, it asks to stop.

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

const LEFT_OVER_MS = 250

interface AgentWords {
  readonly config: string
  readonly allowDebug: boolean
}

async function runAgent(io: Io, words: AgentWords): Promise<number> {
  const unsafeRuntime = admitRuntime(io, words.allowDebug)
  const readConfig = () => withCredentials(readAgentConfig(words.config), io.env['CREDENTIALS_DIRECTORY'])
  const config = readConfig()
  keepCompiledCode(config.stateDirectory)
  // Loaded here: no other command needs it.
  const { createLogger, errorFields } = await import('../telemetry/logger.ts')
  const log = createLogger({ ...config.log, stream: io.stdout })
  const { createAgent } = await import('../agent/create-agent.ts')
  const service = createServiceNotifier({ env: io.env, pid: process.pid, clock: systemClock, log })
  const stop = stopRequest(io)
  const onStopAsked = () => stop.ask('writeback stop')
  const agent = createAgent({
    ...{ config, log, clock: systemClock, env: io.env, unsafeRuntime, onStopAsked },
    readConfig,
    setLogLevel: log.setLevel,
    onReload: { begun: service.reloading, ended: service.reloaded },
  })
  void stop.asked.then((by) => {
    log.info('stopping', { by })
    service.stopping(agent.stopLimitMs())
    endLate({ io, log, status: EXIT.done, deadlineMs: agent.stopLimitMs() })
  })
  log.info('agent starting', { stateDirectory: config.stateDirectory, store: config.store.url })
  io.onReloadSignal(() => void agent.reload())
  let status: number = EXIT.done
  try {
    await Promise.race([agent.start().then(() => service.started(agent.health)), stop.asked])
    saveCompiledCode()
    growYoungGeneration(2)
    const ending = await Promise.race([stop.asked, agent.failed])
    if (typeof ending !== 'string') {
      log.error('the agent cannot go on and ends: start it again', errorFields(ending))
      status = EXIT.startAgain
      service.stopping(agent.stopLimitMs())
      endLate({ io, log, status, deadlineMs: agent.stopLimitMs() })
    }
  } finally {
    await agent.stop()
    log.info('agent stopped')
    await service.close()
  }
  // What still connects somewhere would hold the process until it gives up.
  setTimeout(() => io.exitNow(status), LEFT_OVER_MS).unref()
  return status
}

interface LateEnd {
  readonly io: Io
  readonly log: Logger
  readonly status: number
  readonly deadlineMs: number
}

/** The last resort. Every part has its own share of the time; whatever holds the process up all the same does so in vain. */
function endLate({ io, log, status, deadlineMs }: LateEnd): void {
  const end = () => {
    log.warn('the stop ran out of time: ended as it stands, the next start settles what is open')
    io.exitNow(status)
  }
  setTimeout(end, deadlineMs).unref()
}
