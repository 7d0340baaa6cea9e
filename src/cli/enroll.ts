// writeback enroll: makes this machine's keys and introduces them to the store.
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'
import { systemClock } from '../clock/clock.ts'
import { readAgentConfig } from '../config/agent-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { handOver } from '../service/service-files.ts'
import { type Io, say } from './io.ts'
import { refuseUnsafeRuntime } from './unsafe-runtime.ts'

const EXAMPLES = `
Examples:
  writeback enroll --config /etc/writeback/agent.yaml --code-file code.txt
  ssh store writeback store enrolment-code --config store.yaml --directory corp | writeback enroll --config agent.yaml

The code is read from a file or from standard input, never from the command line, where others could see it.`

interface EnrollOptions {
  readonly config: string
  readonly codeFile?: string
  readonly name: string
  readonly json?: boolean
}

/** Adds the command. */
export function addEnrollCommand(program: Command, io: Io): void {
  program
    .command('enroll')
    .description('enrol this agent at the store, once, with a code made there')
    .requiredOption('--config <file>', 'the agent’s configuration, YAML')
    .option('--code-file <file>', 'file with the enrolment code; default: standard input')
    .option('--name <name>', 'how the store shows this agent', hostname())
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: EnrollOptions) => enroll(io, options))
}

async function enroll(io: Io, options: EnrollOptions): Promise<void> {
  refuseUnsafeRuntime(io)
  const config = readAgentConfig(options.config)
  const code = options.codeFile === undefined ? await readFromInput(io) : readCode(options.codeFile)
  // Loaded here: no other command needs it.
  const { enrolAgent } = await import('../agent/enrol-agent.ts')
  const { enrolled } = await enrolAgent({
    config,
    code,
    name: options.name,
    env: io.env,
    nowMs: systemClock.wallMs(),
  })
  if (io.uid === 0) handOver(config.stateDirectory)
  if (options.json) return say(io, JSON.stringify(enrolled))
  say(io, `enrolled as ${options.name} (${enrolled.agent})`)
  say(io, `tenant ${enrolled.tenant}, directories ${enrolled.directories.join(', ')}`)
  say(io, `next: writeback agent --config ${options.config}`)
}

function readFromInput(io: Io): Promise<string> {
  if (io.stdin.isTTY) io.stderr.write('Paste the enrolment code, then press Enter and Ctrl-D:\n')
  return text(io.stdin)
}

function readCode(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WritebackError('ERR_USAGE', `code file ${file} cannot be read`, { cause })
  }
}
