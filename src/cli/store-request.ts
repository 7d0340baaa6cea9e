// writeback store request: asks for a reset, a change, an unlock or the state of an account, and shows how it ends.
import { type Command, Option } from 'commander'
import { WritebackError } from '../errors/writeback-error.ts'
import { LONGEST_WAIT_MS, type Operation } from '../protocol/identifiers.ts'
import type { Verdict } from '../protocol/sealer-calls.ts'
import { type Io, type SetExit, say } from './io.ts'
import { describeVerdict, exitOf } from './print-verdict.ts'
import { readChangedPassword, readNewPassword, readPasswordLines } from './read-password.ts'
import { findUser, sendRequest } from './send-request.ts'
import { type CallStore, connectToStore, type StoreWords, withStoreWords } from './store-api.ts'
import { makeTemporaryPassword } from './temporary-password.ts'

interface ShowWords extends StoreWords {
  readonly wait?: boolean
  readonly json?: boolean
}

interface AskWords extends ShowWords {
  readonly as: keyof typeof ACTORS
  readonly passwordStdin?: boolean
  readonly unlock?: boolean
  readonly mustChange?: boolean
  readonly generate?: boolean
}

const ACTORS = { administrator: 'administrator', 'help-desk': 'help_desk', self: 'self' } as const

const SEALED = 'The password is sealed to the agents in this process; the store never sees it.\n'
const EXIT_HELP = `
Exit statuses with --wait:
  0  applied      3  refused      4  superseded or expired      5  unknown      6  failed`

const HELP = {
  reset: `
Examples:
  writeback store request reset ada --wait --config store.yaml                 asks for the password twice
  writeback store request reset ada --generate --must-change --wait --config store.yaml
  writeback store request reset ada --password-stdin --config store.yaml < password.txt

${SEALED}${EXIT_HELP}`,
  change: `
Examples:
  writeback store request change ada --as self --wait --config store.yaml      asks for current and new password
  writeback store request change ada --password-stdin --wait --config store.yaml < two-lines.txt

The current password is checked by the directory itself. Both passwords are sealed to the agents in this process;
the store never sees them.
${EXIT_HELP}`,
  unlock: `
Examples:
  writeback store request unlock ada --wait --config store.yaml
  writeback store request unlock ada --as help-desk --wait --json --config store.yaml

The password stays as it is.
${EXIT_HELP}`,
  inspect: `
Examples:
  writeback store request inspect ada --config store.yaml
  writeback store request inspect ada --json --config store.yaml

Nothing is changed. It waits for the answer: whether writeback is possible, lockout, expiry, and the policy that
applies. The store pins the account that was found to the user.

Exit statuses:
  0  read         3  refused      4  expired      5  unknown      6  failed`,
} as const satisfies Record<Operation, string>

/** Adds the subcommands. */
export function addStoreRequestCommands(store: Command, io: Io, setExit: SetExit): void {
  const request = store
    .command('request')
    .description('ask for a reset, a change, an unlock or the state of an account, or see how one went')
  const addOperation = (operation: Operation, description: string): Command =>
    withStoreWords(request.command(`${operation} <user>`).description(description))
      .addOption(
        new Option('--as <who>', 'who asks; the user’s own requests are treated more strictly on premises')
          .choices(Object.keys(ACTORS))
          .default('administrator'),
      )
      .option('--wait', 'wait for the verdict; the exit status tells it')
      .option('--json', 'print JSON, one value a line')
      .addHelpText('after', HELP[operation])
      .action(async (user: string, words: AskWords) => setExit(await ask(io, operation, user, words)))
  addOperation('reset', 'set a new password for a user of the store')
    .option('--no-unlock', 'leave the lockout as it is')
    .option('--must-change', 'the user must choose a new password at the next sign-in')
    .option('--generate', 'make a temporary password and print it once')
    .option('--password-stdin', 'read the password from standard input, up to the first line end')
  addOperation('change', 'set a new password; the directory checks the current one').option(
    '--password-stdin',
    'read two lines from standard input: the current password, then the new one',
  )
  addOperation('unlock', 'clear the lockout of an account')
  addOperation('inspect', 'show the state of an account; waits for it')
  withStoreWords(request.command('show <id>').description('where a request is'))
    .option('--wait', 'wait for the verdict; the exit status tells it')
    .option('--json', 'print JSON')
    .action(async (id: string, words: ShowWords) => {
      setExit(await showVerdict(io, await connectToStore(io, words), id, words))
    })
}

async function ask(io: Io, operation: Operation, name: string, words: AskWords): Promise<number> {
  if (words.generate && words.passwordStdin)
    throw new WritebackError('ERR_USAGE', '--generate and --password-stdin exclude each other')
  const callStore = await connectToStore(io, words)
  const user = await findUser(callStore, name)
  const passwords = await takePasswords(io, operation, words)
  try {
    const options =
      operation === 'reset'
        ? { unlock: words.unlock !== false, mustChangeAtNextSignIn: words.mustChange === true }
        : {}
    const asked = { user, operation, options, actor: { kind: ACTORS[words.as] } }
    const { request, expiresAt } = await sendRequest(callStore, asked, passwords)
    const [generated] = words.generate ? passwords : []
    if (generated) printOnce(io, generated, words)
    const begun = `request ${request} is on its way`
    // An inspect without its answer is of no use.
    if (words.wait || operation === 'inspect') {
      // Whoever gives up waiting still knows what to ask for.
      io.stderr.write(`${begun}\n`)
      return await showVerdict(io, callStore, request, { ...words, wait: true })
    }
    say(io, words.json ? JSON.stringify({ request, expiresAt }) : begun)
    return exitOf(null)
  } finally {
    for (const password of passwords) password.fill(0)
  }
}

async function takePasswords(io: Io, operation: Operation, words: AskWords): Promise<readonly Buffer[]> {
  if (operation === 'reset') {
    if (words.generate) return [makeTemporaryPassword()]
    return words.passwordStdin ? readPasswordLines(io, 1) : [await readNewPassword(io)]
  }
  if (operation !== 'change') return []
  return words.passwordStdin ? readPasswordLines(io, 2) : readChangedPassword(io)
}

// As bytes all the way; its characters mean themselves in JSON too.
function printOnce(io: Io, password: Buffer, { json }: AskWords): void {
  io.stdout.write(json ? '{"temporaryPassword":"' : 'temporary password, shown once: ')
  const copy = Buffer.from(password)
  io.stdout.write(copy, () => copy.fill(0))
  io.stdout.write(json ? '"}\n' : '\n')
}

/** Prints the verdict of a request, with `wait` that of its end; gives the exit status that tells it. Throws as CallStore. */
export async function showVerdict(
  io: Io,
  callStore: CallStore,
  id: string,
  words: Pick<ShowWords, 'wait' | 'json'>,
): Promise<number> {
  const query: Readonly<Record<string, string>> = words.wait ? { wait: String(LONGEST_WAIT_MS) } : {}
  let verdict: Verdict
  do {
    verdict = await callStore('verdict', { parameters: { id }, query })
  } while (words.wait && verdict.state !== 'closed')
  if (words.json) say(io, JSON.stringify(verdict))
  else for (const line of describeVerdict(verdict)) say(io, line)
  return exitOf(verdict.outcome)
}
