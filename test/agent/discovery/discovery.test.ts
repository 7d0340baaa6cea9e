// Controllers found in DNS: a real resolver asks a real server on loopback, which answers well, badly, or not at all. Nothing that
// it says takes a known controller away at once.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { createDiscovery } from '../../../src/agent/discovery/create-discovery.ts'
import { createDnsClient } from '../../../src/agent/discovery/dns-client.ts'
import { findControllers } from '../../../src/agent/discovery/find-controllers.ts'
import { askingOrder, learn, recallKnown } from '../../../src/agent/discovery/known-controllers.ts'
import { acceptHost, orderRecords } from '../../../src/agent/discovery/srv-records.ts'
import { createConditions } from '../../../src/telemetry/conditions.ts'
import { silentLogger } from '../../../src/telemetry/logger.ts'
import { createManualClock } from '../../fakes/manual-clock.ts'
import { createUniform } from '../../fakes/uniform.ts'
import { type DnsManner, type DnsServer, type SrvEntry, startDnsServer } from '../../servers/dns-server.ts'

const DOMAIN = 'corp.test'
const ALL = '_ldap._tcp.dc._msdcs.corp.test'
const WRITER = '_ldap._tcp.pdc._msdcs.corp.test'
const SITE = '_ldap._tcp.berlin._sites.dc._msdcs.corp.test'
const HOUR_MS = 3_600_000
let dns: DnsServer

beforeAll(async () => {
  dns = await startDnsServer()
})
beforeEach(() => dns.answer({}))
afterAll(() => dns.stop())

// Patient, because a busy machine is no fault; impatient where nothing comes.
const client = (timeoutMs = 10_000) => createDnsClient({ servers: [dns.address], timeoutMs, limitMs: 30_000 })
const entries = (...targets: readonly string[]): SrvEntry[] =>
  targets.map((target, at) => ({ target, priority: at }))
const found = (sought: Partial<Parameters<typeof findControllers>[0]> = {}, timeoutMs?: number) =>
  findControllers({ domain: DOMAIN, ...sought }, client(timeoutMs), createUniform(1))

test('records are drawn by priority, and among equals by weight', () => {
  const random = createUniform(7)
  const record = (name: string, priority: number, weight: number) => ({ name, priority, weight })
  const records = [
    record('last', 9, 100),
    record('rare', 1, 0),
    record('often', 1, 300),
    record('half', 1, 100),
  ]
  const counts = new Map<string, number>()
  for (let round = 0; round < 1_000; round += 1) {
    const order = orderRecords(records, random).map(({ name }) => name)
    expect([order.length, order[3]]).toEqual([4, 'last'])
    counts.set(order[0] ?? '', (counts.get(order[0] ?? '') ?? 0) + 1)
  }
  const share = (name: string) => (counts.get(name) ?? 0) / 1_000
  expect(share('often')).toBeGreaterThan(0.7)
  expect(share('often')).toBeLessThan(0.8)
  expect(share('half')).toBeGreaterThan(0.2)
  expect(share('rare')).toBeGreaterThan(0)
  expect(orderRecords([], random)).toEqual([])
})

test.each([
  ['dc1.corp.test', 'dc1.corp.test'],
  ['DC1.Corp.Test.', 'dc1.corp.test'],
  ['dc1.berlin.corp.test', 'dc1.berlin.corp.test'],
  ['corp.test', 'corp.test'],
  ['dc1.evilcorp.test', undefined],
  ['dc1.corp.test.evil.example', undefined],
  ['dc1.corp.test@evil.example', undefined],
  ['evil.example/.corp.test', undefined],
  ['a b.corp.test', undefined],
  ['a\u0000.corp.test', undefined],
  ['-dc.corp.test', undefined],
  ['.corp.test', undefined],
  ['127.0.0.1', undefined],
  ['::1', undefined],
  [`${'a'.repeat(64)}.corp.test`, undefined],
  [`${'a.'.repeat(125)}corp.test`, undefined],
  ['', undefined],
])('of the host name %j is taken %j', (name, expected) => {
  expect(acceptHost(name, [DOMAIN])).toBe(expected)
})

