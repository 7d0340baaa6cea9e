// writeback service: the agent as a service of this machine. Linux with systemd; packages for Windows follow.
import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { type AgentConfig, readAgentConfig } from '../config/agent-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { planInstall, planUninstall, type ServiceWish, type Step, UNIT } from '../service/plan-service.ts'
import { readServiceStatus, type ServiceStatus } from '../service/service-status.ts'
import { EXIT, type Io, type SetExit, say } from './io.ts'

const HELP = `
Linux with systemd, as root. On Windows these words are refused: packages follow.

Examples:
  writeback service install --dry-run --config /etc/writeback/agent.yaml
  sudo writeback service install --config /etc/writeback/agent.yaml
  writeback service status`

const INSTALL_HELP = `
Makes the user writeback, gives it the state directory, writes /etc/systemd/system/writeback.service, enables the service and,
once the agent is enrolled, starts it. It may be run again: it does only what is left to do. A secret file that the user cannot
read itself is handed over by LoadCredential=. Own settings belong into a drop-in (systemctl edit writeback).

Exit statuses: 0 done; 1 failed, not root, or no systemd here; 2 bad usage or configuration.

Examples:
  writeback service install --dry-run --config /etc/writeback/agent.yaml
  sudo writeback service install --config /etc/writeback/agent.yaml
  sudo writeback service install --root /mnt/image --config /etc/writeback/agent.yaml`

const UNINSTALL_HELP = `
Stops the service and removes its unit. The configuration, the state directory (journal, keys, audit record) and the user stay,
so that a later installation goes on where this one ended. With --purge the state directory and the user go, too: what was
not reported yet is lost, and the agent must be enrolled anew; revoke it at the store.

Exit statuses: 0 done; 1 failed, not root, or no systemd here; 2 bad usage or configuration.

Examples:
  sudo writeback service uninstall
  sudo writeback service uninstall --purge --config /etc/writeback/agent.yaml`

const STATUS_HELP = `
Exit statuses: 0 it runs; 1 failed, or no systemd here; 3 it does not run. How the agent itself is: writeback status.

Examples:
  writeback service status
  writeback service status --json`

const NOT_RUNNING = 3
const TEMPLATE = fileURLToPath(new URL('../../install/linux/writeback.service', import.meta.url))
const MAIN = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url),
)

interface Words {
  readonly config?: string
  readonly root?: string
  readonly dryRun?: boolean
  readonly purge?: boolean
  readonly json?: boolean
}

/** Adds the command. */
export function addServiceCommand(program: Command, io: Io, setExit: SetExit): void {
  const service = program
    .command('service')
    .description('the agent as a service of this machine: install, uninstall, status (Linux with systemd)')
    .addHelpText('after', HELP)
  const changing = (name: string, description: string, help: string) =>
    service
      .command(name)
      .description(description)
      .option('--root <directory>', 'another root directory, as of an image; nothing is started there')
      .option('--dry-run', 'print what would be done, and do nothing')
      .option('--json', 'print the steps as JSON')
      .addHelpText('after', help)
  changing('install', 'make the agent a service that starts with the machine', INSTALL_HELP)
    .requiredOption('--config <file>', 'the agent’s configuration, YAML')
    .action((words: Words) => install(io, words))
  changing('uninstall', 'stop the service and remove it; its state stays', UNINSTALL_HELP)
    .option('--config <file>', 'the agent’s configuration, YAML; needed with --purge')
    .option('--purge', 'remove the state directory and the user, too')
    .action((words: Words) => uninstall(io, words))
  service
    .command('status')
    .description('whether the service runs')
    .option('--json', 'print the status as JSON')
    .addHelpText('after', STATUS_HELP)
    .action((words: Words) => setExit(status(io, words)))
}

function install(io: Io, words: Words): void {
  refuseElsewhere(io, words)
  const wish = wishOf(words)
  const steps = planInstall(wish)
  carryOut(io, words, steps)
  if (words.json || words.dryRun) return
  say(
    io,
    steps.length === 0 ? 'nothing to do: the service is installed as the configuration says' : 'installed',
  )
  if (existsSync(join(wish.root, wish.config.stateDirectory, 'enrolment.json'))) return
  say(io, 'the agent is not enrolled yet, so it was not started. Next:')
  say(io, `  writeback enroll --config ${wish.configFile}`)
  say(io, `  systemctl start ${UNIT}`)
}

