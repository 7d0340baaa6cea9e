// Everything at once, for tests, demo and benchmark: a domain, a proxy before it, a reset store and an agent as real
// processes, all on loopback, all ending with this process.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createServer } from 'node:net'
import path from 'node:path'
import { ENDPOINTS, pathOf } from '../../src/protocol/endpoints.ts'
import type { Operation } from '../../src/protocol/identifiers.ts'
import type { Verdict } from '../../src/protocol/sealer-calls.ts'
import { servicePassword } from './canaries.ts'
import { runCommand, startReadyChild, type TestChild } from './child-process.ts'
import type { CreatedUser, NewUser } from './directory-admin.ts'
import { type LdapProxy, startLdapProxy } from './ldap-proxy.ts'
import { type SambaDomain, type SambaOptions, startSambaDomain } from './samba-domain.ts'
import { makeScratchDirectory, removeScratchDirectory } from './scratch-directory.ts'
import { testCa } from './test-ca.ts'
import { type Admin, awaitVerdict, type RequestWish, sendRequest, type Target } from './world-requests.ts'

/** The directory's name in every world. */
export const DIRECTORY = 'corp'
/** The name of the second directory, in a world that has one. */
export const SECOND_DIRECTORY = 'other'
const SECOND_REALM = 'OTHER.TEST'
const MAIN = {
  source: path.resolve(import.meta.dirname, '../../src/main.ts'),
  built: path.resolve(import.meta.dirname, '../../dist/main.js'),
}

/** How a world differs from the usual one. */
export interface WorldOptions {
  readonly domain?: SambaOptions
  /** Given: the agent serves a second domain, too, of the realm OTHER.TEST. */
  readonly secondDomain?: SambaOptions
  /** Default true: the agent reaches the domain through a recording proxy. */
  readonly proxied?: boolean
  /** Default `source`. `built`: what `npm run build` made, as it is shipped. */
  readonly program?: keyof typeof MAIN
  /** Of store and agent. Default `debug`. */
  readonly logLevel?: 'debug' | 'info'
  readonly requestLifetimeSeconds?: number
  /** More lines for every directory in agent.yaml, already indented by four spaces. */
  readonly directorySettings?: string
  /** More lines for agent.yaml. */
  readonly agentSettings?: string
  /** Environment of the agent. */
  readonly agentEnv?: Readonly<Record<string, string>>
  /** Called with the world's directory and its first domain before the agent starts. */
  readonly beforeAgent?: (directory: string, domain: SambaDomain) => void | Promise<void>
  /** Runs each part of the start; a demo shows its progress with it. */
  readonly onPart?: <T>(name: string, start: () => Promise<T>) => Promise<T>
}

/** A program of the project as a child process. */
export interface Program {
  readonly pid: () => number
  readonly isRunning: () => boolean
  readonly start: () => Promise<void>
  /** SIGTERM, and waits for the end; gives the exit status. */
  readonly stop: () => Promise<number | string>
  /** SIGKILL to the program itself, not to its children; waits for the end. */
  readonly kill: () => Promise<void>
  /** All it has written so far. */
  readonly output: () => string
}

/** A user in the directory and in the store. */
export type WorldUser = CreatedUser & Required<Target>

/** What to ask of a reset. */
export interface ResetWish {
  readonly unlock?: boolean
  readonly mustChangeAtNextSignIn?: boolean
}

/** A domain with what stands before it. */
interface WorldDomain {
  readonly domain: SambaDomain
  /** Undefined when the world has no proxy. */
  readonly proxy: LdapProxy | undefined
  readonly createUser: (user: NewUser) => Promise<WorldUser>
}

/** A running world. */
export interface World extends WorldDomain {
  readonly directory: string
  /** The second domain, with its name as a directory; undefined when the world has one domain. */
  readonly second: (WorldDomain & { readonly directory: string }) | undefined
  readonly store: Program
  readonly agent: Program
  readonly storeUrl: string
  readonly storeConfigFile: string
  readonly agentConfigFile: string
  readonly caFile: string
  readonly admin: Admin
  /** Begins a request and seals it where it takes passwords; gives its id. */
  readonly request: (operation: Operation, user: Target, wish?: RequestWish) => Promise<string>
  /** request, then verdict. */
  readonly run: (operation: Operation, user: Target, wish?: RequestWish) => Promise<Verdict>
  /** request of a reset. */
  readonly ask: (user: Target, password: Buffer, wish?: ResetWish) => Promise<string>
  /** The verdict, waiting for the end of the request up to `withinMs` (default 30 s). */
  readonly verdict: (request: string, withinMs?: number) => Promise<Verdict>
  /** ask, then verdict. */
  readonly reset: (user: Target, password: Buffer, wish?: ResetWish) => Promise<Verdict>
  /** GET on the agent's operators' socket. */
  readonly ops: (path: string) => Promise<{ status: number; json: unknown }>
  readonly stop: () => Promise<void>
}