test('the PDC emulator is asked first, then the site, then the others, each once; who is only of the site is left out', async () => {
  dns.answer({
    srv: {
      [ALL]: entries('dc3.corp.test', 'DC2.corp.test', 'dc1.corp.test', 'dc4.corp.test'),
      [SITE]: entries('read-only.corp.test', 'dc2.corp.test'),
      [WRITER]: entries('dc4.corp.test'),
    },
  })
  expect(await found({ site: 'berlin' })).toEqual({
    hosts: ['dc4', 'dc2', 'dc3', 'dc1'].map((name) => `${name}.corp.test`),
    ...{ problem: undefined, oddities: [] },
  })
  expect(await found()).toMatchObject({ hosts: expect.arrayContaining(['dc1.corp.test']), oddities: [] })
})

test('a site without controllers is told, and those of the domain are taken', async () => {
  dns.answer({ srv: { [ALL]: entries('dc1.corp.test') } })
  expect(await found({ site: 'berlin' })).toEqual({
    hosts: ['dc1.corp.test'],
    problem: undefined,
    oddities: ['no controller is registered for the site berlin'],
  })
})

test('hosts outside the domain are left out and named, unless the configuration lets them in', async () => {
  const names = ['dc1.corp.test', 'dc1.other.test', '10.0.0.1', 'a b\u001b[31m.corp.test']
  dns.answer({ srv: { [ALL]: entries(...names) } })
  const { hosts, problem, oddities } = await found()
  expect([hosts, problem]).toEqual([['dc1.corp.test'], undefined])
  expect(oddities).toHaveLength(1)
  expect(oddities[0]).toMatch(/^left out, because of their names: [\w .,?-]*dc1\.other\.test[\w .,?-]*$/)
  expect((await found({ within: ['other.test', 'dc9.corp.test'] })).hosts).toEqual(['dc1.other.test'])
  dns.answer({ srv: { [ALL]: entries('dc1.other.test') } })
  expect(await found()).toMatchObject({ hosts: [], problem: expect.stringContaining(ALL) })
})

test('an answer of hundreds of names comes whole over TCP, and 32 of them are used', async () => {
  const many = Array.from({ length: 300 }, (_, at) => `dc${at}.corp.test`)
  dns.answer({ srv: { [ALL]: many.map((target) => ({ target })) } }, 'cut')
  const { hosts, problem } = await found()
  expect([hosts.length, problem]).toEqual([300, undefined])
  const learnt = { isComplete: true, inUse: undefined }
  const known = learn({ named: [], vanished: [] }, { ...learnt, hosts, nowMs: 1 })
  expect(known.named).toHaveLength(32)
  // Which of them are known stays, though each answer has another order; whoever is the writer now is among them.
  const next = ['new.corp.test', ...hosts.toReversed()]
  const later = learn(known, { ...learnt, hosts: next, nowMs: 2, inUse: known.named[5]?.host })
  const before = new Set(known.named.map(({ host }) => host))
  expect(later.named.filter(({ host }) => !before.has(host)).map(({ host }) => host)).toEqual([
    'new.corp.test',
  ])
  expect([later.named.length, later.vanished.length]).toEqual([32, 0])
  expect(askingOrder(later)[0]).toBe(known.named[5]?.host)
})

test.each<[string, DnsManner]>([
  ['no answer', 'silent'],
  ['a refusal', 'refuses'],
  ['a failure of the server', 'fails'],
  ['bytes that are no answer', 'garbage'],
  ['half an answer', 'half'],
  ['an answer to another question', 'foreign-id'],
  ['a name without an end', 'endless-name'],
])('%s names nobody, in bounded time, and is told', async (_what, manner) => {
  dns.answer({ srv: { [ALL]: entries('dc1.corp.test') } }, manner)
  const { hosts, problem } = await found({}, 100)
  expect(hosts).toEqual([])
  expect(problem).toMatch(/^_ldap\._tcp\.dc\._msdcs\.corp\.test: DNS /)
})

/** A discovery of its own, and the hands to move its world. */
function discover(sought: { site?: string; within?: string[]; kept?: string } = {}) {
  const clock = createManualClock(Date.UTC(2026, 10, 22))
  const conditions = createConditions({ clock, log: silentLogger })
  const writer: { connected: boolean; url?: string } = { connected: false }
  let kept = sought.kept
  const memory = {
    read: () => kept,
    write: (text: string) => {
      kept = text
    },
  }
  const discovery = createDiscovery({
    ...{ name: 'corp', domain: DOMAIN, everyMs: 15 * 60_000, dns: client(), random: createUniform(3) },
    ...{ site: sought.site, within: sought.within, memory, conditions, clock, log: silentLogger },
    signal: new AbortController().signal,
    writer: () => writer,
  })
  const wrong = () => conditions.list().map(({ code, detail }) => `${code}: ${detail}`)
  const connect = (host: string) => Object.assign(writer, { connected: true, url: `ldaps://${host}` })
  return {
    discovery,
    clock,
    writer,
    connect,
    wrong,
    kept: () => kept,
    urls: () => discovery.urls().join(' '),
  }
}
const srvOf = (...targets: readonly string[]) => ({ srv: { [ALL]: entries(...targets) } })

