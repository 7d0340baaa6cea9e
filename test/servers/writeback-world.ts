// Everything at once, for tests, demo and benchmark: a domain, a proxy before it, a reset store and an agent as real
// processes, all on loopback, all ending with this process.
import { readFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import path from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Operation } from '../../src/protocol/identifiers.ts'
import type { Verdict } from '../../src/protocol/sealer-calls.ts'
import type { CreatedUser, NewUser } from './directory-admin.ts'
import { type DirectoryKind, type DomainOptions, startDomain, type TestDomain } from './directory-kinds.ts'
import type { LdapProxy, ProxyWatch } from './ldap-proxy.ts'
import { freePort } from './loopback-address.ts'
import { type SambaOptions, startSambaDomain } from './samba-domain.ts'
import { makeScratchDirectory, removeScratchDirectory } from './scratch-directory.ts'
import { testCa } from './test-ca.ts'
import {
  describeAgent,
  enrol,
  placeAgents,
  putBehindProxy,
  type ServedDomain,
  type WorldAgent,
  writeConfigs,
} from './world-agents.ts'
import {
  answers,
  createAdmin,
  describeProgram,
  nodeArguments,
  type Program,
  type ProgramKind,
} from './world-programs.ts'
import { type Admin, awaitVerdict, type RequestWish, sendRequest, type Target } from './world-requests.ts'

/** The directory's name in every world. */
export const DIRECTORY = 'corp'
/** The name of the second directory, in a world that has one. */
export const SECOND_DIRECTORY = 'other'
const SECOND_REALM = 'OTHER.TEST'
const PARTS: Readonly<Record<DirectoryKind, string>> = {
  'active-directory': 'a throw-away Active Directory domain controller (Samba)',
  openldap: 'a throw-away OpenLDAP server (slapd)',
}

/** How a world differs from the usual one. */
export interface WorldOptions<K extends DirectoryKind = 'active-directory'> {
  /** What the directory is. Default Active Directory. */
  readonly kind?: K
  readonly domain?: DomainOptions<K>
  /** Given: the agent serves a second domain, too, an Active Directory of the realm OTHER.TEST. */
  readonly secondDomain?: SambaOptions
  /** Default true: the agent reaches the domain through a recording proxy. */
  readonly proxied?: boolean
  /** Default `source`. `built`: what `npm run build` made, as it is shipped. */
  readonly program?: ProgramKind
  /** Modules that Node.js loads before the agents' program, such as a test build. */
  readonly agentImports?: readonly string[]
  /** Gives the address by which agents reach the store, such as that of a recorder before it. */
  readonly beforeStore?: (storeUrl: string) => Promise<string>
  /** The programs write standard error to a file of its own, which has the ending `.errors`. */
  readonly errorsAside?: boolean
  /** Of store and agent. Default `debug`. */
  readonly logLevel?: 'debug' | 'info'
  readonly requestLifetimeSeconds?: number
  /** More lines for every directory in agent.yaml, already indented by four spaces. */
  readonly directorySettings?: string
  /** More lines for agent.yaml. */
  readonly agentSettings?: string
  /** More lines for store.yaml. */
  readonly storeSettings?: string
  /** How many agents serve the directory; each beyond the first has a proxy of its own. Default 1. */
  readonly agents?: number
  /** So many of them run when the world is there; the others are only enrolled. Default all. */
  readonly runningAgents?: number
  /** Looks on at the proxies of an agent, by the agent's name. */
  readonly watch?: (agent: string) => ProxyWatch
  /** Environment of the agents. */
  readonly agentEnv?: Readonly<Record<string, string>>
  /** Environment of the store. */
  readonly storeEnv?: Readonly<Record<string, string>>
  /** Called with the world's directory and its first domain before the agent starts. */
  readonly beforeAgent?: (directory: string, domain: TestDomain<K>) => void | Promise<void>
  /** Runs each part of the start; a demo shows its progress with it. */
  readonly onPart?: <T>(name: string, start: () => Promise<T>) => Promise<T>
}

/** A user in the directory and in the store. */
export type WorldUser = CreatedUser & Required<Target>

/** What to ask of a reset. */
export interface ResetWish {
  readonly unlock?: boolean
  readonly mustChangeAtNextSignIn?: boolean
}

/** A domain with what stands before it. */
interface WorldDomain<K extends DirectoryKind> {
  readonly domain: TestDomain<K>
  /** Undefined when the world has no proxy. */
  readonly proxy: LdapProxy | undefined
  readonly createUser: (user: NewUser) => Promise<WorldUser>
}

