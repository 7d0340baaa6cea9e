// What an installation of the Linux service does, as a list of steps: only those that are due, so that it may be run again.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AgentConfig } from '../config/agent-config.ts'
import { type SecretPlace, secretPlaces } from '../config/credentials.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { runTool } from './run-tool.ts'
import {
  findUser,
  giveToGroup,
  giveTree,
  hasStranger,
  isGroupsOwn,
  isOpenToAll,
  isReadableBy,
  type Owner,
} from './service-files.ts'
import { writeUnit } from './unit-file.ts'

/** One step. `says` is what a dry run prints: the command line that does the same, as far as there is one. */
export interface Step {
  readonly says: string
  readonly run: () => void
}

/** What is installed. Paths are those of the running service; `root` stands before them while it is installed. */
export interface ServiceWish {
  readonly configFile: string
  readonly config: AgentConfig
  readonly template: string
  /** Node.js, its options, main.js. */
  readonly program: readonly string[]
  /** Empty: this machine. */
  readonly root: string
}

/** The name of the unit and of its user. */
export const SERVICE = 'writeback'
export const UNIT = `${SERVICE}.service`
/** Where the unit lies. */
export const UNIT_FILE = `/etc/systemd/system/${UNIT}`
// ProtectHome= and PrivateTmp= hide them from the service.
const HIDDEN = /^\/(home|root|run\/user|tmp|var\/tmp)\//

/** The steps of an installation that are due. Throws ERR_SERVICE_UNREADABLE for what the service could not read. */
export function planInstall(wish: ServiceWish): readonly Step[] {
  const { root, config } = wish
  const at = (path: string) => join(root, path)
  const owner = () => findUser(root, SERVICE)
  const secrets = secretPlaces(config)
  refuseUnreadable(wish, secrets)
  const credentials = secrets.filter(({ file }) => !isReadableBy(at(file), owner()))
  const unit = writeUnit({ ...wish, credentials, stateDirectory: config.stateDirectory })
  const isUnitNew = textOf(at(UNIT_FILE)) !== unit
  return [
    ...due(owner() === undefined, addUser(root)),
    ...[wish.configFile, ...ownFiles(wish)].flatMap((file) =>
      due(!isGroupsOwn(at(file), owner(), 0o640), giveFile(root, file, 0o640)),
    ),
    ...due(
      dirname(wish.configFile) === `/etc/${SERVICE}` &&
        !isGroupsOwn(at(dirname(wish.configFile)), owner(), 0o750),
      giveFile(root, dirname(wish.configFile), 0o750),
    ),
    ...due(hasStranger(at(config.stateDirectory), owner()), giveState(root, config.stateDirectory)),
    ...due(isUnitNew, putUnit(root, unit)),
    ...startSteps(root, {
      isUnitNew,
      isEnrolled: existsSync(at(join(config.stateDirectory, 'enrolment.json'))),
    }),
  ]
}

/** The steps of a removal that are due. `purge`: journal, keys and user, too. */
export function planUninstall(
  root: string,
  purge: { readonly stateDirectory: string } | undefined,
): readonly Step[] {
  const at = (path: string) => join(root, path)
  const isThere = existsSync(at(UNIT_FILE))
  const now = root === '' ? ['--now'] : []
  return [
    ...due(isThere, tool(['systemctl', ...rootWords(root), 'disable', ...now, UNIT])),
    ...due(isThere, { says: `rm ${at(UNIT_FILE)}`, run: () => rmSync(at(UNIT_FILE)) }),
    ...due(isThere && root === '', tool(['systemctl', 'daemon-reload'])),
    ...(purge === undefined ? [] : purgeSteps(root, purge.stateDirectory)),
  ]
}

function purgeSteps(root: string, stateDirectory: string): readonly Step[] {
  const path = join(root, stateDirectory)
  return [
    ...due(existsSync(path), { says: `rm -r ${path}`, run: () => rmSync(path, { recursive: true }) }),
    ...due(
      findUser(root, SERVICE) !== undefined,
      tool(['userdel', ...(root === '' ? [] : ['--prefix', root]), SERVICE]),
    ),
  ]
}