test('nothing is known before DNS names somebody, and that is told; then it is used, always at the port of LDAPS', async () => {
  const { discovery, urls, wrong } = discover()
  await discovery.look()
  expect(urls()).toBe('')
  expect(wrong()).toEqual([
    `controllers_not_found: ${ALL}: DNS names no controller that may be used; none is known`,
  ])
  dns.answer({ srv: { [ALL]: [{ target: 'dc1.corp.test', port: 3268 }] } })
  await discovery.tend()
  expect([urls(), wrong()]).toEqual(['ldaps://dc1.corp.test', []])
  expect(discovery.view()).toEqual({
    ...{ domain: DOMAIN, foundAt: Date.UTC(2026, 10, 22), problem: null },
    ...{ controllers: ['ldaps://dc1.corp.test'], vanished: [] },
  })
})

test.each<[string, DnsManner, readonly string[]]>([
  ['an empty answer', 'honest', []],
  ['an answer that names only strangers', 'honest', ['evil.example']],
  ['a failure', 'fails', []],
])(
  '%s takes no controller away, for however long, and ends with a good one',
  async (_what, manner, targets) => {
    const { discovery, clock, urls, wrong } = discover()
    dns.answer(srvOf('dc1.corp.test', 'dc2.corp.test'))
    await discovery.look()
    dns.answer(srvOf(...targets), manner)
    clock.pass(90 * 24 * HOUR_MS)
    await discovery.look()
    expect(urls()).toBe('ldaps://dc1.corp.test ldaps://dc2.corp.test')
    expect(wrong()).toContainEqual(
      expect.stringMatching(/^controllers_not_found: .*; the 2 known ones stay$/),
    )
    expect(discovery.view()).toMatchObject({ problem: expect.any(String), vanished: [] })
    dns.answer(srvOf('dc2.corp.test', 'dc1.corp.test'))
    await discovery.look()
    expect([urls(), wrong()]).toEqual(['ldaps://dc2.corp.test ldaps://dc1.corp.test', []])
  },
)

test('a controller that DNS no longer names is asked last, and forgotten after two days', async () => {
  const { discovery, clock, urls, wrong } = discover()
  dns.answer(srvOf('dc1.corp.test', 'dc2.corp.test'))
  await discovery.look()
  dns.answer(srvOf('dc2.corp.test', 'dc3.corp.test'))
  clock.pass(47 * HOUR_MS)
  await discovery.look()
  expect([urls(), wrong()]).toEqual(['ldaps://dc2.corp.test ldaps://dc3.corp.test ldaps://dc1.corp.test', []])
  expect(discovery.view().vanished).toEqual(['ldaps://dc1.corp.test'])
  clock.pass(2 * HOUR_MS)
  await discovery.look()
  expect(urls()).toBe('ldaps://dc2.corp.test ldaps://dc3.corp.test')
})

test('the writer in use is asked first and never forgotten, whatever DNS says, and that it is gone there is told [dns_lies]', async () => {
  const { discovery, clock, connect, urls, wrong } = discover()
  dns.answer(srvOf('dc1.corp.test', 'dc2.corp.test'))
  await discovery.look()
  connect('dc2.corp.test')
  const forged = Array.from({ length: 40 }, (_, at) => `forged${at}.corp.test`)
  for (let day = 0; day < 5; day += 1) {
    dns.answer(srvOf(...forged.map((name) => `${day}-${name}`)))
    clock.pass(24 * HOUR_MS)
    await discovery.look()
    expect(discovery.urls()[0]).toBe('ldaps://dc2.corp.test')
    expect(discovery.urls().length).toBeLessThanOrEqual(64)
  }
  expect(wrong()).toEqual(['controllers_doubtful: DNS no longer names the writer in use, dc2.corp.test'])
  dns.answer(srvOf('dc1.corp.test', 'dc2.corp.test'))
  await discovery.look()
  expect(wrong()).toEqual([])
  expect(urls()).toMatch(/^ldaps:\/\/dc2\.corp\.test ldaps:\/\/dc1\.corp\.test /)
})