/** A running world. */
export interface World<K extends DirectoryKind = 'active-directory'> extends WorldDomain<K> {
  readonly directory: string
  /** The second domain, with its name as a directory; undefined when the world has one domain. */
  readonly second: (WorldDomain<'active-directory'> & { readonly directory: string }) | undefined
  readonly store: Program
  /** The first agent. */
  readonly agent: WorldAgent
  /** Every agent. */
  readonly agents: readonly WorldAgent[]
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
export async function startWorld<K extends DirectoryKind = 'active-directory'>(
  options: WorldOptions<K> = {},
): Promise<World<K>> {
  const part = options.onPart ?? ((_name, start) => start())
  const directory = makeScratchDirectory()
  const [domain, secondDomain] = await part(PARTS[options.kind ?? 'active-directory'], () =>
    Promise.all([
      startDomain(options.kind, options.domain),
      options.secondDomain && startSambaDomain({ realm: SECOND_REALM, ...options.secondDomain }),
    ]),
  )
  const [ca, port] = await Promise.all([testCa(), freePort()])
  const first = await putBehindProxy<K>(DIRECTORY, domain, options)
  const { proxy } = first
  const second =
    secondDomain && (await putBehindProxy<'active-directory'>(SECOND_DIRECTORY, secondDomain, options))
  const served: ServedDomain[] = [first, ...(second ? [second] : [])]
  const storeUrl = `https://127.0.0.1:${port}`
  const places = await placeAgents(directory, served, options)
  const agentsUrl = (await options.beforeStore?.(storeUrl)) ?? storeUrl
  const files = writeConfigs({ directory, storeUrl, agentsUrl, port, ca, places, options })
  const secureContext = createSecureContext({ ca: readFileSync(ca.caFile) })
  const storeReady = () => answers(httpsRequest, { host: '127.0.0.1', port, path: '/readyz', secureContext })
  const program = nodeArguments(options.program)
  const store = describeProgram(
    [...program, 'store', '--config', files.storeConfigFile],
    path.join(directory, 'store.log'),
    options.storeEnv ?? {},
    storeReady,
    options.errorsAside ? path.join(directory, 'store.log.errors') : undefined,
  )
  await part('the reset store', store.start)
  const admin = createAdmin(directory, port, readFileSync(ca.caFile))
  await part('the agent’s enrolment, with a code from the store', async () => {
    for (const { name, configFile } of places) await enrol(admin, program, { name, configFile }, served)
  })
  await options.beforeAgent?.(directory, domain)
  const agents = places.map((place) => describeAgent(place, options)) as [WorldAgent, ...WorldAgent[]]
  const [agent] = agents
  await part('the agent, with a private Redis of its own', async () => {
    await Promise.all(agents.slice(0, options.runningAgents).map((one) => one.start()))
  })
  const request: World['request'] = (operation, { anchor, directory = DIRECTORY }, wish = {}) =>
    sendRequest(admin, operation, { anchor, directory }, wish)
  const ask: World['ask'] = (user, password, options = {}) =>
    request('reset', user, { passwords: [password], options })
  const verdict: World['verdict'] = (id, withinMs = 30_000) => awaitVerdict(admin, id, withinMs)
  const world: World<K> = {
    directory,
    domain,
    proxy,
    store,
    agent,
    agents,
    storeUrl,
    storeConfigFile: files.storeConfigFile,
    agentConfigFile: agent.configFile,
    caFile: ca.caFile,
    admin,
    ops: agent.ops,
    createUser: createUserOf(admin, DIRECTORY, domain),
    second: second && { ...second, createUser: createUserOf(admin, second.directory, second.domain) },
    ...{ request, ask, verdict },
    run: async (operation, user, wish) => verdict(await request(operation, user, wish)),
    reset: async (user, password, wish) => verdict(await ask(user, password, wish)),
    stop: async () => {
      await Promise.all(agents.map((one) => one.stop()))
      await store.stop()
      for (const { proxy } of places.slice(1).flatMap((place) => place.served)) await proxy?.stop()
      for (const { domain, proxy } of served) {
        await proxy?.stop()
        await domain.stop()
      }
      await removeScratchDirectory(directory)
    },
  }
  return world
}

const createUserOf =
  (admin: Admin, directory: string, domain: TestDomain): World['createUser'] =>
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
