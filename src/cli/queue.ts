// writeback queue: what waits in the running agent of this host, and what an operator can do about it.
import { userInfo } from 'node:os'
import { type Command, InvalidArgumentError } from 'commander'
import { type AgentConfig, readAgentConfig } from '../config/agent-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { type AgentQuestion, askAgent } from './ask-agent.ts'
import { describePause, describeQueue, describeRequest } from './describe-queue.ts'
import { type Io, type SetExit, say } from './io.ts'
import { readDeed, readPause, readQueue, readRequest, type ShownRequest } from './read-queue.ts'
import { describeFailure } from './report-failure.ts'

const HELP = `
Asks the agent on its operators' socket: run it on the agent's host, as root or as the agent's own user. Nothing shown here
holds a name or a password.

Exit statuses: 0 done; 1 not done, and why; 2 bad usage or configuration; 3 no answer from an agent.

Examples:
  writeback queue list --config /etc/writeback/agent.yaml
  writeback queue list --directory corp --limit 500 --json --config /etc/writeback/agent.yaml
  writeback queue show 0199c0de-0000-7000-8000-000000000001 --config /etc/writeback/agent.yaml
  writeback queue retry 0199c0de-0000-7000-8000-000000000001 --config /etc/writeback/agent.yaml
  writeback queue drop 0199c0de-0000-7000-8000-000000000001 --config /etc/writeback/agent.yaml
  writeback queue pause --config /etc/writeback/agent.yaml
  writeback queue resume --config /etc/writeback/agent.yaml`

const DROP_HELP = `
The request ends failed, dropped_by_operator, and the reset store tells so. Only a request of which nothing was written is
dropped, while the agent holds its lease: one that is in doubt has to be settled first.`

const PAUSE_HELP = `
Nothing is written from then on, also after a restart, whatever the reset store says. What is in doubt is still settled, and
requests expire while they wait. It is kept in the audit record who paused.`

const NO_ANSWER = 3
// The agent looks at the request for 4 s, and reads what became of it.
const DROP_LIMIT_MS = 10_000

interface Words {
  readonly config: string
  readonly json?: boolean
  readonly directory?: string
  readonly limit?: number
}

/** Adds the command. */
export function addQueueCommand(program: Command, io: Io, setExit: SetExit): void {
  const queue = program
    .command('queue')
    .description('requests that wait in the running agent: list, look again, drop; pause and resume writing')
    .addHelpText('after', HELP)
  const add = (
    name: string,
    description: string,
    run: (config: AgentConfig, words: Words, id: string) => Promise<void>,
  ) =>
    queue
      .command(name)
      .description(description)
      .requiredOption('--config <file>', 'the agent’s configuration, YAML')
      .option('--json', 'print what the agent answers, one line of JSON')
      .action(async (...given: readonly unknown[]) => {
        const [words, id] = name.includes('<') ? [given[1], String(given[0])] : [given[0], '']
        const shown = words as Words
        await telling(io, setExit, () => run(readAgentConfig(shown.config), shown, id))
      })
  const show = <T>(words: Words, answer: T, describe: (answer: T) => readonly string[]) => {
    for (const line of words.json ? [JSON.stringify(answer)] : describe(answer)) say(io, line)
  }
  add('list', 'the open requests, in the order of their turn', async (config, words) => {
    if (words.directory !== undefined && !Object.hasOwn(config.directories, words.directory))
      throw new WritebackError('ERR_USAGE', `the agent serves no directory ${words.directory}`)
    const path = `/queue?${new URLSearchParams({ limit: String(words.limit ?? 50), ...(words.directory === undefined ? {} : { directory: words.directory }) })}`
    show(words, await askAgent(config, { method: 'GET', path, read: readQueue }), describeQueue)
  })
    .option('--directory <name>', 'only of this directory')
    .option('--limit <count>', 'at most so many, 1 to 1000; default 50', readLimit)
  add('show <id>', 'one request: how far it is, what was tried, how it ended', async (config, words, id) => {
    const request = await ask(config, id, { method: 'GET', path: '', read: readRequest })
    if (!request) throw new WritebackError('ERR_REQUEST_NOT_OPEN', `this agent does not know request ${id}`)
    show(words, request, describeRequest)
  })
  add('retry <id>', 'look at a waiting request now', async (config, words, id) => {
    const { result, request } = await ask(config, id, { method: 'POST', path: '/retry', read: readDeed })
    if (result !== 'looked') throw refusal(result, id, request)
    show(words, request, (one) => (one ? describeRequest(one) : []))
  })
  add('drop <id>', 'end a request of which nothing was written', async (config, words, id) => {
    const path = `/drop?by=${encodeURIComponent(whoAmI(io))}`
    const { result, request } = await ask(config, id, {
      ...{ method: 'POST', path, read: readDeed },
      withinMs: DROP_LIMIT_MS,
    })
    if (result === 'busy')
      throw new WritebackError(
        'ERR_REQUEST_UNDER_WAY',
        `${id} is being carried out, and may still end dropped`,
      )
    if (result !== 'dropped') throw refusal(result, id, request)
    show(words, request, () => [`dropped: ${id} ended failed, dropped_by_operator`])
  }).addHelpText('after', DROP_HELP)
  const pause = (name: 'pause' | 'resume') => async (config: AgentConfig, words: Words) => {
    const path = `/queue/${name}?by=${encodeURIComponent(whoAmI(io))}`
    show(words, await askAgent(config, { method: 'POST', path, read: readPause }), describePause)
  }
  add('pause', 'stop writing on this host, until it is resumed here', pause('pause')).addHelpText(
    'after',
    PAUSE_HELP,
  )
  add('resume', 'let writing on this host go on', pause('resume'))
}

async function telling(io: Io, setExit: SetExit, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof WritebackError) || error.code !== 'ERR_AGENT_UNREACHABLE') throw error
    for (const line of describeFailure(error)) io.stderr.write(`${line}\n`)
    setExit(NO_ANSWER)
  }
}

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function ask<T>(config: AgentConfig, id: string, question: AgentQuestion<T>): Promise<T> {
  if (!ID.test(id)) throw new WritebackError('ERR_USAGE', `${id} is no request id`)
  return askAgent(config, { ...question, path: `/queue/requests/${id}${question.path}` })
}

function readLimit(text: string): number {
  const limit = Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000)
    throw new InvalidArgumentError('It must be a whole number from 1 to 1000.')
  return limit
}

function refusal(result: string, id: string, request: ShownRequest | null): WritebackError {
  if (result === 'in_doubt')
    return new WritebackError('ERR_REQUEST_IN_DOUBT', `${id}: ${attemptsOf(request)}; it was not dropped`)
  if (result === 'not_held')
    return new WritebackError(
      'ERR_REQUEST_NOT_HELD',
      `the lease of ${id} is not held now; it was not dropped here`,
    )
  if (result === 'busy') return new WritebackError('ERR_REQUEST_UNDER_WAY', `${id} is being carried out`)
  const end = request?.ended?.outcome ?? request?.ended?.state
  return new WritebackError(
    'ERR_REQUEST_NOT_OPEN',
    end ? `${id} has ended: ${end}` : `this agent does not know request ${id}`,
  )
}

const attemptsOf = (request: ShownRequest | null): string =>
  request?.attempts.length
    ? `a write may have been sent to ${request.attempts.at(-1)?.server}`
    : 'another agent may have written it'

/** Who types, as the operating system says; through sudo both. */
function whoAmI({ env }: Io): string {
  const { username } = userInfo()
  return env['SUDO_USER'] ? `${username} (sudo by ${env['SUDO_USER']})` : username
}
