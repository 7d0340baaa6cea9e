// The agents of a world: where each keeps its own, how it is configured, enrolled and started.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { servicePassword } from './canaries.ts'
import { compiledApart, runCommand } from './child-process.ts'
import type { DirectoryKind, TestDomain } from './directory-kinds.ts'
import { type LdapProxy, startLdapProxy } from './ldap-proxy.ts'
import type { testCa } from './test-ca.ts'
import { answers, describeProgram, get, nodeArguments, type Program } from './world-programs.ts'
import type { Admin } from './world-requests.ts'
import type { WorldOptions } from './writeback-world.ts'

/** What agents are made by: all of a world's options but those of its directories. */
type AgentOptions = Omit<WorldOptions, 'kind' | 'domain' | 'secondDomain' | 'beforeAgent'>

const RESOLVE_DIRECTORY = fileURLToPath(new URL('resolve-directory.ts', import.meta.url))

/** A domain as an agent is configured for it. */
export interface ServedDomain<K extends DirectoryKind = DirectoryKind> {
  readonly directory: string
  readonly domain: TestDomain<K>
  readonly proxy: LdapProxy | undefined
}

/** One agent of a world, with what only it uses. */
export interface WorldAgent extends Program {
  /** As enrolled: `agent-1`, `agent-2`. */
  readonly name: string
  /** The id that the store gave it, which its outcomes and receipts carry. */
  readonly id: string
  readonly stateDirectory: string
  readonly configFile: string
  /** What stands between it and the first domain; undefined when the world has no proxies. */
  readonly proxy: LdapProxy | undefined
  /** Words for Node.js and environment by which it is started, for a test that starts it otherwise. */
  readonly command: { readonly words: readonly string[]; readonly env: Readonly<Record<string, string>> }
  /** GET on its operators' socket. */
  readonly ops: (path: string) => Promise<{ status: number; json: unknown }>
}

/** Where one agent keeps its own, and by which way it reaches each domain. */
interface AgentPlace {
  readonly name: string
  readonly configFile: string
  readonly stateDirectory: string
  readonly outputFile: string
  readonly served: readonly ServedDomain[]
}

/** Places the agents; each beyond the first gets proxies of its own. */
export async function placeAgents(
  directory: string,
  served: readonly ServedDomain[],
  options: AgentOptions,
): Promise<readonly AgentPlace[]> {
  const placeOf = (suffix: string, own: readonly ServedDomain[]): AgentPlace => ({
    name: `agent${suffix || '-1'}`,
    configFile: path.join(directory, `agent${suffix}.yaml`),
    stateDirectory: path.join(directory, `state${suffix}`),
    outputFile: path.join(directory, `agent${suffix}.log`),
    served: own,
  })
  const places = [placeOf('', served)]
  for (let number = 2; number <= (options.agents ?? 1); number += 1) {
    const own = await Promise.all(
      served.map((one) => putBehindProxy(one.directory, one.domain, options, `agent-${number}`)),
    )
    places.push(placeOf(`-${number}`, own))
  }
  return places
}

/** Describes an agent; nothing runs before its `start`. */
export function describeAgent(place: AgentPlace, options: AgentOptions): WorldAgent {
  const { name, configFile, stateDirectory, outputFile, served } = place
  const socketPath = path.join(stateDirectory, 'ops.sock')
  const named = served.find(({ domain }) => isNamed(domain, options))
  const imports = [...(options.agentImports ?? []), ...(named ? [RESOLVE_DIRECTORY] : [])]
  const words = [...nodeArguments(options.program, imports), 'agent', '--config', configFile]
  const [build] = options.agentImports ?? []
  const env = {
    ...(build === undefined ? {} : compiledApart(build)),
    ...options.agentEnv,
    ...(named ? { TEST_DIRECTORY_ADDRESS: addressOf(named) } : {}),
  }
  const described = describeProgram(
    words,
    outputFile,
    env,
    () => answers(httpRequest, { socketPath, path: '/readyz' }),
    options.errorsAside ? `${outputFile}.errors` : undefined,
  )
  return {
    ...described,
    ...{ name, stateDirectory, configFile, proxy: served[0]?.proxy, command: { words, env } },
    get id() {
      const file = path.join(stateDirectory, 'enrolment.json')
      return String(JSON.parse(readFileSync(file, 'utf8')).enrolled.agent)
    },
    ops: (at) => get(httpRequest, { socketPath, path: at }),
  }
}

