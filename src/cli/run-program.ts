// The command line: words in, exit status out. Each command is a file of its own beside this one, loaded when it is named.
import { Command } from 'commander'
import { VERSION } from '../protocol/version.ts'
import { addMissingHelp } from './command-help.ts'
import { keepCompiledCodeEarly } from './compile-cache.ts'
import { EXIT, type Io, type SetExit } from './io.ts'
import { reportFailure } from './report-failure.ts'

type AddCommand = (program: Command, io: Io, setExit: SetExit) => void

// In the order of the help.
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  agent: async () => (await import('./agent.ts')).addAgentCommand,
  enroll: async () => (await import('./enroll.ts')).addEnrollCommand,
  status: async () => (await import('./status.ts')).addStatusCommand,
  stop: async () => (await import('./stop.ts')).addStopCommand,
  reload: async () => (await import('./reload.ts')).addReloadCommand,
  service: async () => (await import('./service.ts')).addServiceCommand,
  config: async () => (await import('./config.ts')).addConfigCommand,
  breaker: async () => (await import('./breaker.ts')).addBreakerCommand,
  queue: async () => (await import('./queue.ts')).addQueueCommand,
  board: async () => (await import('./board.ts')).addBoardCommand,
  audit: async () => (await import('./audit.ts')).addAuditCommand,
  keys: async () => (await import('./keys.ts')).addKeysCommand,
  store: async () => (await import('./store.ts')).addStoreCommand,
  completion: async () => (await import('./completion.ts')).addCompletionCommand,
}
// It speaks of all the others.
const ALL = 'completion'

const EXIT_HELP = `
Exit statuses:
  0  done (a request: applied)      4  superseded or expired
  1  failed                         5  unknown
  2  bad usage or configuration     6  the request failed
  3  the request was refused
of writeback status: 0 ready, 1 not ready, 3 no answer; of stop: 0 ended, 1 still runs, 3 no answer
of writeback queue: 0 done, 1 not done, 3 no answer
of writeback agent: 0 stopped as asked, 7 stuck: start it again`

/** Runs the program once. Never throws; failures become one message on standard error and an exit status. */
export async function runProgram(io: Io): Promise<number> {
  let status: number = EXIT.done
  try {
    const program = await createProgram(io, (code) => {
      status = code
    })
    await program.parseAsync([...io.argv], { from: 'user' })
    return status
  } catch (error) {
    return reportFailure(io, error)
  }
}

async function createProgram(io: Io, setExit: SetExit): Promise<Command> {
  const program = new Command('writeback')
    .description(
      'Writes password resets from a reset store into Active Directory or OpenLDAP, once, and reports the truth.',
    )
    .version(VERSION)
    // A word belongs to the command it follows: `store` and its subcommands have words of the same name.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .showHelpAfterError('(add --help for the words this command takes)')
    .addHelpText('after', EXIT_HELP)
  if (io.argv[0] === 'agent') keepCompiledCodeEarly(io.argv)
  for (const load of commandsFor(io.argv)) (await load())(program, io, setExit)
  addMissingHelp(program)
  return program
}

/** The one that is named; all of them where the first word is another one, so that the help can speak of them. */
function commandsFor([first = '']: readonly string[]): readonly (() => Promise<AddCommand>)[] {
  const named = Object.hasOwn(COMMANDS, first) && first !== ALL ? COMMANDS[first] : undefined
  return named ? [named] : Object.values(COMMANDS)
}
