// Everything at once, for tests, demo and benchmark: a domain, a proxy before it, a reset store and an agent as real
// processes, all on loopback, all ending with this process.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createServer } from 'node:net'
import path from 'node:path'
import { ENDPOINTS, type EndpointName, pathOf } from '../../src/protocol/endpoints.ts'
import { sealPasswords } from '../../src/protocol/sealed-password.ts'
import type { CreateRequestAnswer, Verdict } from '../../src/protocol/sealer-calls.ts'
import { verifySealingKey } from '../../src/protocol/sealing-key.ts'
import { importPublicKey } from '../../src/protocol/signed-message.ts'
import { servicePassword } from './canaries.ts'
import { runCommand, startReadyChild, type TestChild } from './child-process.ts'
import type { CreatedUser, NewUser } from './directory-admin.ts'
import { type LdapProxy, startLdapProxy } from './ldap-proxy.ts'
import { type SambaDomain, type SambaOptions, startSambaDomain } from './samba-domain.ts'
import { makeScratchDirectory, removeScratchDirectory } from './scratch-directory.ts'
import { testCa } from './test-ca.ts'

/** The directory's name in every world. */
export const DIRECTORY = 'corp'
const MAIN = {
  source: path.resolve(import.meta.dirname, '../../src/main.ts'),
  built: path.resolve(import.meta.dirname, '../../dist/main.js'),
}

