// The Linux service: the unit of the project as systemd judges it, and its installation into a root directory of its own, with the
// machine's useradd and systemctl. That systemd runs it is shown by
// ./scripts/prove quickstart.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { afterAll, beforeEach, expect, test } from '@jest/globals'
import { readAgentConfig } from '../../src/config/agent-config.ts'
import { secretPlaces, withCredentials } from '../../src/config/credentials.ts'
import { handOver } from '../../src/service/service-files.ts'
import { writeUnit } from '../../src/service/unit-file.ts'
import { runWords } from '../cli/run-words.ts'
import { runCommand } from '../servers/child-process.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const TEMPLATE = path.join(ROOT, 'install/linux/writeback.service')
const scratch = makeScratchDirectory()
const root = path.join(scratch, 'root')
const at = (file: string) => path.join(root, file)
const CONFIG = `store: { url: "https://127.0.0.1:1", caFile: store-ca.pem, clientCertificateFile: client.pem, clientKeyFile: client-key.pem }
stateDirectory: /var/lib/writeback
keys: { passphraseFile: passphrase }
directories:
  corp:
    type: openldap
    servers: ["ldaps://127.0.0.1"]
    baseDn: DC=corp,DC=test
    bind: { name: "uid=svc,DC=corp,DC=test", passwordFile: bind-password }
`

