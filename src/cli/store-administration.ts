// writeback store user, agent, enrolment-code, pause, resume.
import type { Command } from 'commander'
import { WritebackError } from '../errors/writeback-error.ts'
import { newUserSchema, type User } from '../protocol/administration-calls.ts'
import { parseDocument } from '../protocol/signed-message.ts'
import { type Io, say } from './io.ts'
import { type CallStore, connectToStore, type StoreWords, withStoreWords } from './store-api.ts'

type Words<T = object> = StoreWords & { readonly json?: boolean } & T

// 96 bits: enough to compare by eye, too many to forge.
const SHOWN_OF_THUMBPRINT = 16

const leaf = (parent: Command, words: string, description: string): Command =>
  withStoreWords(parent.command(words).description(description)).option('--json', 'print the answer as JSON')

const ANCHOR_HELP = `
The anchor is the account’s objectGUID. Where the agent is configured for mS-DS-ConsistencyGuid it is that value:
run \`writeback store request inspect <user>\` once then, so that the store pins the account behind it.`

/** Adds the subcommands. */
export function addStoreAdministration(store: Command, io: Io): void {
  addUserCommands(store, io)
  addAgentCommands(store, io)
  addServerCommands(store, io)
  leaf(store, 'enrolment-code', 'make a code that enrols one agent; the code alone goes to standard output')
    .requiredOption('--directory <name...>', 'directory the agent serves; may be repeated')
    .option('--valid-minutes <number>', 'how long the code may be used', '60')
    .action((words: Words<{ directory: string[]; validMinutes: string }>) => makeCode(io, words))
  for (const [name, paused] of [
    ['pause', true],
    ['resume', false],
  ] as const)
    leaf(
      store,
      name,
      paused ? 'stop all writing; requests wait until they expire' : 'let writing go on',
    ).action(async (words: Words) => {
      const answer = await (await connectToStore(io, words))('setPause', { body: { paused } })
      say(io, words.json ? JSON.stringify(answer) : paused ? 'paused: nothing is written' : 'writing goes on')
    })
}

function addUserCommands(store: Command, io: Io): void {
  const user = store.command('user').description('users and the accounts they are linked to')
  leaf(user, 'add <name>', 'link a user to an account')
    .requiredOption('--anchor <guid>', 'the account’s immutable anchor, lower case, with dashes')
    .requiredOption('--directory <name>', 'the directory the account is in')
    .option('--display-name <text>', 'how the user is shown; default: the name')
    .addHelpText('after', ANCHOR_HELP)
    .action(
      async (name: string, words: Words<{ anchor: string; directory: string; displayName?: string }>) => {
        const { anchor, directory, displayName = name } = words
        const body = readUser({ name, displayName, directory, anchor: anchor.toLowerCase() })
        const added = await (await connectToStore(io, words))('addUser', { body })
        say(io, words.json ? JSON.stringify(added) : `added ${name}: ${directory} ${added.anchor}`)
      },
    )
  leaf(user, 'list', 'all users').action(async (words: Words) => {
    const users: User[] = []
    for await (const page of pagesOfUsers(await connectToStore(io, words)))
      if (words.json) users.push(...page)
      else
        for (const { name, displayName, directory, anchor, objectGuid } of page) {
          const pin = objectGuid === null ? [] : [`pinned to ${objectGuid}`]
          say(io, [name, displayName, directory, anchor, ...pin].join('  '))
        }
    if (words.json) say(io, JSON.stringify({ users }))
  })
}

async function* pagesOfUsers(callStore: CallStore): AsyncGenerator<readonly User[]> {
  for (let after: string | undefined; ; ) {
    const { users } = await callStore('listUsers', { query: after === undefined ? {} : { after } })
    const last = users.at(-1)
    if (!last) return
    if (last.name === after)
      throw new WritebackError('ERR_STORE_ANSWER_INVALID', 'the store repeats the users it listed before')
    yield users
    after = last.name
  }
}

function readUser(user: unknown) {
  try {
    return parseDocument('user', user, newUserSchema)
  } catch (cause) {
    throw new WritebackError('ERR_USAGE', 'this is not a user the store can have', { cause })
  }
}

function addAgentCommands(store: Command, io: Io): void {
  const agent = store.command('agent').description('agents that are enrolled')
  leaf(agent, 'list', 'all agents and how they are').action(async (words: Words) => {
    const answer = await (await connectToStore(io, words))('listAgents')
    if (words.json) return say(io, JSON.stringify(answer))
    for (const listed of answer.agents) {
      const { agent: id, name, directories, state, identity, lastSeenAt, conditions } = listed
      const seen = lastSeenAt === null ? 'never seen' : `seen ${new Date(lastSeenAt).toISOString()}`
      const key = `key ${identity.slice(0, SHOWN_OF_THUMBPRINT)}`
      say(io, [id, name, state, directories.join(','), key, seen, ...conditions].join('  '))
    }
  })
  leaf(agent, 'revoke <id>', 'shut one agent out, at once and for good').action(
    async (id: string, words: Words) => {
      await (await connectToStore(io, words))('revokeAgent', { parameters: { id } })
      say(io, words.json ? JSON.stringify({ agent: id, state: 'revoked' }) : `revoked ${id}`)
    },
  )
}

const GONE_HELP = `
Without it a request that may have been written to a domain controller that died waits for it, and ends unknown. Declare
one gone only when it never comes back and what it had replicated has arrived everywhere. The id is its invocationId, as
the agents log it and as verdicts show it (server).`

function addServerCommands(store: Command, io: Io): void {
  const server = store.command('server').description('domain controllers that are gone for good')
  const tell = (servers: readonly string[], words: Words): void => {
    for (const line of words.json ? [JSON.stringify({ servers })] : servers) say(io, line)
  }
  leaf(server, 'list', 'the domain controllers that are declared gone').action(async (words: Words) =>
    tell((await (await connectToStore(io, words))('listGoneServers')).servers, words),
  )
  for (const [name, gone, description] of [
    ['gone', true, 'nobody waits any more for what was sent to this domain controller; nobody writes there'],
    ['back', false, 'take that back'],
  ] as const)
    leaf(server, `${name} <id>`, description)
      .addHelpText('after', gone ? GONE_HELP : '')
      .action(async (id: string, words: Words) => {
        const call = { parameters: { id: id.toLowerCase() }, body: { gone } }
        tell((await (await connectToStore(io, words))('declareServer', call)).servers, words)
      })
}

async function makeCode(io: Io, words: Words<{ directory: string[]; validMinutes: string }>): Promise<void> {
  const minutes = Number(words.validMinutes)
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > 1440)
    throw new WritebackError('ERR_USAGE', '--valid-minutes is a whole number from 1 to 1440')
  const body = { directories: words.directory, validForMs: minutes * 60_000 }
  const answer = await (await connectToStore(io, words))('createEnrolmentCode', { body })
  if (words.json) return say(io, JSON.stringify(answer))
  say(io, answer.code)
  io.stderr.write(`serves once, until ${new Date(answer.expiresAt).toISOString()}\nnext: writeback enroll\n`)
}