function refuseUnreadable(
  { root, config, configFile, program }: ServiceWish,
  secrets: readonly SecretPlace[],
): void {
  const at = (path: string) => join(root, path)
  const files = program.filter((word) => word.startsWith('/'))
  const hidden = [...files, configFile, config.stateDirectory, ...otherFiles(config)].filter((path) =>
    HIDDEN.test(path),
  )
  const missing = [...secrets.map(({ file }) => file), ...otherFiles(config)].filter(
    (path) => !existsSync(at(path)),
  )
  const closed = [
    ...(root === '' ? files : []),
    ...otherFiles(config).filter((path) => dirname(path) !== dirname(configFile)),
  ].filter((path) => existsSync(at(path)) && !HIDDEN.test(path) && !isOpenToAll(at(path)))
  const faults = [
    ...hidden.map(
      (path) => `${path} lies where the service cannot look: move it, as to /etc/writeback or /opt`,
    ),
    ...missing.map((path) => `${path} is not there`),
    ...closed.map((path) => `${path} must be readable by all, or lie beside the configuration`),
  ]
  if (faults.length > 0) throw new WritebackError('ERR_SERVICE_UNREADABLE', faults.join('; '))
}

/** Files that are no secrets. */
function otherFiles({ directories, store, queue, audit }: AgentConfig): readonly string[] {
  const all = [
    ...Object.values(directories).flatMap(({ tls, passwords }) => [tls.caFile, passwords.blocklistFile]),
    ...[store.caFile, store.clientCertificateFile, queue.caFile, audit.syslog?.caFile],
  ]
  return [...new Set(all.filter((file) => file !== undefined))]
}

const ownFiles = ({ config, configFile }: ServiceWish): readonly string[] =>
  otherFiles(config).filter((file) => dirname(file) === dirname(configFile))

function startSteps(
  root: string,
  { isUnitNew, isEnrolled }: { readonly isUnitNew: boolean; readonly isEnrolled: boolean },
): readonly Step[] {
  const enable = tool(['systemctl', ...rootWords(root), 'enable', UNIT])
  if (root !== '') return due(isUnitNew, enable)
  const isLeft = (word: string) => isUnitNew || !succeeds(['systemctl', '--quiet', word, UNIT])
  return [
    ...due(isUnitNew, tool(['systemctl', 'daemon-reload'])),
    ...due(isLeft('is-enabled'), enable),
    ...due(isEnrolled && isLeft('is-active'), tool(['systemctl', isUnitNew ? 'restart' : 'start', UNIT])),
  ]
}

function succeeds(command: readonly string[]): boolean {
  try {
    runTool(command)
    return true
  } catch {
    return false
  }
}

const due = (isDue: boolean, step: Step): readonly Step[] => (isDue ? [step] : [])

const rootWords = (root: string): readonly string[] => (root === '' ? [] : [`--root=${root}`])

const tool = (words: readonly string[]): Step => ({ says: words.join(' '), run: () => runTool(words) })

const addUser = (root: string): Step =>
  tool([
    ...[
      'useradd',
      ...(root === '' ? [] : ['--prefix', root]),
      '--system',
      '--user-group',
      '--no-create-home',
    ],
    ...['--home-dir', `/var/lib/${SERVICE}`, '--shell', '/usr/sbin/nologin', SERVICE],
  ])

const giveFile = (root: string, file: string, mode: number): Step => ({
  says: `chown root:${SERVICE} ${join(root, file)} && chmod ${mode.toString(8).padStart(4, '0')} ${join(root, file)}`,
  run: () => giveToGroup(join(root, file), userOf(root), mode),
})

const giveState = (root: string, directory: string): Step => ({
  says: `mkdir -p -m 0700 ${join(root, directory)} && chown -R ${SERVICE}: ${join(root, directory)}`,
  run: () => {
    mkdirSync(join(root, directory), { recursive: true, mode: 0o700 })
    giveTree(join(root, directory), userOf(root))
  },
})

const putUnit = (root: string, unit: string): Step => ({
  says: `write ${join(root, UNIT_FILE)}:\n${unit.replaceAll(/^(?=.)/gm, '  ').trimEnd()}`,
  run: () => {
    mkdirSync(dirname(join(root, UNIT_FILE)), { recursive: true })
    writeFileSync(join(root, UNIT_FILE), unit, { mode: 0o644 })
  },
})

function userOf(root: string): Owner {
  const owner = findUser(root, SERVICE)
  if (owner === undefined)
    throw new WritebackError(
      'ERR_SERVICE_FAILED',
      `the user ${SERVICE} is not in ${join(root, '/etc/passwd')}`,
    )
  return owner
}

const textOf = (file: string): string | undefined =>
  existsSync(file) ? readFileSync(file, 'utf8') : undefined