test('an agent that starts while DNS lies or is silent goes on with what the last one knew, the last writer first', async () => {
  const first = discover()
  dns.answer(srvOf('dc1.corp.test', 'dc2.corp.test'))
  await first.discovery.look()
  first.connect('dc2.corp.test')
  await first.discovery.look()
  const kept = first.kept() ?? ''
  dns.answer(srvOf('forged.corp.test'))
  const lied = discover({ kept })
  expect(lied.urls()).toBe('ldaps://dc2.corp.test ldaps://dc1.corp.test')
  await lied.discovery.look()
  expect(lied.urls()).toBe('ldaps://dc2.corp.test ldaps://forged.corp.test ldaps://dc1.corp.test')
  dns.answer({}, 'fails')
  const silent = discover({ kept })
  await silent.discovery.look()
  expect(silent.urls()).toBe('ldaps://dc2.corp.test ldaps://dc1.corp.test')
})

test.each([
  ['of another domain', (kept: string) => kept.replace('"corp.test"', '"other.test"')],
  [
    'that was changed by hand to another host',
    (kept: string) => kept.replaceAll('.corp.test"', '.evil.example"'),
  ],
  ['that is damaged', (kept: string) => kept.slice(0, 20)],
  ['that is empty', () => ''],
])('a list %s is not taken over', async (_what, change) => {
  const { discovery, kept } = discover()
  dns.answer(srvOf('dc1.corp.test'))
  await discovery.look()
  const text = kept() ?? ''
  expect(recallKnown(text, DOMAIN, [DOMAIN]).named).toHaveLength(1)
  expect(recallKnown(change(text), DOMAIN, [DOMAIN])).toEqual({ named: [], vanished: [] })
})

test('DNS is asked when it is time: by the configuration, every minute where something is wrong, at once while none is known', async () => {
  const { discovery, clock, writer, connect } = discover()
  const looks = async () => {
    const before = dns.asked().length
    await discovery.tend()
    // The writer's record and that of all controllers.
    return dns
      .asked()
      .slice(before)
      .filter((name) => name === `SRV ${ALL}`).length
  }
  dns.answer({}, 'refuses')
  expect(Math.min(await looks(), 1)).toBe(1)
  expect(Math.min(await looks(), 1)).toBe(1)
  dns.answer(srvOf('dc1.corp.test'))
  expect([await looks(), await looks()]).toEqual([1, 0])
  connect('dc1.corp.test')
  clock.pass(14 * 60_000)
  expect(await looks()).toBe(0)
  clock.pass(60_000)
  expect(await looks()).toBe(1)
  writer.connected = false
  clock.pass(60_000)
  expect([await looks(), await looks()]).toEqual([1, 0])
})

test('host names are resolved by the servers that were named, both ways that a socket asks', async () => {
  dns.answer({ hosts: { 'dc1.corp.test': '127.0.77.9' } })
  const { lookup } = client()
  const resolve = (host: string, all: boolean) =>
    new Promise((done) =>
      lookup?.(host, { all }, (error, address) => done(error === null ? address : error.message)),
    )
  expect(await resolve('dc1.corp.test', true)).toEqual([{ address: '127.0.77.9', family: 4 }])
  expect(await resolve('dc1.corp.test', false)).toBe('127.0.77.9')
  expect(await resolve('dc9.corp.test', true)).toBe('dc9.corp.test has no address in DNS')
  expect(createDnsClient({}).lookup).toBeUndefined()
})

test('a stop, and the longest time for one question, end one that nobody answers', async () => {
  dns.answer({}, 'silent')
  const stopping = new AbortController()
  const way = { servers: [dns.address], timeoutMs: 60_000 }
  const undiscovered = { code: 'ERR_DIRECTORY_UNDISCOVERED', retry: 'later' }
  const asked = createDnsClient({ ...way, limitMs: 60_000, signal: stopping.signal }).srv(ALL)
  stopping.abort()
  await expect(asked).rejects.toMatchObject(undiscovered)
  await expect(createDnsClient({ ...way, limitMs: 20 }).srv(ALL)).rejects.toMatchObject(undiscovered)
})
