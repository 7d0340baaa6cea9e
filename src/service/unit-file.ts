// The unit file of a configuration, made from the template of the project.
import type { SecretPlace } from '../config/credentials.ts'

/** What a unit is made for. Paths are absolute. */
export interface UnitWish {
  /** install/linux/writeback.service. */
  readonly template: string
  /** What runs the program, first its path: Node.js, its options, main.js. */
  readonly program: readonly string[]
  readonly configFile: string
  readonly stateDirectory: string
  /** Secrets that the service's user cannot read itself. */
  readonly credentials: readonly SecretPlace[]
}

const PROGRAM = '/usr/local/bin/writeback'
const CONFIG = '/etc/writeback/agent.yaml'
const STATE = 'StateDirectory=writeback\n'
const STATE_ROOT = '/var/lib/'

/** Writes the unit. */
export function writeUnit(wish: UnitWish): string {
  const { template, program, configFile, credentials } = wish
  const words = program.map(quote).join(' ')
  const loads = credentials.map(({ key, file }) => `LoadCredential=${key}:${escapeSpecifiers(file)}\n`)
  return template
    .replaceAll(`=${PROGRAM} `, () => `=${words} `)
    .replaceAll(` ${CONFIG}\n`, () => ` ${quote(configFile)}\n`)
    .replace(STATE, () => `${stateLine(wish.stateDirectory)}${loads.join('')}`)
}

// Elsewhere than below /var/lib systemd makes no directory, and must let the service write there.
const stateLine = (directory: string): string =>
  directory.startsWith(STATE_ROOT)
    ? `StateDirectory=${escapeSpecifiers(directory.slice(STATE_ROOT.length))}\n`
    : `ReadWritePaths=${escapeSpecifiers(directory)}\n`

const escapeSpecifiers = (text: string): string => text.replaceAll('%', '%%')

// systemd.service(5), command lines: quotes, and $ and % doubled.
const quote = (word: string): string => {
  const escaped = escapeSpecifiers(word).replaceAll('$', '$$$$')
  return /^[\w@%+=:,./$-]+$/.test(word) ? escaped : `"${escaped.replaceAll(/["\\]/g, '\\$&')}"`
}
