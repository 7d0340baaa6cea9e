// writeback store request: asks for a reset, hands in the sealed password, and shows how it ends.
import type { Command } from 'commander'
import { WritebackError } from '../errors/writeback-error.ts'
import { LONGEST_WAIT_MS } from '../protocol/identifiers.ts'
import { sealPasswords } from '../protocol/sealed-password.ts'
import type { CreateRequestAnswer, Verdict } from '../protocol/sealer-calls.ts'
import { verifySealingKey } from '../protocol/sealing-key.ts'
import { importPublicKey } from '../protocol/signed-message.ts'
import { type Io, type SetExit, say } from './io.ts'
import { describeVerdict, exitOf } from './print-verdict.ts'
import { readNewPassword, readPasswordLine } from './read-password.ts'
import { type CallStore, connectToStore, type StoreWords, withStoreWords } from './store-api.ts'
import { makeTemporaryPassword } from './temporary-password.ts'

interface ResetWords extends StoreWords {
  readonly unlock: boolean
  readonly mustChange?: boolean
  readonly generate?: boolean
  readonly passwordStdin?: boolean
  readonly wait?: boolean
  readonly json?: boolean
}

interface ShowWords extends StoreWords {
  readonly wait?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  writeback store request reset ada --wait --config store.yaml                 asks for the password twice
  writeback store request reset ada --generate --must-change --wait --config store.yaml
  writeback store request reset ada --password-stdin --config store.yaml < password.txt

The password is sealed to the agents in this process; the store never sees it.

Exit statuses with --wait:
  0  applied      3  refused      4  superseded or expired      5  unknown      6  failed`

/** Adds the subcommands. */
export function addStoreRequestCommands(store: Command, io: Io, setExit: SetExit): void {
  const request = store.command('request').description('ask for a reset, or see how one went')
  withStoreWords(request.command('reset <user>').description('set a new password for a user of the store'))
    .option('--no-unlock', 'leave the lockout as it is')
    .option('--must-change', 'the user must choose a new password at the next sign-in')
    .option('--generate', 'make a temporary password and print it once')
    .option('--password-stdin', 'read the password from standard input, up to the first line end')
    .option('--wait', 'wait for the verdict; the exit status tells it')
    .option('--json', 'print JSON, one value a line')
    .addHelpText('after', EXAMPLES)
    .action(async (user: string, words: ResetWords) => setExit(await reset(io, user, words)))
  withStoreWords(request.command('show <id>').description('where a request is'))
    .option('--wait', 'wait for the verdict; the exit status tells it')
    .option('--json', 'print JSON')
    .action(async (id: string, words: ShowWords) => {
      setExit(await show(io, await connectToStore(io, words), id, words))
    })
}

async function reset(io: Io, name: string, words: ResetWords): Promise<number> {
  if (words.generate && words.passwordStdin)
    throw new WritebackError('ERR_USAGE', '--generate and --password-stdin exclude each other')
  const callStore = await connectToStore(io, words)
  const { users } = await callStore('listUsers', { query: { name } })
  const user = users.find((one) => one.name === name)
  if (!user) throw new WritebackError('ERR_STORE_REJECTED', `user_not_found: the store has no user ${name}`)
  const password = await takePassword(io, words)
  try {
    const { directory, anchor } = user
    const options = { unlock: words.unlock, mustChangeAtNextSignIn: words.mustChange === true }
    const body = { directory, operation: 'reset' as const, options }
    const created = await callStore('createRequest', { body, parameters: { anchor } })
    requireAskedFor(created, anchor, directory)
    await callStore('seal', { body: await seal(created, password), parameters: { id: created.request } })
    if (words.generate) printOnce(io, password, words)
    if (words.wait) return await show(io, callStore, created.request, words)
    const { request, expiresAt } = created
    say(io, words.json ? JSON.stringify({ request, expiresAt }) : `request ${request} is on its way`)
    return exitOf(null)
  } finally {
    password.fill(0)
  }
}

function takePassword(io: Io, words: ResetWords): Promise<Buffer> {
  if (words.generate) return Promise.resolve(makeTemporaryPassword())
  return words.passwordStdin ? readPasswordLine(io) : readNewPassword(io)
}

// The sealed value binds these fields; a store that answers for someone else must not get it.
function requireAskedFor(created: CreateRequestAnswer, anchor: string, directory: string): void {
  if (created.anchor !== anchor || created.directory !== directory || created.operation !== 'reset')
    throw new WritebackError('ERR_STORE_ANSWER_INVALID', 'the store began another request than was asked for')
}

async function seal(created: CreateRequestAnswer, password: Buffer) {
  const { request: requestId, operation, anchor, directory, expiresAt, agents } = created
  const recipients = await Promise.all(
    agents.map(async ({ sealingKey, identityKey }) => {
      const key = await verifySealingKey(sealingKey, identityKey)
      return { kid: key.kid, key: await importPublicKey(key) }
    }),
  )
  return sealPasswords([password], { requestId, operation, anchor, directory, expiresAt }, recipients)
}

// As bytes all the way; its characters mean themselves in JSON too.
function printOnce(io: Io, password: Buffer, { json }: ResetWords): void {
  io.stdout.write(json ? '{"temporaryPassword":"' : 'temporary password, shown once: ')
  const copy = Buffer.from(password)
  io.stdout.write(copy, () => copy.fill(0))
  io.stdout.write(json ? '"}\n' : '\n')
}

async function show(io: Io, callStore: CallStore, id: string, words: ShowWords): Promise<number> {
  const query: Readonly<Record<string, string>> = words.wait ? { wait: String(LONGEST_WAIT_MS) } : {}
  let verdict: Verdict
  do {
    verdict = await callStore('verdict', { parameters: { id }, query })
  } while (words.wait && verdict.state !== 'closed')
  if (words.json) say(io, JSON.stringify(verdict))
  else for (const line of describeVerdict(verdict)) say(io, line)
  return exitOf(verdict.outcome)
}
