// How this machine reaches its packages, read from its own settings when the proof runs: nothing of it stands in the project.
import { copyFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { runCommand } from '../servers/child-process.ts'

const SUITE = /^bookworm(?:-updates|-security)?$/

/** One source of Debian 12 packages. */
export interface DebianSource {
  readonly uri: string
  readonly suite: string
  readonly component: string
}

/** The sources of Debian 12 that apt uses here. Throws when there is none. */
export async function readDebianSources(): Promise<readonly DebianSource[]> {
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT)'
  const words = ['indextargets', '--format', format, 'Created-By: Packages']
  const lines = new Set((await runCommand('apt-get', words)).split('\n'))
  const sources = [...lines].map((line) => {
    const [uri = '', suite = '', component = ''] = line.split(' ')
    return { uri, suite, component }
  })
  const debian = sources.filter(({ suite }) => SUITE.test(suite))
  if (!debian.some(({ suite, component }) => suite === 'bookworm' && component === 'main'))
    throw new Error('apt has no list of Debian 12 (bookworm) here: run apt-get update, or add this source')
  return debian
}

/** Writes apt's settings of this machine into another root. */
export async function writeAptSettings(root: string, sources: readonly DebianSource[]): Promise<void> {
  const lines = sources.map(({ uri, suite, component }) => `deb ${uri} ${suite} ${component}\n`)
  writeFileSync(path.join(root, 'etc/apt/sources.list'), lines.join(''))
  const proxies = (await runCommand('apt-config', ['dump']))
    .split('\n')
    .filter((line) => /^Acquire::https?::Proxy/i.test(line))
  writeFileSync(path.join(root, 'etc/apt/apt.conf.d/90proxy'), `${proxies.join('\n')}\n`)
}

const AUTHORITIES = 'root/registry-ca.pem'
const PROXIES = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']

/** Brings npm's settings of this machine into another root; what this answers belongs into the environment there. */
export async function writeNpmSettings(root: string): Promise<Readonly<Record<string, string>>> {
  const { HOME = '/root' } = process.env
  const registry = await runCommand('npm', ['config', 'get', 'registry'], { env: { HOME }, cwd: HOME })
  const environment: Record<string, string> = { npm_config_registry: registry.trim() }
  // npm does not tell which authorities it was given; Node.js and OpenSSL have them from here.
  const authorities = process.env['NODE_EXTRA_CA_CERTS'] ?? process.env['SSL_CERT_FILE']
  if (authorities !== undefined) {
    copyFileSync(authorities, path.join(root, AUTHORITIES))
    environment['npm_config_cafile'] = `/${AUTHORITIES}`
  }
  for (const name of PROXIES) {
    const value = process.env[name]
    if (value !== undefined) environment[name] = value
  }
  return environment
}
