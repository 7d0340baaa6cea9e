// Shows that the search can fail: a leak in every sink and one in every encoding, made on purpose, must all be found. The
// agent leaks by careless lines that its test build has; what a careless program beside it would do, the harness does.
import { appendFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ldapClient } from '../servers/directory-admin.ts'
import type { CanaryWorld } from './canary-world.ts'
import type { Hit } from './inspect.ts'
import { leakExamples } from './leak-examples.ts'
import type { Encoding } from './secret-forms.ts'
import { SINKS, type Sink } from './sinks.ts'

/** A planted leak: where, as what, and whether one of these hits is it. */
export interface Plant {
  readonly name: string
  readonly isFound: (hits: readonly Hit[]) => boolean
}

/** Sinks into which the agent's test build leaks the password that it opens, or into which a command leaks a real token. */
const BY_THE_PROGRAM: readonly Sink[] = [
  ...([
    'agent log',
    'agent stdout',
    'agent stderr',
    'errors of jobs',
    'journal file',
    'journal WAL',
  ] as const),
  ...([
    'outbox',
    'HTTP headers',
    'operators’ socket',
    'command lines',
    'environments',
    'state directory',
  ] as const),
  ...(['temporary directory', 'working directory', 'core, heap and report files', 'debug output'] as const),
  'process memory',
]

/** Plants everything, and gives what must be found. */
export async function plantLeaks(canary: CanaryWorld): Promise<readonly Plant[]> {
  const { world, commands, fresh } = canary
  const password = fresh('new password')
  const { anchor } = await canary.createUser()
  await world.agent.stop()
  writeFileSync(`${world.agentConfigFile}.leaks`, '')
  await world.agent.start()
  await world.reset({ anchor }, password)
  await commands.store(['user', 'list'], {
    env: { NODE_DEBUG: 'https' },
    imports: [path.resolve(import.meta.dirname, '../test-build/unguarded-build.ts')],
    isDebugging: true,
  })
  const beside = await plantBeside(canary)
  return [
    ...BY_THE_PROGRAM.map((sink) => ({
      name: sink,
      isFound: (hits: readonly Hit[]) =>
        hits.some(({ sink: at, found }) =>
          at === sink && sink === 'debug output'
            ? found.secret.kind === 'store token'
            : at === sink && found.secret.bytes.equals(password),
        ),
    })),
    ...beside,
    ...plantEncodings(canary),
  ]
}

/** What each of the other sinks is made to hold, each with a value of its own. */
const BESIDE: Partial<Readonly<Record<Sink, (canary: CanaryWorld, value: string) => unknown>>> = {
  'store output': ({ world }, value) => appendFileSync(path.join(world.directory, 'store.log'), `${value}\n`),
  'Redis keys': ({ redis }, value) => redis.command('SET', 'wb:planted', value),
  'Redis events stream': ({ redis }, value) =>
    redis.command('XADD', 'wb:planted:events', '*', 'value', value),
  'Redis MONITOR': ({ redis }, value) => redis.command('ECHO', value),
  'Redis slow log': ({ redis }, value) => redis.command('ECHO', value),
  'Redis AOF': async ({ redis }, value) => {
    await redis.command('SET', 'wb:gone', value)
    await redis.command('DEL', 'wb:gone')
  },
  'Redis RDB': ({ redis }, value) => redis.command('SET', 'wb:saved', value),
  'HTTP request bodies': ({ commands }, value) => addUser(commands, value),
  'HTTP answer bodies': ({ commands }, value) => addUser(commands, value),
  'store files': ({ commands }, value) => addUser(commands, value),
  'HTTP addresses': ({ commands }, value) => commands.store(['request', 'unlock', value]),
  'command output': ({ commands }, value) => commands.store(['request', 'unlock', value]),
  'LDAP clear side': async ({ world }, value) => {
    const client = await ldapClient(world.proxy?.url ?? '')
    await client.search('', { scope: 'base', filter: `(description=${value})` }).catch(() => undefined)
    await client.unbind()
  },
}

const addUser = (commands: CanaryWorld['commands'], value: string) =>
  commands.store([
    ...['user', 'add', `planted-${value.slice(7, 10)}`, '--display-name', value],
    ...['--directory', 'corp', '--anchor', crypto.randomUUID()],
  ])

async function plantBeside(canary: CanaryWorld): Promise<readonly Plant[]> {
  const covered = new Set<Sink>([...BY_THE_PROGRAM, ...(Object.keys(BESIDE) as Sink[])])
  const bare = SINKS.filter((sink) => !covered.has(sink))
  if (bare.length > 0) throw new Error(`no leak is planted in: ${bare.join(', ')}`)
  return Promise.all(
    Object.entries(BESIDE).map(async ([sink, plant]) => {
      const value = canary.fresh('planted')
      await plant(canary, value.toString())
      const isIt = ({ sink: at, found }: Hit) => at === sink && found.secret.bytes.equals(value)
      return { name: sink, isFound: (hits: readonly Hit[]) => hits.some(isIt) }
    }),
  )
}

/** A file for every encoding. */
function plantEncodings({ world, fresh }: CanaryWorld): readonly Plant[] {
  const names = Object.keys(leakExamples('Canary')) as Encoding[]
  return names.map((encoding) => {
    // A character that an address must escape.
    const value = fresh('planted', (text) => `${text.slice(0, 14)}?`)
    writeFileSync(
      path.join(world.directory, 'tmp', `encoding-${encoding}`),
      leakExamples(value.toString())[encoding],
    )
    const isIt = ({ found, place }: Hit) =>
      place.endsWith(`encoding-${encoding}`) &&
      found.encoding === encoding &&
      found.secret.bytes.equals(value)
    return { name: `as ${encoding}`, isFound: (hits: readonly Hit[]) => hits.some(isIt) }
  })
}