/** How a world differs from the usual one. */
export interface WorldOptions {
  readonly domain?: SambaOptions
  /** Default true: the agent reaches the domain through a recording proxy. */
  readonly proxied?: boolean
  /** Default `source`. `built`: what `npm run build` made, as it is shipped. */
  readonly program?: keyof typeof MAIN
  /** Of store and agent. Default `debug`. */
  readonly logLevel?: 'debug' | 'info'
  readonly requestLifetimeSeconds?: number
  /** More lines for the directory in agent.yaml, already indented by four spaces. */
  readonly directorySettings?: string
  /** More lines for agent.yaml. */
  readonly agentSettings?: string
  /** Environment of the agent. */
  readonly agentEnv?: Readonly<Record<string, string>>
  /** Called with the world's directory before the agent starts. */
  readonly beforeAgent?: (directory: string) => void
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
export type WorldUser = CreatedUser & { readonly anchor: string }

/** What to ask of a reset. */
export interface ResetWish {
  readonly unlock?: boolean
  readonly mustChangeAtNextSignIn?: boolean
}

/** A running world. */
export interface World {
  readonly directory: string
  readonly domain: SambaDomain
  /** Undefined when the world has no proxy. */
  readonly proxy: LdapProxy | undefined
  readonly store: Program
  readonly agent: Program
  readonly storeUrl: string
  readonly storeConfigFile: string
  readonly agentConfigFile: string
  readonly caFile: string
  /** A call of the store's administrator; answers status and JSON. */
  readonly admin: (
    name: EndpointName,
    body?: unknown,
    parameters?: Readonly<Record<string, string>>,
    query?: string,
  ) => Promise<{ status: number; json: unknown }>
  readonly createUser: (user: NewUser) => Promise<WorldUser>
  /** Creates and seals; gives the request id. */
  readonly ask: (user: { readonly anchor: string }, password: Buffer, wish?: ResetWish) => Promise<string>
  /** The verdict, waiting for the end of the request up to `withinMs` (default 30 s). */
  readonly verdict: (request: string, withinMs?: number) => Promise<Verdict>
  /** ask, then verdict. */
  readonly reset: (user: { readonly anchor: string }, password: Buffer, wish?: ResetWish) => Promise<Verdict>
  /** GET on the agent's operators' socket. */
  readonly ops: (path: string) => Promise<{ status: number; json: unknown }>
  readonly stop: () => Promise<void>
}

/** Starts a world: domain, store, enrolled agent, ready for requests. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const part = options.onPart ?? ((_name, start) => start())
  const directory = makeScratchDirectory()
  const domain = await part('a throw-away Active Directory domain controller (Samba)', () =>
    startSambaDomain(options.domain),
  )
  const [ca, port] = await Promise.all([testCa(), freePort()])
  const proxy = options.proxied === false ? undefined : await startLdapProxy({ target: domain.url })
  const storeUrl = `https://127.0.0.1:${port}`
  const files = writeConfigs({
    directory,
    storeUrl,
    port,
    ca,
    domain,
    ldapUrl: proxy?.url ?? domain.url,
    options,
  })
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
    enrol(admin, program, files.agentConfigFile),
  )
  options.beforeAgent?.(directory)
  await part('the agent, with a private Redis of its own', agent.start)
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
    createUser: async (user) => {
      const created = await domain.createUser(user)
      await admin('addUser', {
        name: created.accountName,
        displayName: user.name.trim() || 'User',
        directory: DIRECTORY,
        anchor: created.objectGuid,
      })
      return { ...created, anchor: created.objectGuid }
    },
    ask: (user, password, wish) => ask(admin, user.anchor, password, wish ?? {}),
    verdict: (request, withinMs = 30_000) => awaitVerdict(admin, request, withinMs),
    reset: async (user, password, wish) =>
      awaitVerdict(admin, await ask(admin, user.anchor, password, wish ?? {}), 30_000),
    stop: async () => {
      await agent.stop()
      await store.stop()
      await proxy?.stop()
      await domain.stop()
      await removeScratchDirectory(directory)
    },
  }
  return world
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
  readonly domain: SambaDomain
  readonly ldapUrl: string
  readonly options: WorldOptions
}): { storeConfigFile: string; agentConfigFile: string } {
  const { directory, ca, domain, options } = world
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
  ${DIRECTORY}:
    type: active-directory
    controllers: ["${world.ldapUrl}"]
    baseDn: "${domain.baseDn}"
    bind: { name: "${domain.serviceAccountName}", passwordFile: bind-password }
    tls: { caFile: ${ca.caFile} }
${options.directorySettings ?? ''}
log: { level: ${options.logLevel ?? 'debug'} }
${options.agentSettings ?? ''}
`,
  )
  mkdirSync(path.join(directory, 'state'), { mode: 0o700 })
  return { storeConfigFile, agentConfigFile }
}

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

type Admin = World['admin']

async function enrol(admin: Admin, program: readonly string[], agentConfigFile: string): Promise<void> {
  const { json } = await admin('createEnrolmentCode', { directories: [DIRECTORY], validForMs: 600_000 })
  const { code } = json as { code: string }
  await runCommand(
    process.execPath,
    [...program, 'enroll', '--config', agentConfigFile, '--name', 'agent-1'],
    { input: code },
  )
}

async function ask(admin: Admin, anchor: string, password: Buffer, wish: ResetWish): Promise<string> {
  const { status, json } = await admin(
    'createRequest',
    { directory: DIRECTORY, operation: 'reset', options: wish },
    { anchor },
  )
  if (status !== 201)
    throw new Error(`the store does not take the request: ${status} ${JSON.stringify(json)}`)
  const created = json as CreateRequestAnswer
  const recipients = await Promise.all(
    created.agents.map(async ({ sealingKey, identityKey }) => {
      const key = await verifySealingKey(sealingKey, identityKey)
      return { kid: key.kid, key: await importPublicKey(key) }
    }),
  )
  const { request: requestId, operation, directory, expiresAt } = created
  const sealed = await sealPasswords(
    [password],
    { requestId, operation, anchor, directory, expiresAt },
    recipients,
  )
  await admin('seal', sealed, { id: requestId })
  return requestId
}

async function awaitVerdict(admin: Admin, request: string, withinMs: number): Promise<Verdict> {
  const end = performance.now() + withinMs
  for (;;) {
    const wait = Math.max(0, Math.min(10_000, Math.round(end - performance.now())))
    const verdict = await admin('verdict', undefined, { id: request }, `?wait=${wait}`).then(
      ({ json }) => json as Verdict,
      () => undefined,
    )
    if (verdict && (verdict.state === 'closed' || performance.now() >= end)) return verdict
    if (performance.now() >= end) throw new Error(`the store has no verdict for ${request}`)
    if (!verdict) await new Promise((resolve) => setTimeout(resolve, 100))
  }
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
