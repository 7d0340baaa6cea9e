// Configuration faults, as an operator meets them: all at once, each with its place; and the command line around it.
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { createRunningConfig } from '../../src/agent/reload.ts'
import type { Io } from '../../src/cli/io.ts'
import { runProgram } from '../../src/cli/run-program.ts'
import { readAgentConfig } from '../../src/config/agent-config.ts'
import type { ConfigError } from '../../src/config/read-config.ts'
import { readSecretFile } from '../../src/config/secret-file.ts'
import { readStoreConfig } from '../../src/config/store-config.ts'
import { VERSION } from '../../src/protocol/version.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'

const GOOD = `store:
  url: https://reset.example.com
  caFile: certs/store.pem
stateDirectory: state
directories:
  corp:
    type: active-directory
    controllers: [ldaps://dc1.example.com]
    baseDn: OU=People,DC=corp,DC=test
    bind:
      name: writer@corp.test
      passwordFile: bind.txt
`
let home = ''
beforeEach(() => {
  home = makeScratchDirectory()
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function fileOf(text: string): string {
  const path = join(home, 'agent.yaml')
  writeFileSync(path, text)
  return path
}
function faultsOf(text: string): string[] {
  try {
    readAgentConfig(fileOf(text))
  } catch (error) {
    const { faults = [] } = error as ConfigError
    return faults.map(({ path, line, column, message }) => `${line}:${column} ${path}: ${message}`)
  }
  return []
}

test('a small file is enough; the rest has defaults, and paths begin at the file', () => {
  const config = readAgentConfig(fileOf(GOOD))
  expect(config.store.caFile).toBe(join(home, 'certs/store.pem'))
  expect(config.stateDirectory).toBe(join(home, 'state'))
  expect(config.directories['corp']?.bind.passwordFile).toBe(join(home, 'bind.txt'))
  expect(config.directories['corp']).toMatchObject({
    writer: 'pdc-emulator',
    anchor: 'objectGUID',
    markerAttribute: 'adminDisplayName',
    connections: 4,
  })
  expect(config.directories['corp']).not.toHaveProperty('history')
  expect([config.queue, config.log]).toEqual([
    { redis: 'private', heartbeatSeconds: 30 },
    { level: 'info', format: 'json' },
  ])
  const absolute = readAgentConfig(fileOf(GOOD.replace('state\n', '/var/lib/writeback\n')))
  expect(absolute.stateDirectory).toBe('/var/lib/writeback')
})

test('scope, protection and history are as the file says, and nothing half', () => {
  const more = `    scope: { units: ['OU=a,OU=People,DC=corp,DC=test'], groups: [S-1-5-21-1-2-3-4] }
    protection: { groups: ['CN=Board,DC=corp,DC=test'] }
    history: preferred
`
  expect(readAgentConfig(fileOf(GOOD + more)).directories['corp']).toMatchObject({
    scope: { units: ['OU=a,OU=People,DC=corp,DC=test'], groups: ['S-1-5-21-1-2-3-4'] },
    protection: { groups: ['CN=Board,DC=corp,DC=test'] },
    history: 'preferred',
  })
  expect(readAgentConfig(fileOf(GOOD)).directories['corp']).toMatchObject({ scope: {}, protection: {} })
  // An empty list would read as "nobody" to one and as "everybody" to another.
  const wrong = more
    .replace(/\[S-1.*?\]/, '[]')
    .replace("groups: ['CN", "group: ['CN")
    .replace('preferred', 'off')
  expect(faultsOf(GOOD + wrong).map((fault) => fault.split(/[ :]/)[2])).toEqual(
    expect.arrayContaining([
      'directories.corp.scope.groups',
      'directories.corp.protection.group',
      'directories.corp.history',
    ]),
  )
})

test('every fault is told at once, with its line and column', () => {
  const faults = faultsOf(
    GOOD.replace('https://reset', 'http://reset')
      .replace('type: active-directory', 'type: active-directory\n    conections: 3')
      .replace('[ldaps://dc1.example.com]', '[ldap://dc1.example.com, ldaps://dc2]')
      .replace('      passwordFile: bind.txt\n', '      password: hunter2\n')
      .concat('shutdownTimeoutSeconds: soon\nlog: { level: loud }\n'),
  )
  expect(faults.map((fault) => fault.split(': ')[0])).toEqual(
    expect.arrayContaining([
      '2:3 store.url',
      '8:5 directories.corp.conections',
      '9:19 directories.corp.controllers.0',
      '11:5 directories.corp.bind.passwordFile',
      '13:7 directories.corp.bind.password',
      '14:1 shutdownTimeoutSeconds',
      '15:8 log.level',
    ]),
  )
  expect(faults).toHaveLength(7)
  expect(faults.join()).not.toContain('hunter2')
  expect(faults[0]).toContain('must look like https://reset.example.com')
})

const OPENLDAP = `${GOOD.split('  corp:')[0]}  corp:
    type: openldap
    servers: [ldaps://ldap1.example.com]
    baseDn: ou=People,dc=corp,dc=test
    bind:
      name: uid=svc,ou=Services,dc=corp,dc=test
      passwordFile: bind.txt
`

test('a value of another kind, outside of its bounds or its choices is told in words of the file', () => {
  const file = fileOf(
    'store: { url: , caFile: 5 }\nstateDirectory: [a]\nkeys: no\nlog: { level: loud }\nshutdownTimeoutSeconds: 900\n' +
      'directories:\n  a: { type: ldap }\n  b: { type: openldap, servers: x, connections: 1.5, scope: { units: [] } }\n',
  )
  let faults: ConfigError['faults'] = []
  try {
    readAgentConfig(file)
  } catch (error) {
    faults = (error as ConfigError).faults
  }
  expect(faults.map(({ path, message }) => `${path}: ${message}`)).toEqual([
    'store.url: must be text, and is empty',
    'store.caFile: must be text, and is a number',
    'stateDirectory: must be text, and is a list',
    'keys: must be keys with values, and is text',
    'log.level: must be one of "error", "warn", "info", "debug"',
    'shutdownTimeoutSeconds: must be at most 300',
    'directories.a.type: must be one of "active-directory", "openldap"',
    'directories.b.bind: is missing',
    'directories.b.baseDn: is missing',
    'directories.b.servers: must be a list, and is text',
    'directories.b.connections: must be a whole number',
    'directories.b.scope.units: must be at least 1 in number',
  ])
})

test('an OpenLDAP directory has defaults of its own', () => {
  expect(readAgentConfig(fileOf(OPENLDAP)).directories['corp']).toMatchObject({
    ...{ type: 'openldap', anchor: 'entryUUID', history: 'required', connections: 4 },
    ...{ markerAttribute: 'writebackMarker', markerClass: 'writebackAccount' },
  })
})

test.each<[string, string, RegExp]>([
  ['the role of Active Directory as writer', `${OPENLDAP}    writer: pdc-emulator\n`, /^13:5 .*writer: /],
  ['an anchor of Active Directory', `${OPENLDAP}    anchor: mS-DS-ConsistencyGuid\n`, /^13:5 .*anchor: /],
  [
    'controllers',
    `${OPENLDAP}    controllers: [ldaps://dc1]\n`,
    /^13:5 .*controllers: this key is not known/,
  ],
  [
    'a bind name of Windows',
    OPENLDAP.replace(/name: .*/, 'name: svc@corp.test'),
    /^11:7 .*bind\.name: must be a DN/,
  ],
  [
    'several servers without the one that is written',
    OPENLDAP.replace('[ldaps://ldap1', '[ldaps://ldap2, ldaps://ldap1'),
    /^8:5 directories\.corp\.servers: several servers: name the one that is written as writer/,
  ],
  [
    'a writer that is none of the servers',
    `${OPENLDAP}    writer: ldaps://ldap9\n`,
    /^13:5 directories\.corp\.writer: must be one of the servers/,
  ],
])('of OpenLDAP, %s is judged with its place', (_what, text, expected) => {
  expect(faultsOf(text)[0] ?? '').toMatch(expected)
})

test.each<[string, string, RegExp]>([
  ['an empty file', '', /^1:1 (store|stateDirectory|directories): /],
  ['a comment only', '# nothing\n', /^1:1 store: /],
  ['a list', '- a\n', /^1:1 : /],
  ['a word', 'agent\n', /^1:1 : /],
  ['a duplicate key', `${GOOD}stateDirectory: other\n`, /^13:1 : not readable as YAML \(duplicate key\)/],
  ['a tab', 'store:\n\turl: x\n', /^2:1 : not readable as YAML/],
  ['an open bracket', `${GOOD}log: [\n`, /^1[34]:\d+ : not readable as YAML/],
  ['two documents', `${GOOD}---\n${GOOD}`, /not readable as YAML \(multiple docs\)/],
  ['an alias', `${GOOD}log: &a {level: info}\nops: *a\n`, /: not readable as YAML \(alias/],
  ['an alias of nothing', `${GOOD}ops: *nothing\n`, /: not readable as YAML \(alias/],
  [
    'a kind of directory that there is not',
    GOOD.replace('active-directory', 'novell'),
    /^7:5 directories\.corp\.type: /,
  ],
  ['an unknown key at the top', `${GOOD}pasword: x\n`, /^13:1 pasword: this key is not known here/],
  ['no directory', GOOD.replace(/ {2}corp:.*/s, '  {}\n'), /directories: name at least one directory/],
  ['a bad name of a directory', GOOD.replace('corp:', 'Corp_1:'), /^6:3 directories\.Corp_1: .*lower case/],
  [
    'a writer that is no controller',
    `${GOOD}    writer: ldaps://dc9\n`,
    /^13:5 directories\.corp\.writer: must be pdc-emulator or one/,
  ],
  [
    'a writer without TLS',
    `${GOOD}    writer: ldap://dc1\n`,
    /^13:5 directories\.corp\.writer: .*ldaps:\/\//,
  ],
  [
    'a password in the URL of Redis',
    `${GOOD}queue: { redis: 'redis://user:word@redis1/0' }\n`,
    /^13:10 queue\.redis: (?!.*word@).*without a password/,
  ],
  [
    'a probe of no account',
    `${GOOD}    probe: { account: CN=Probe }\n`,
    /^13:14 directories\.corp\.probe\.account: must be an anchor/,
  ],
  [
    'more probes than are let through',
    `${GOOD}    probe: { account: ${'a'.repeat(8)}-aaaa-aaaa-aaaa-${'a'.repeat(12)}, expectEveryMinutes: 5 }\n`,
    /^13:\d+ directories\.corp\.probe\.expectEveryMinutes: more probes within an hour than limits/,
  ],
  ['a queue of another kind', `${GOOD}queue: { redis: 'http://x' }\n`, /^13:10 queue\.redis: .*redis:\/\//],
])('%s is a fault with its place', (_what, text, expected) => {
  const faults = faultsOf(text)
  expect(faults.length).toBeGreaterThan(0)
  expect(faults[0]).toMatch(expected)
})

const FOUND = GOOD.replace('controllers: [ldaps://dc1.example.com]', 'discover: { domain: corp.test }')

test('controllers are listed or looked for, and what is looked for has defaults', () => {
  const { discover, ...rest } = readAgentConfig(fileOf(FOUND)).directories['corp'] as Record<string, unknown>
  expect(discover).toEqual({ domain: 'corp.test', lookEveryMinutes: 15 })
  expect(rest).toMatchObject({ writer: 'pdc-emulator' })
  expect(rest).not.toHaveProperty('controllers')
  const all = `domain: corp.test, site: Default-First-Site-Name, within: [dc1.corp.test, dcs.corp.test],
      dnsServers: [192.0.2.53, '192.0.2.53:5353', '2001:db8::53', '[2001:db8::53]:5353'], lookEveryMinutes: 1440`
  expect(faultsOf(FOUND.replace('domain: corp.test', all))).toEqual([])
})

test.each<[string, string, RegExp]>([
  ['neither', GOOD.replace(/ *controllers.*\n/, ''), /^6:3 directories\.corp\.controllers: is missing: list/],
  [
    'both',
    `${GOOD}    discover: { domain: corp.test }\n`,
    /^13:5 directories\.corp\.discover: controllers are listed already: keep one/,
  ],
  [
    'a writer of their own',
    `${FOUND}    writer: ldaps://dc1.corp.test\n`,
    /^13:5 directories\.corp\.writer: with discover the writer is the PDC emulator/,
  ],
  ['no domain', FOUND.replace('domain: corp.test', ''), /discover\.domain: is missing/],
  [
    'an address as domain',
    FOUND.replace('corp.test }', '10.0.0.1 }'),
    /discover\.domain: must be a DNS name/,
  ],
  ['a name of one label', FOUND.replace('corp.test }', 'corp }'), /discover\.domain: must be a DNS name/],
  ['a name with a dot at its end', FOUND.replace('corp.test }', 'corp.test. }'), /must be a DNS name/],
  [
    'a site with a dot',
    FOUND.replace('corp.test }', 'corp.test, site: a.b }'),
    /discover\.site: must be the name/,
  ],
  [
    'an empty list of suffixes',
    FOUND.replace('corp.test }', 'corp.test, within: [] }'),
    /discover\.within: /,
  ],
  [
    'a DNS server by name',
    FOUND.replace('corp.test }', 'corp.test, dnsServers: [ns1.test] }'),
    /must be an IP address/,
  ],
  [
    'a port that is none',
    FOUND.replace('corp.test }', "corp.test, dnsServers: ['192.0.2.1:0'] }"),
    /must be an IP/,
  ],
  [
    'an IPv6 port without brackets',
    FOUND.replace('corp.test }', "corp.test, dnsServers: ['[::1'] }"),
    /must be an IP/,
  ],
  [
    'a look every second',
    FOUND.replace('corp.test }', 'corp.test, lookEveryMinutes: 0.02 }'),
    /lookEveryMinutes: /,
  ],
  [
    'a key that is not known',
    FOUND.replace('corp.test }', 'corp.test, port: 389 }'),
    /discover\.port: this key/,
  ],
])('of controllers that are looked for, %s is a fault with its place', (_what, text, expected) => {
  expect(faultsOf(text)).toEqual([expect.stringMatching(expected)])
})

test('OpenLDAP servers are listed', () => {
  expect(faultsOf(`${OPENLDAP}    discover: { domain: corp.test }\n`)).toEqual([
    expect.stringMatching(/^13:5 directories\.corp\.discover: this key is not known here/),
  ])
})

test('a file that is not there is ERR_CONFIG_UNREADABLE', () => {
  expect(() => readAgentConfig(join(home, 'none.yaml'))).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_UNREADABLE' }),
  )
})

test('the store’s file has defaults and paths too', () => {
  const text = 'publicUrl: https://x\ndataDirectory: data\ntls: { certificateFile: a, keyFile: /b }\n'
  expect(readStoreConfig(fileOf(text))).toMatchObject({
    listen: { host: '127.0.0.1', port: 8443 },
    dataDirectory: join(home, 'data'),
    tls: { certificateFile: join(home, 'a'), keyFile: '/b' },
    requestLifetimeSeconds: 300,
  })
})

test('the store’s probes have an interval of an hour, and each user one', () => {
  const text = 'publicUrl: https://x\ndataDirectory: data\ntls: { certificateFile: a, keyFile: /b }\n'
  const { probes } = readStoreConfig(
    fileOf(`${text}probes: [{ user: ada }, { user: bob, everyMinutes: 10 }]\n`),
  )
  expect(probes).toEqual([
    { user: 'ada', everyMinutes: 60 },
    { user: 'bob', everyMinutes: 10 },
  ])
  for (const [wrong, fault] of [
    ['[{ user: ada }, { user: ada, everyMinutes: 20 }]', 'probes.1.user: is named twice'],
    ['[{ user: ada, everyMinutes: 9 }]', 'probes.0.everyMinutes'],
  ] as const)
    expect(() => readStoreConfig(fileOf(`${text}probes: ${wrong}\n`))).toThrow(
      expect.objectContaining({ message: expect.stringContaining(fault) }),
    )
})

test('a secret comes from a file of its own, without its line end, and not from one others can read', async () => {
  const path = join(home, 'secret')
  const read = (content: string | Buffer, mode = 0o600) => {
    writeFileSync(path, content)
    chmodSync(path, mode)
    return readSecretFile(path).then(String, (error) => error.code)
  }
  expect(await read('pass word\n')).toBe('pass word')
  expect(await read('pass word\r\n')).toBe('pass word')
  expect(await read('two\n\n')).toBe('two\n')
  expect(await read('x', 0o640)).toBe('x')
  expect(await read(Buffer.alloc(4096, 'x'))).toHaveLength(4096)
  for (const [content, mode] of [
    ['x', 0o604],
    ['x', 0o602],
    ['', 0o600],
    ['\n', 0o600],
  ] as const)
    expect(await read(content, mode)).toBe('ERR_CONFIG_UNREADABLE')
  expect(await read(Buffer.alloc(4097, 'x'))).toBe('ERR_CONFIG_UNREADABLE')
  rmSync(path)
  expect(await readSecretFile(path).catch((error) => error.code)).toBe('ERR_CONFIG_UNREADABLE')
  mkdirSync(path, { mode: 0o700 })
  expect(await readSecretFile(path).catch((error) => error.code)).toBe('ERR_CONFIG_UNREADABLE')
})

async function runWith(argv: string[], over: Partial<Io> = {}) {
  const output = { stdout: '', stderr: '' }
  const streamTo = (name: 'stdout' | 'stderr') =>
    new PassThrough().on('data', (chunk) => {
      output[name] += chunk
    }) as unknown as NodeJS.WriteStream
  const status = await runProgram({
    argv,
    env: {},
    execArgv: [],
    stdin: new PassThrough().end() as unknown as NodeJS.ReadStream,
    stdout: streamTo('stdout'),
    stderr: streamTo('stderr'),
    onStopSignal: () => () => {},
    platform: process.platform,
    uid: process.getuid?.(),
    onReloadSignal: () => () => {},
    exitNow: () => {},
    ...over,
  })
  return { status, ...output }
}

test('a bad configuration ends with status 2 and every fault on standard error', async () => {
  const config = fileOf(GOOD.replace('https://', 'http://').concat('more: 1\n'))
  const { status, stdout, stderr } = await runWith(['agent', '--config', config])
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toContain('writeback: ERR_CONFIG_INVALID: the configuration has 2 faults')
  expect(stderr).toContain(`${config}:2:3 store.url: must look like https://reset.example.com`)
  expect(stderr).toContain(`${config}:13:1 more: this key is not known here`)
  expect(stderr).toContain('next: mend each fault that is printed')
  const missing = await runWith(['agent', '--config', join(home, 'none.yaml')])
  expect([missing.status, missing.stderr]).toEqual([2, expect.stringContaining('ERR_CONFIG_UNREADABLE')])
})

test('help and version are answers; an unknown word, option or no word at all is bad usage', async () => {
  for (const words of [['--help'], ['agent', '--help'], ['help', 'enroll']]) {
    const { status, stdout, stderr } = await runWith(words)
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toContain('Usage: writeback')
  }
  expect(await runWith(['--version'])).toMatchObject({ status: 0, stdout: `${VERSION}\n` })
  for (const words of [['agnet'], ['agent'], ['agent', '--confg', 'x'], ['agent', 'more'], []]) {
    const { status, stdout, stderr } = await runWith(words)
    expect([words, status, stdout, stderr === '']).toEqual([words, 2, '', false])
  }
})

test('an agent that is not enrolled says so', async () => {
  const { status, stderr } = await runWith(['agent', '--config', fileOf(GOOD)])
  expect([status, stderr]).toEqual([1, expect.stringContaining('ERR_ENROLMENT_MISSING')])
  expect(stderr).toContain('next: run: writeback enroll')
})

test('options that would show memory or passwords are refused, without their values', async () => {
  const config = fileOf(GOOD)
  const cases: Partial<Io>[] = [
    ...['NODE_DEBUG', 'NODE_V8_COVERAGE', 'SSLKEYLOGFILE', 'DEBUG'].map((name) => ({
      env: { [name]: 'value-of-it' },
    })),
    { env: { NODE_OPTIONS: '--max-old-space-size=100 --inspect=value-of-it' } },
    { env: { NODE_OPTIONS: '"--inspect=value-of-it"' } },
    { env: { NODE_OPTIONS: '--heap_prof' } },
    { execArgv: ['--heapsnapshot-signal=value-of-it'] },
    { execArgv: ['--report-on-signal'] },
    { execArgv: ['--tls-keylog=value-of-it'] },
  ]
  for (const over of cases) {
    const { status, stderr } = await runWith(['agent', '--config', config], over)
    expect([status, stderr]).toEqual([1, expect.stringContaining('ERR_RUNTIME_UNSAFE')])
    expect(stderr).not.toContain('value-of-it')
  }
  const harmless = await runWith(['agent', '--config', config], { env: { NODE_OPTIONS: '--no-warnings' } })
  expect(harmless.stderr).toContain('ERR_ENROLMENT_MISSING')
})

/** A running agent whose file holds the text; its limits and log level are noted, and the first \`failures\` of them fail. */
function runningOn(text: string, failures = 0) {
  const noted: unknown[] = []
  let left = failures
  const running = createRunningConfig({
    config: readAgentConfig(fileOf(text)),
    readConfig: () => readAgentConfig(join(home, 'agent.yaml')),
    setLogLevel: (level) => noted.push(level),
    setLimits: (directory, limits) => {
      left -= 1
      if (left >= 0) throw new Error('no disk')
      noted.push([directory, limits])
    },
    log: silentLogger,
  })
  return { running, noted, reload: (changed: string) => [fileOf(changed), running.reload()][1] }
}
const LIMITS = { perAccountAndHour: 10, perMinute: 300, burst: 1000, burstWindowMs: 600_000 }

test('a reload that fails halfway changes nothing, and the next one takes all over', () => {
  const { running, noted, reload } = runningOn(GOOD, 1)
  const before = running.current()
  const changed = `${GOOD}    limits: { perMinute: 7 }\nlog: { level: debug }\n`
  expect(reload(changed)).toMatchObject({ applied: [], problem: 'no disk' })
  expect([running.current(), noted]).toEqual([before, []])
  expect(reload(changed)).toMatchObject({
    applied: ['directories.corp.limits.perMinute', 'log.level'],
    problem: null,
  })
  expect(noted).toEqual([['corp', { ...LIMITS, perMinute: 7 }], 'debug'])
  expect(running.current().directories['corp']?.limits.perMinute).toBe(7)
})

test('a looser limit waits for the restart that its directory needs anyway, a tighter one does not', () => {
  const { running, noted, reload } = runningOn(GOOD)
  const looser = '    limits: { perAccountAndHour: 5, perMinute: 301, burst: 1001, burstMinutes: 9 }\n'
  const narrowed = GOOD.replace('OU=People', 'OU=Some,OU=People')
  const keysOf = (...names: string[]) => names.map((name) => `directories.corp.limits.${name}`)
  expect(reload(narrowed + looser)).toMatchObject({
    applied: keysOf('perAccountAndHour'),
    needsRestart: expect.arrayContaining([
      'directories.corp.baseDn',
      ...keysOf('perMinute', 'burst', 'burstMinutes'),
    ]),
  })
  expect(noted).toEqual([['corp', { ...LIMITS, perAccountAndHour: 5 }], 'info'])
  expect(running.current().directories['corp']?.limits).toMatchObject({ perMinute: 300, burst: 1000 })
  // Nothing else of this directory waits now.
  expect(reload(GOOD + looser)).toMatchObject({
    applied: keysOf('perMinute', 'burst', 'burstMinutes'),
    needsRestart: [],
  })
})
