// writeback completion: a script that teaches a shell the words of this program.
import { Argument, type Command } from 'commander'
import { writeBashCompletion } from './bash-completion.ts'
import { readCommandWords } from './command-words.ts'
import type { Io } from './io.ts'
import { writePowerShellCompletion } from './powershell-completion.ts'

const EXAMPLES = `
Prints the script and changes nothing. Make it again after an upgrade.

Exit statuses: 0 done; 2 bad usage.

Examples:
  source <(writeback completion bash)                                      # this bash
  writeback completion bash | sudo tee /etc/bash_completion.d/writeback    # every bash, with bash-completion
  writeback completion powershell | Out-String | Invoke-Expression         # this PowerShell
  writeback completion powershell >> $PROFILE                              # every PowerShell of yours`

const WRITERS = { bash: writeBashCompletion, powershell: writePowerShellCompletion }

/** Adds the command; at the time it runs, `program` has all the others. */
export function addCompletionCommand(program: Command, io: Io): void {
  program
    .command('completion')
    .description('print a script that completes the words of this program with the Tab key')
    .addArgument(new Argument('<shell>', 'for which shell').choices(Object.keys(WRITERS)))
    .addHelpText('after', EXAMPLES)
    .action((shell: keyof typeof WRITERS) => void io.stdout.write(WRITERS[shell](readCommandWords(program))))
}