function uninstall(io: Io, words: Words): void {
  refuseElsewhere(io, words)
  if (words.purge && words.config === undefined)
    throw new WritebackError('ERR_USAGE', '--purge needs --config, which names the state directory')
  const purge = words.purge ? { stateDirectory: configOf(words).stateDirectory } : undefined
  const steps = planUninstall(rootOf(words), purge)
  carryOut(io, words, steps)
  if (!words.json && !words.dryRun)
    say(io, steps.length === 0 ? 'nothing to do: no service is installed' : 'uninstalled')
}

function carryOut(io: Io, { dryRun = false, json }: Words, steps: readonly Step[]): void {
  if (json) say(io, JSON.stringify({ dryRun, steps: steps.map(({ says }) => says) }))
  for (const { says, run } of steps) {
    // A unit is long, and only of interest before it is written.
    if (!json) say(io, dryRun ? says : (says.split(':\n')[0] ?? ''))
    if (!dryRun) run()
  }
}

function status(io: Io, { json }: Words): number {
  refuseUnsupported(io)
  const seen = readServiceStatus()
  if (json) say(io, JSON.stringify(seen))
  else for (const line of describe(seen)) say(io, line)
  return seen.state === 'active' || seen.state === 'reloading' ? EXIT.done : NOT_RUNNING
}

function describe({
  installed,
  enabled,
  state,
  pid,
  status: told,
  result,
  restarts,
}: ServiceStatus): readonly string[] {
  if (!installed) return ['not installed']
  return [
    `${state}${pid === null ? '' : `, process ${pid}`}, ${enabled ? 'starts' : 'does not start'} with the machine`,
    ...(told === '' ? [] : [`the agent says: ${told}`]),
    ...(result === 'success' ? [] : [`it ended last by: ${result}`]),
    ...(restarts === 0 ? [] : [`restarted by systemd: ${restarts} times`]),
  ]
}

function refuseElsewhere(io: Io, { dryRun, root }: Words): void {
  refusePlatform(io)
  if (dryRun) return
  if (io.uid !== 0)
    throw new WritebackError('ERR_SERVICE_RIGHTS', 'only root may change the services of this machine')
  if (root === undefined) refuseUnsupported(io)
}

function refusePlatform({ platform }: Io): void {
  if (platform === 'linux') return
  const what = platform === 'win32' ? 'Windows: packages follow' : platform
  throw new WritebackError('ERR_SERVICE_UNSUPPORTED', `this command knows no service manager of ${what}`)
}

// systemd's own test of itself, sd_booted(3).
function refuseUnsupported(io: Io): void {
  refusePlatform(io)
  if (!existsSync('/run/systemd/system'))
    throw new WritebackError('ERR_SERVICE_UNSUPPORTED', 'systemd does not run here, as in most containers')
}

const rootOf = ({ root }: Words): string => (root === undefined ? '' : resolve(root).replace(/\/$/, ''))

/** The paths of a configuration in another root are those of the machine that will be. */
function configOf(words: Words): AgentConfig {
  const root = rootOf(words)
  const config = readAgentConfig(join(root, absolute(words)))
  return root === '' ? config : JSON.parse(JSON.stringify(config).replaceAll(`"${root}/`, '"/'))
}

const absolute = ({ config = '', root }: Words): string => {
  if (root !== undefined && !isAbsolute(config))
    throw new WritebackError('ERR_USAGE', '--config must be absolute with --root, and is looked up in it')
  return resolve(config)
}

const wishOf = (words: Words): ServiceWish => ({
  configFile: absolute(words),
  config: configOf(words),
  template: readFileSync(TEMPLATE, 'utf8'),
  program: [process.execPath, '--disable-warning=ExperimentalWarning', MAIN],
  root: rootOf(words),
})