beforeEach(() => {
  rmSync(root, { recursive: true, force: true })
  for (const directory of ['/etc/writeback', '/var/lib']) mkdirSync(at(directory), { recursive: true })
  writeFileSync(at('/etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  writeFileSync(at('/etc/group'), 'root:x:0:\n')
  writeFileSync(at('/etc/shadow'), '')
  writeFileSync(at('/etc/gshadow'), '')
  writeFileSync(at('/etc/writeback/agent.yaml'), CONFIG)
  for (const file of ['store-ca.pem', 'client.pem'])
    writeFileSync(at(`/etc/writeback/${file}`), 'a certificate')
  for (const secret of ['bind-password', 'passphrase', 'client-key.pem'])
    writeFileSync(at(`/etc/writeback/${secret}`), 'secret', { mode: 0o600 })
})
afterAll(() => removeScratchDirectory(scratch))

const service = (words: string, over: Parameters<typeof runWords>[1] = {}) =>
  runWords(['service', ...words.split(' ')], over)
const install = (more = '') => service(`install --config /etc/writeback/agent.yaml --root ${root}${more}`)
const modeOf = (file: string) => (statSync(at(file)).mode & 0o7777).toString(8)
/** Only a root that may give files to any user can install; one of a user namespace of its own cannot. */
const isRoot = process.getuid?.() === 0 && / 4294967295\n$/.test(readFileSync('/proc/self/uid_map', 'utf8'))
const asRoot = isRoot
  ? test
  : (title: string, _run: () => void) => test(`${title} (root only: not run)`, () => {})

test('the unit is exposed to 1.5 at most, by the measure of systemd', async () => {
  const judge = (file: string) =>
    runCommand('systemd-analyze', ['security', '--offline=true', '--threshold=15', '--no-pager', file])
  const said = await judge(TEMPLATE)
  expect(Number(/exposure level for writeback\.service: ([\d.]+)/.exec(said)?.[1])).toBeLessThanOrEqual(1.5)
  const weak = path.join(scratch, 'weak.service')
  writeFileSync(weak, readFileSync(TEMPLATE, 'utf8').replace(/^CapabilityBoundingSet=.*\n/m, ''))
  await expect(judge(weak)).rejects.toThrow()
})

test('the unit of a configuration has its paths, its credentials and nothing that systemd would read otherwise', async () => {
  const unit = writeUnit({
    template: readFileSync(TEMPLATE, 'utf8'),
    program: ['/opt/100% node/bin/node', '--disable-warning=ExperimentalWarning', '/opt/$writeback/main.js'],
    configFile: '/etc/write back/agent.yaml',
    stateDirectory: '/srv/agent',
    credentials: [{ key: 'keys.passphraseFile', file: '/etc/write%back/pass' }],
  })
  const run = '"/opt/100%% node/bin/node" --disable-warning=ExperimentalWarning /opt/$$writeback/main.js'
  expect(unit).toContain(`\nExecStart=${run} agent --config "/etc/write back/agent.yaml"\n`)
  expect(unit).toContain(`\nExecReload=${run} reload --config "/etc/write back/agent.yaml"\n`)
  expect(unit).toContain(
    '\nReadWritePaths=/srv/agent\nLoadCredential=keys.passphraseFile:/etc/write%%back/pass\n',
  )
  expect(unit).not.toContain('StateDirectory=writeback\n')
})

asRoot('an installation makes user, rights and unit, and a second one finds nothing to do', async () => {
  const { status, out, err } = await install()
  expect([status, err]).toEqual([0, ''])
  expect(out).toContain('the agent is not enrolled yet')
  const [, , uid, gid, , home, shell] =
    /^writeback:.*$/m.exec(readFileSync(at('/etc/passwd'), 'utf8'))?.[0].split(':') ?? []
  expect([home, shell]).toEqual(['/var/lib/writeback', '/usr/sbin/nologin'])
  const ownerOf = (file: string) => [statSync(at(file)).uid, statSync(at(file)).gid].map(String)
  expect([modeOf('/var/lib/writeback'), ...ownerOf('/var/lib/writeback')]).toEqual(['700', uid, gid])
  for (const [file, mode] of [
    ['/etc/writeback', '750'],
    ['/etc/writeback/agent.yaml', '640'],
    ['/etc/writeback/store-ca.pem', '640'],
    ['/etc/writeback/client.pem', '640'],
  ] as const)
    expect([file, modeOf(file), ...ownerOf(file)]).toEqual([file, mode, '0', gid])
  expect([modeOf('/etc/writeback/passphrase'), ...ownerOf('/etc/writeback/passphrase')]).toEqual([
    '600',
    '0',
    '0',
  ])
  const unit = readFileSync(at('/etc/systemd/system/writeback.service'), 'utf8')
  expect(unit).toContain('\nLoadCredential=directories.corp.bind.passwordFile:/etc/writeback/bind-password\n')
  expect(unit).toContain('\nLoadCredential=keys.passphraseFile:/etc/writeback/passphrase\n')
  expect(unit).toContain('\nLoadCredential=store.clientKeyFile:/etc/writeback/client-key.pem\n')
  expect(unit).not.toContain(root)
  expect(readlinkSync(at('/etc/systemd/system/multi-user.target.wants/writeback.service'))).toBe(
    '/etc/systemd/system/writeback.service',
  )
  expect((await install()).out).toContain('nothing to do')
  // A secret that is the service's own is read directly, and may then be replaced while it runs.
  await runCommand('chown', [`${uid}:${gid}`, at('/etc/writeback/passphrase')])
  expect((await install()).out).toContain(`write ${at('/etc/systemd/system/writeback.service')}`)
  expect(readFileSync(at('/etc/systemd/system/writeback.service'), 'utf8')).not.toContain(
    'keys.passphraseFile',
  )
  // What root left in the state directory is given to the service.
  writeFileSync(at('/var/lib/writeback/enrolment.json'), '{}')
  handOver(at('/var/lib/writeback'))
  expect(ownerOf('/var/lib/writeback/enrolment.json')).toEqual([uid, gid])
})

asRoot('a removal leaves state and configuration, and with --purge only the configuration', async () => {
  await install()
  writeFileSync(at('/var/lib/writeback/journal.db'), '')
  const { status, out } = await service(`uninstall --root ${root}`)
  expect([status, out]).toEqual([0, expect.stringContaining('uninstalled')])
  expect(existsSync(at('/etc/systemd/system/writeback.service'))).toBe(false)
  expect(existsSync(at('/etc/systemd/system/multi-user.target.wants/writeback.service'))).toBe(false)
  expect(existsSync(at('/var/lib/writeback/journal.db'))).toBe(true)
  expect((await service(`uninstall --root ${root}`)).out).toContain('nothing to do')
  expect((await service(`uninstall --purge --root ${root}`)).err).toContain('--purge needs --config')
  await service(`uninstall --purge --config /etc/writeback/agent.yaml --root ${root}`)
  expect(existsSync(at('/var/lib/writeback'))).toBe(false)
  expect(readFileSync(at('/etc/passwd'), 'utf8')).not.toContain('writeback')
  expect(existsSync(at('/etc/writeback/agent.yaml'))).toBe(true)
})

test('a dry run needs no root, shows each step with the whole unit, and changes nothing', async () => {
  const { status, out } = await service(
    `install --dry-run --config /etc/writeback/agent.yaml --root ${root}`,
    { uid: 1000 },
  )
  expect(status).toBe(0)
  expect(out).toContain('useradd --prefix')
  expect(out).toContain('  LoadCredential=directories.corp.bind.passwordFile:/etc/writeback/bind-password\n')
  expect(out).toContain(`systemctl --root=${root} enable writeback.service`)
  expect(existsSync(at('/etc/systemd'))).toBe(false)
  expect(readFileSync(at('/etc/passwd'), 'utf8')).not.toContain('writeback')
})

test.each<[string, Parameters<typeof runWords>[1], string]>([
  ['without root', { uid: 1000 }, 'ERR_SERVICE_RIGHTS: only root may change'],
  [
    'on Windows',
    { platform: 'win32', uid: undefined },
    'ERR_SERVICE_UNSUPPORTED: .* Windows: packages follow',
  ],
  ['on macOS', { platform: 'darwin', uid: 0 }, 'ERR_SERVICE_UNSUPPORTED: .* darwin'],
])('%s nothing is installed, removed or asked for', async (_where, over, message) => {
  for (const words of [
    `install --config /etc/writeback/agent.yaml --root ${root}`,
    `uninstall --root ${root}`,
    ...(over?.platform === undefined ? [] : ['status']),
  ]) {
    const { status, err } = await service(words, over)
    expect([status, err]).toEqual([1, expect.stringMatching(message)])
  }
  expect(existsSync(at('/etc/systemd'))).toBe(false)
})

test('where systemd does not run, that is said', async () => {
  if (existsSync('/run/systemd/system')) return
  const words = ['status', 'uninstall', `install --config ${at('/etc/writeback/agent.yaml')}`]
  for (const word of words)
    expect((await service(word, { uid: 0 })).err).toContain(
      'ERR_SERVICE_UNSUPPORTED: systemd does not run here',
    )
})

test('what the service could not read is named before anything is changed', async () => {
  rmSync(at('/etc/writeback/bind-password'))
  mkdirSync(at('/srv'))
  writeFileSync(at('/srv/ca.pem'), '', { mode: 0o600 })
  writeFileSync(
    at('/etc/writeback/agent.yaml'),
    CONFIG.replace('store-ca.pem', '/srv/ca.pem').replace('/var/lib/writeback', '/home/ada/state'),
  )
  const { status, err } = await install(' --dry-run')
  expect([status, err]).toEqual([1, expect.stringContaining('ERR_SERVICE_UNREADABLE')])
  expect(err).toContain('/home/ada/state lies where the service cannot look')
  expect(err).toContain('/etc/writeback/bind-password is not there')
  expect(err).toContain('/srv/ca.pem must be readable by all')
})

test('a secret that the service manager hands over stands in the place of its file', () => {
  const config = readAgentConfig(at('/etc/writeback/agent.yaml'))
  const handed = path.join(scratch, 'credentials')
  mkdirSync(handed)
  writeFileSync(path.join(handed, 'directories.corp.bind.passwordFile'), 'secret')
  chmodSync(handed, 0o700)
  expect(secretPlaces(withCredentials(config, handed))).toEqual([
    {
      key: 'directories.corp.bind.passwordFile',
      file: path.join(handed, 'directories.corp.bind.passwordFile'),
    },
    { key: 'keys.passphraseFile', file: at('/etc/writeback/passphrase') },
    { key: 'store.clientKeyFile', file: at('/etc/writeback/client-key.pem') },
  ])
  expect(withCredentials(config, undefined)).toEqual(config)
})