/** Agents know an OpenLDAP server by its name, and so as one, though each has its own proxy before it. */
const isNamed = ({ kind }: TestDomain, { proxied = true }: AgentOptions): boolean =>
  kind === 'openldap' && proxied

const addressOf = ({ domain, proxy }: ServedDomain): string => (proxy ?? domain).address

const urlOf = ({ domain, proxy }: ServedDomain, options: AgentOptions): string =>
  isNamed(domain, options) ? `ldaps://${domain.serverName}` : (proxy ?? domain).url

/** Starts what stands before a domain. */
export async function putBehindProxy<K extends DirectoryKind>(
  directory: string,
  domain: TestDomain<K>,
  options: AgentOptions,
  agent = 'agent-1',
): Promise<ServedDomain<K>> {
  const watch = options.watch?.(agent) ?? {}
  const proxy = options.proxied === false ? undefined : await startLdapProxy({ target: domain.url, ...watch })
  return { directory, domain, proxy }
}

/** Writes the configuration of the store and of every agent. */
export function writeConfigs(world: {
  readonly directory: string
  readonly storeUrl: string
  readonly agentsUrl: string
  readonly port: number
  readonly ca: Awaited<ReturnType<typeof testCa>>
  readonly places: readonly AgentPlace[]
  readonly options: AgentOptions
}): { storeConfigFile: string } {
  const { directory, ca, places, options } = world
  const storeConfigFile = path.join(directory, 'store.yaml')
  writeFileSync(path.join(directory, 'bind-password'), servicePassword(), { mode: 0o600 })
  writeFileSync(
    storeConfigFile,
    `listen: { host: 127.0.0.1, port: ${world.port} }
publicUrl: ${world.storeUrl}
tls: { certificateFile: ${ca.server.certFile}, keyFile: ${ca.server.keyFile}, caFile: ${ca.caFile} }
dataDirectory: store
requestLifetimeSeconds: ${options.requestLifetimeSeconds ?? 300}
log: { level: ${options.logLevel ?? 'debug'} }
${options.storeSettings ?? ''}
`,
  )
  for (const { configFile, stateDirectory, served } of places) {
    writeFileSync(
      configFile,
      `store: { url: "${world.agentsUrl}", caFile: ${ca.caFile} }
stateDirectory: ${path.basename(stateDirectory)}
directories:
${served.map((one) => directorySection(one, ca.caFile, options)).join('\n')}
log: { level: ${options.logLevel ?? 'debug'} }
${options.agentSettings ?? ''}
`,
    )
    mkdirSync(stateDirectory, { mode: 0o700 })
  }
  return { storeConfigFile }
}

/** What only this kind of directory is told. */
const serversOf = (served: ServedDomain, options: AgentOptions): string => {
  const urls = `["${urlOf(served, options)}"]`
  return served.domain.kind === 'openldap'
    ? `servers: ${urls}\n    policy: "${served.domain.policyDn}"`
    : `controllers: ${urls}`
}

const directorySection = (served: ServedDomain, caFile: string, options: AgentOptions): string => {
  const { directory, domain } = served
  return `  ${directory}:
    type: ${domain.kind}
    ${serversOf(served, options)}
    baseDn: "${domain.baseDn}"
    bind: { name: "${domain.serviceAccountName}", passwordFile: bind-password }
    tls: { caFile: ${caFile} }
${options.directorySettings ?? ''}`
}

/** Enrols one agent with a code of the store. */
export async function enrol(
  admin: Admin,
  program: readonly string[],
  agent: Pick<AgentPlace, 'name' | 'configFile'>,
  served: readonly ServedDomain[],
): Promise<void> {
  const directories = served.map(({ directory }) => directory)
  const { json } = await admin('createEnrolmentCode', { directories, validForMs: 600_000 })
  const { code } = json as { code: string }
  await runCommand(
    process.execPath,
    [...program, 'enroll', '--config', agent.configFile, '--name', agent.name],
    { input: code },
  )
}
