// The command line: words in, exit status out. Each command is a file of its own beside this one.
import { Command } from 'commander'
import { VERSION } from '../protocol/version.ts'
import { addAgentCommand } from './agent.ts'
import { addAuditCommand } from './audit.ts'
import { addBoardCommand } from './board.ts'
import { addBreakerCommand } from './breaker.ts'
import { addMissingHelp } from './command-help.ts'
import { addCompletionCommand } from './completion.ts'
import { addConfigCommand } from './config.ts'
import { addEnrollCommand } from './enroll.ts'
import { EXIT, type Io, type SetExit } from './io.ts'
import { addKeysCommand } from './keys.ts'
import { addQueueCommand } from './queue.ts'
import { addReloadCommand } from './reload.ts'
import { reportFailure } from './report-failure.ts'
import { addServiceCommand } from './service.ts'
import { addStatusCommand } from './status.ts'
import { addStopCommand } from './stop.ts'
import { addStoreCommand } from './store.ts'

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
  const program = createProgram(io, (code) => {
    status = code
  })
  try {
    await program.parseAsync([...io.argv], { from: 'user' })
    return status
  } catch (error) {
    return reportFailure(io, error)
  }
}

function createProgram(io: Io, setExit: SetExit): Command {
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
  addAgentCommand(program, io, setExit)
  addEnrollCommand(program, io)
  addStatusCommand(program, io, setExit)
  addStopCommand(program, io, setExit)
  addReloadCommand(program, io, setExit)
  addServiceCommand(program, io, setExit)
  addConfigCommand(program, io, setExit)
  addBreakerCommand(program, io)
  addQueueCommand(program, io, setExit)
  addBoardCommand(program, io)
  addAuditCommand(program, io, setExit)
  addKeysCommand(program, io, setExit)
  addStoreCommand(program, io, setExit)
  addCompletionCommand(program, io)
  addMissingHelp(program)
  return program
}