/** Starts a world: domain, store, enrolled agent, ready for requests. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const part = options.onPart ?? ((_name, start) => start())
  const directory = makeScratchDirectory()
  const [domain, secondDomain] = await part('a throw-away Active Directory domain controller (Samba)', () =>
    Promise.all([
      startSambaDomain(options.domain),
      options.secondDomain && startSambaDomain({ realm: SECOND_REALM, ...options.secondDomain }),
    ]),
  )
  const [ca, port] = await Promise.all([testCa(), freePort()])
  const served = [await putBehindProxy(DIRECTORY, domain, options)]
  if (secondDomain) served.push(await putBehindProxy(SECOND_DIRECTORY, secondDomain, options))
  const [{ proxy }, second] = served as [ServedDomain, ServedDomain?]
  const storeUrl = `https://127.0.0.1:${port}`
  const files = writeConfigs({ directory, storeUrl, port, ca, served, options })
  const storeReady = () =>
    answers(httpsRequest, { host: '127.0.0.1', port, path: '/readyz', ca: readFileSync(ca.caFile) })
  const program = nodeArguments(options)
  const store = describeProgram(
    [...program, 'store', '--config', files.storeConfigFile],
    path.join(directory, 'store.log'),
    {},
    storeReady,
  )
  await part('the reset store', store.start)
  const socketPath = path.join(directory, 'state', 'ops.sock')
  const agentReady = () => answers(httpRequest, { socketPath, path: '/readyz' })
  const agent = describeProgram(
    [...program, 'agent', '--config', files.agentConfigFile],
    path.join(directory, 'agent.log'),
    options.agentEnv ?? {},
    agentReady,
  )
  const admin = createAdmin(directory, port, readFileSync(ca.caFile))
  await part('the agent’s enrolment, with a code from the store', () =>
    enrol(admin, program, files.agentConfigFile, served),
  )
  await options.beforeAgent?.(directory, domain)
  await part('the agent, with a private Redis of its own', agent.start)
  const request: World['request'] = (operation, { anchor, directory = DIRECTORY }, wish = {}) =>
    sendRequest(admin, operation, { anchor, directory }, wish)
  const ask: World['ask'] = (user, password, options = {}) =>
    request('reset', user, { passwords: [password], options })
  const verdict: World['verdict'] = (id, withinMs = 30_000) => awaitVerdict(admin, id, withinMs)
  const world: World = {
    directory,
    domain,
    proxy,
    store,
    agent,
    storeUrl,
    ...files,
    caFile: ca.caFile,
    admin,
    ops: (at) => get(httpRequest, { socketPath, path: at }),
    createUser: createUserOf(admin, DIRECTORY, domain),
    second: second && { ...second, createUser: createUserOf(admin, second.directory, second.domain) },
    ...{ request, ask, verdict },
    run: async (operation, user, wish) => verdict(await request(operation, user, wish)),
    reset: async (user, password, wish) => verdict(await ask(user, password, wish)),
    stop: async () => {
      await agent.stop()
      await store.stop()
      for (const { domain, proxy } of served) {
        await proxy?.stop()
        await domain.stop()
      }
      await removeScratchDirectory(directory)
    },
  }
  return world
}

interface ServedDomain {
  readonly directory: string
  readonly domain: SambaDomain
  readonly proxy: LdapProxy | undefined
}

async function putBehindProxy(
  directory: string,
  domain: SambaDomain,
  options: WorldOptions,
): Promise<ServedDomain> {
  const proxy = options.proxied === false ? undefined : await startLdapProxy({ target: domain.url })
  return { directory, domain, proxy }
}

const createUserOf =
  (admin: Admin, directory: string, domain: SambaDomain): World['createUser'] =>
  async (user) => {
    const created = await domain.createUser(user)
    await admin('addUser', {
      name: directory === DIRECTORY ? created.accountName : `${created.accountName}@${directory}`,
      displayName: user.name.trim() || 'User',
      directory,
      anchor: created.objectGuid,
    })
    return { ...created, anchor: created.objectGuid, directory }
  }

const nodeArguments = ({ program = 'source' }: WorldOptions): readonly string[] => [
  '--disable-warning=ExperimentalWarning',
  MAIN[program],
]

function writeConfigs(world: {
  readonly directory: string
  readonly storeUrl: string
  readonly port: number
  readonly ca: Awaited<ReturnType<typeof testCa>>
  readonly served: readonly ServedDomain[]
  readonly options: WorldOptions
}): { storeConfigFile: string; agentConfigFile: string } {
  const { directory, ca, served, options } = world
  const storeConfigFile = path.join(directory, 'store.yaml')
  const agentConfigFile = path.join(directory, 'agent.yaml')
  writeFileSync(path.join(directory, 'bind-password'), servicePassword(), { mode: 0o600 })
  writeFileSync(
    storeConfigFile,
    `listen: { host: 127.0.0.1, port: ${world.port} }
publicUrl: ${world.storeUrl}
tls: { certificateFile: ${ca.server.certFile}, keyFile: ${ca.server.keyFile}, caFile: ${ca.caFile} }
dataDirectory: store
requestLifetimeSeconds: ${options.requestLifetimeSeconds ?? 300}
log: { level: ${options.logLevel ?? 'debug'} }
`,
  )
  writeFileSync(
    agentConfigFile,
    `store: { url: "${world.storeUrl}", caFile: ${ca.caFile} }
stateDirectory: state
directories:
${served.map((one) => directorySection(one, ca.caFile, options)).join('\n')}
log: { level: ${options.logLevel ?? 'debug'} }
${options.agentSettings ?? ''}
`,
  )
  mkdirSync(path.join(directory, 'state'), { mode: 0o700 })
  return { storeConfigFile, agentConfigFile }
}

const directorySection = (
  { directory, domain, proxy }: ServedDomain,
  caFile: string,
  options: WorldOptions,
): string => `  ${directory}:
    type: active-directory
    controllers: ["${proxy?.url ?? domain.url}"]
    baseDn: "${domain.baseDn}"
    bind: { name: "${domain.serviceAccountName}", passwordFile: bind-password }
    tls: { caFile: ${caFile} }
${options.directorySettings ?? ''}`

function describeProgram(
  args: readonly string[],
  outputFile: string,
  env: Readonly<Record<string, string>>,
  isReady: () => Promise<boolean>,
): Program {
  let child: TestChild | undefined
  return {
    pid: () => child?.pid ?? 0,
    isRunning: () => child?.isRunning() ?? false,
    start: async () => {
      child = await startReadyChild(
        {
          command: process.execPath,
          args,
          outputFile,
          env,
          parentDeathSignal: 'KILL',
        },
        isReady,
      )
    },
    stop: async () => {
      if (!child?.isRunning()) return 0
      process.kill(child.pid, 'SIGTERM')
      const timer = setTimeout(() => child?.signal('SIGKILL'), 30_000)
      const status = await child.exited
      clearTimeout(timer)
      return status
    },
    kill: async () => {
      if (!child?.isRunning()) return
      process.kill(child.pid, 'SIGKILL')
      await child.exited
    },
    output: () => readFileSync(outputFile, 'utf8'),
  }
}

async function enrol(
  admin: Admin,
  program: readonly string[],
  agentConfigFile: string,
  served: readonly ServedDomain[],
): Promise<void> {
  const directories = served.map(({ directory }) => directory)
  const { json } = await admin('createEnrolmentCode', { directories, validForMs: 600_000 })
  const { code } = json as { code: string }
  await runCommand(
    process.execPath,
    [...program, 'enroll', '--config', agentConfigFile, '--name', 'agent-1'],
    { input: code },
  )
}

function createAdmin(directory: string, port: number, ca: Buffer): Admin {
  return (name, body, parameters = {}, query = '') => {
    const token = readFileSync(path.join(directory, 'store', 'admin-token'), 'utf8').trim()
    const endpoint = ENDPOINTS[name]
    const at = {
      host: '127.0.0.1',
      port,
      path: pathOf(endpoint, parameters) + query,
      ca,
      method: endpoint.method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    }
    return get(httpsRequest, at, body === undefined ? undefined : JSON.stringify(body))
  }
}

function get(
  request: typeof httpsRequest | typeof httpRequest,
  at: object,
  body?: string,
): Promise<{ status: number; json: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(at as never, (incoming) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (part: string) => {
        text += part
      })
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, json: text === '' ? undefined : JSON.parse(text) }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const answers = (request: typeof httpsRequest | typeof httpRequest, at: object): Promise<boolean> =>
  get(request, at).then(
    ({ status }) => status === 200,
    () => false,
  )

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
