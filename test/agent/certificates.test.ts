// Certificates, with real servers and a real store over HTTPS: when they end is told in time, and a store that asks for one of the
// agent's own gets it, also after it was renewed.
import { X509Certificate } from 'node:crypto'
import { chmodSync, copyFileSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { trustOf } from '../../src/agent/create-directories.ts'
import { readRedisUrl } from '../../src/agent/queue/redis-url.ts'
import { clientCertificateOf } from '../../src/agent/show-client-certificate.ts'
import { watchClientCertificate } from '../../src/agent/store-client/client-certificate.ts'
import { createStoreClient } from '../../src/agent/store-client/create-store-client.ts'
import { createStoreTransport } from '../../src/agent/store-client/store-transport.ts'
import { createCertificateWatch } from '../../src/agent/watch-certificates.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { type AgentConfig, agentConfigSchema, findAgentConfigFaults } from '../../src/config/agent-config.ts'
import { parseConfig } from '../../src/config/read-config.ts'
import { createResetStore } from '../../src/reset-store/create-reset-store.ts'
import { createConditions } from '../../src/telemetry/conditions.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { runWords } from '../cli/run-words.ts'
import { createManualClock } from '../fakes/manual-clock.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { issueServerCertificate, type ServerCertificate, testCa } from '../servers/test-ca.ts'
import { makeParties } from './sample-requests.ts'

const DAY_MS = 86_400_000
const directory = makeScratchDirectory()
const servers: Server[] = []
let ca: Awaited<ReturnType<typeof testCa>>
let soon: ServerCertificate

beforeAll(async () => {
  ca = await testCa()
  soon = await issueServerCertificate({
    ...{ directory, name: 'soon', dnsNames: ['localhost'], addresses: ['127.0.0.1'], days: 11 },
  })
})
afterAll(async () => {
  for (const server of servers) server.close()
  await removeScratchDirectory(directory)
})

/** A server that takes a handshake and says nothing, as far as anybody asks. */
async function listen({ certFile, keyFile }: ServerCertificate) {
  let received = 0
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (socket) => {
    socket.on('data', (bytes) => {
      received += bytes.length
    })
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  const { port } = server.address() as { port: number }
  return { url: `ldaps://127.0.0.1:${port}`, received: () => received }
}

const configOf = (urls: readonly string[], store = ''): AgentConfig =>
  parseConfig(
    'agent.yaml',
    `store: { url: "https://reset.example.com", caFile: ${ca.caFile}${store} }
stateDirectory: ${directory}
directories:
  corp:
    type: active-directory
    controllers: ${JSON.stringify(urls)}
    baseDn: DC=corp,DC=test
    bind: { name: svc, passwordFile: none }
    tls: { caFile: ${ca.caFile} }
`,
    agentConfigSchema,
    findAgentConfigFaults,
  )

test('the end of every certificate is seen without a byte of LDAP, and 30 days before it a warning names it', async () => {
  const [fine, ending] = [await listen(ca.server), await listen(soon)]
  const clock = createManualClock(systemClock.wallMs())
  const conditions = createConditions({ clock, log: silentLogger })
  const gone = 'ldaps://127.0.0.1:9'
  const config = configOf(
    [fine.url, ending.url, gone],
    `, clientCertificateFile: ${soon.certFile}, clientKeyFile: ${soon.keyFile}`,
  )
  const storeEnd = clock.wallMs() + 31 * DAY_MS
  const watch = createCertificateWatch({ config, clock, conditions }, async () => storeEnd)
  await watch.look()
  // The authority of the tests is made once on a machine, and ages.
  const daysLeft = ({ certFile }: ServerCertificate) =>
    Math.round((Date.parse(new X509Certificate(readFileSync(certFile)).validTo) - clock.wallMs()) / DAY_MS)
  const seen = watch
    .list()
    .map(({ kind, subject, endsAt }) => [kind, subject, Math.round((endsAt - clock.wallMs()) / DAY_MS)])
  expect(new Map(seen.map(([kind, subject, days]) => [`${kind} ${subject}`, days]))).toEqual(
    new Map([
      ['server https://reset.example.com', 31],
      [`server ${fine.url}`, daysLeft(ca.server)],
      [`server ${ending.url}`, 11],
      [`authority ${ca.caFile}`, expect.any(Number) as never],
      [`client ${soon.certFile}`, 11],
    ]),
  )
  const warned = () =>
    conditions.list().map(({ code, subject, detail }) => [code, subject, detail.split(':')[0]])
  const expected = [ending.url, soon.certFile].map((subject) => [
    'certificate_expiring',
    subject,
    'ends in 10 days',
  ])
  expect(warned()).toHaveLength(2)
  expect(warned()).toEqual(expect.arrayContaining(expected))
  expect([fine.received(), ending.received()]).toEqual([0, 0])
  clock.pass(2 * DAY_MS)
  await watch.look()
  expect(warned()).toContainEqual(['certificate_expiring', 'https://reset.example.com', 'ends in 29 days'])
  copyFileSync(ca.server.certFile, soon.certFile)
  await watch.look()
  expect(warned().map(([, subject]) => subject)).not.toContain(soon.certFile)
})

test('of controllers that DNS names, those are looked at that are known then; one that is forgotten warns no more', async () => {
  const brief = await issueServerCertificate({
    ...{ directory, name: 'brief', dnsNames: ['localhost'], addresses: ['127.0.0.1'], days: 11 },
  })
  const [fine, ending] = [await listen(ca.server), await listen(brief)]
  const clock = createManualClock(systemClock.wallMs())
  const conditions = createConditions({ clock, log: silentLogger })
  let known = [fine.url, ending.url]
  const discoveries = new Map([['corp', { urls: () => known, lookup: undefined } as never]])
  const watch = createCertificateWatch(
    { config: configOf(['ldaps://127.0.0.1:9']), clock, conditions, discoveries },
    async () => undefined,
  )
  const seen = () => watch.list().flatMap(({ kind, subject }) => (kind === 'server' ? [subject] : []))
  await watch.look()
  expect(new Set(seen())).toEqual(new Set(known))
  expect(conditions.list()).toMatchObject([{ code: 'certificate_expiring', subject: ending.url }])
  known = [fine.url]
  await watch.look()
  expect([seen(), conditions.list()]).toEqual([[fine.url], []])
})

test('a chain ends with its first certificate, and a server that nobody trusts is not looked at', async () => {
  const clock = createManualClock(systemClock.wallMs())
  const conditions = createConditions({ clock, log: silentLogger })
  const watch = createCertificateWatch(
    { config: configOf([(await listen(ca.stranger)).url]), clock, conditions },
    () => Promise.reject(new Error('the store is away')),
  )
  await watch.look()
  expect(watch.list().map(({ kind }) => kind)).toEqual(['authority'])
})

async function startStore(clientCa: string) {
  const dataDirectory = makeScratchDirectory()
  const store = createResetStore({
    ...{ dataDirectory, listen: { host: '127.0.0.1', port: 0 }, publicUrl: 'https://127.0.0.1' },
    tls: {
      cert: readFileSync(ca.server.certFile, 'utf8'),
      key: readFileSync(ca.server.keyFile, 'utf8'),
      clientCa: readFileSync(clientCa, 'utf8'),
    },
    ...{ tenant: 'test', requestLifetimeMs: 300_000, log: silentLogger, clock: systemClock },
  })
  const { port } = await store.start().catch((error: unknown) => {
    rmSync(dataDirectory, { recursive: true, force: true })
    throw error
  })
  return {
    port,
    dataDirectory,
    stop: async () => {
      await store.stop()
      rmSync(dataDirectory, { recursive: true, force: true })
    },
  }
}

/** The watch of a pair, and what it tells. */
function watchPair({ certFile, keyFile }: { certFile: string; keyFile: string }) {
  const clock = createManualClock(systemClock.wallMs())
  const told: (string | undefined)[] = []
  const watch = watchClientCertificate(
    { certificateFile: certFile, keyFile },
    { clock, told: (problem) => void told.push(problem) },
  )
  return { watch, clock, told }
}

/** What becomes of a call with this certificate: 401 is an answer of the store, which does not know the agent. */
async function callWith(port: number, pair?: { certFile: string; keyFile: string }) {
  const clock = createManualClock(systemClock.wallMs())
  const problems: unknown[] = []
  const files = pair && { clientCertificateFile: pair.certFile, clientKeyFile: pair.keyFile }
  const clientCertificate = clientCertificateOf(
    { url: '', ...files },
    {
      clock,
      conditions: {
        raise: (code, _subject, detail) => void problems.push(`${code}: ${detail}`),
        clear: (code) => void problems.push(`${code} cleared`),
      },
    },
  )
  const transport = createStoreTransport({ caFile: ca.caFile, env: {}, clientCertificate })
  const { keys } = await makeParties()
  const client = createStoreClient({
    ...{ url: `https://127.0.0.1:${port}`, fetch: transport.fetch, clock, timeoutMs: 3_000 },
    identity: {
      agent: '0199c0de-0000-7000-8000-000000000001',
      store: '00000000',
      signer: keys.identity.signer,
    },
    nowMs: systemClock.wallMs,
  })
  const call = () =>
    client.outcomes(['a.b.c'], AbortSignal.timeout(3_000)).then(
      () => 'answered',
      ({ code }) => code,
    )
  const end = () => transport.readCertificate(`https://127.0.0.1:${port}`, AbortSignal.timeout(3_000))
  return { call, end, clock, problems, close: transport.close }
}

test('a store that asks for certificates answers agents with one of its authority, and nobody else [agent_certificate_expires]', async () => {
  const store = await startStore(ca.caFile)
  const own = await issueServerCertificate({ directory, name: 'agent', dnsNames: ['agent.test'] })
  const cases = [
    [own, 'ERR_STORE_REJECTED'],
    [ca.stranger, 'ERR_STORE_TLS'],
    [ca.expired, 'ERR_STORE_TLS'],
    [undefined, 'ERR_STORE_TLS'],
  ] as const
  for (const [pair, expected] of cases) {
    const way = await callWith(store.port, pair)
    const result = await way.call()
    // A server may close before its alert is read.
    expect(expected === 'ERR_STORE_TLS' && result === 'ERR_STORE_UNREACHABLE' ? expected : result).toBe(
      expected,
    )
    await way.close()
  }
  const way = await callWith(store.port, own)
  expect((await way.end()) ?? 0).toBeGreaterThan(systemClock.wallMs() + 3_000 * DAY_MS)
  await way.close()
  await store.stop()
})

test('a renewed certificate is shown without a restart; a half renewed one is not, and is told', async () => {
  const store = await startStore(ca.strangerCaFile)
  const pair = { certFile: join(directory, 'own.crt'), keyFile: join(directory, 'own.key') }
  const put = (from: ServerCertificate, what: ('certFile' | 'keyFile')[]) => {
    for (const name of what) {
      copyFileSync(from[name], pair[name])
      utimesSync(pair[name], new Date(), new Date(systemClock.wallMs() + Math.random() * 1e6))
    }
  }
  put(ca.server, ['certFile', 'keyFile'])
  const way = await callWith(store.port, pair)
  expect(await way.call()).not.toBe('ERR_STORE_REJECTED')
  put(ca.stranger, ['certFile'])
  way.clock.pass(6_000)
  expect(await way.call()).not.toBe('ERR_STORE_REJECTED')
  expect(way.problems).toEqual([expect.stringContaining('client_certificate_unusable: ')])
  expect(String(way.problems)).not.toContain('BEGIN')
  put(ca.stranger, ['keyFile'])
  way.clock.pass(6_000)
  expect(await way.call()).toBe('ERR_STORE_REJECTED')
  expect(way.problems.at(-1)).toBe('client_certificate_unusable cleared')
  await way.close()
  await store.stop()
})

test('an emptied file, and one that holds something else, never takes the place of a certificate, a key or authorities', async () => {
  const place = (name: string, text: string) => {
    const file = join(directory, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }
  const key = readFileSync(ca.server.keyFile, 'utf8')
  const invalid = expect.objectContaining({ code: 'ERR_CONFIG_INVALID' })
  for (const wrong of [place('empty.crt', ''), place('no.crt', 'hello'), place('key.crt', key)]) {
    expect(() => createStoreTransport({ caFile: wrong, env: {} })).toThrow(invalid)
    expect(() => trustOf({ caFile: wrong })).toThrow(invalid)
    expect(() => readRedisUrl({ url: 'rediss://redis.test', caFile: wrong })).toThrow(invalid)
    const pairs = [
      { clientCertificateFile: wrong, clientKeyFile: ca.server.keyFile },
      { clientCertificateFile: ca.server.certFile, clientKeyFile: place('empty.key', '') },
      { clientCertificateFile: wrong, clientKeyFile: place('empty.key', '') },
    ]
    for (const pair of pairs)
      expect(() => clientCertificateOf({ url: '', ...pair }, { clock: systemClock })).toThrow(invalid)
    await expect(startStore(wrong)).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' })
  }
})

test('a pair that is emptied at its renewal stays in use, and that is told', async () => {
  const pair = { certFile: join(directory, 'emptied.crt'), keyFile: join(directory, 'emptied.key') }
  copyFileSync(ca.server.certFile, pair.certFile)
  copyFileSync(ca.server.keyFile, pair.keyFile)
  const { watch, clock, told } = watchPair(pair)
  const good = watch.current()
  for (const file of [pair.certFile, pair.keyFile]) writeFileSync(file, '')
  clock.pass(6_000)
  expect(watch.current()).toEqual(good)
  expect(told).toEqual([expect.stringContaining('holds no certificate')])
})

test('a pair that comes back as it was is used again and told, and files nobody can look at stop no call', () => {
  const own = makeScratchDirectory()
  const pair = { certFile: join(own, 'own.crt'), keyFile: join(own, 'own.key') }
  copyFileSync(ca.server.certFile, pair.certFile)
  copyFileSync(ca.server.keyFile, pair.keyFile)
  chmodSync(pair.keyFile, 0o600)
  const { watch, clock, told } = watchPair(pair)
  const good = watch.current()
  const seen = () => {
    clock.pass(6_000)
    expect(watch.current()).toEqual(good)
    return told.splice(0).map((problem) => problem !== undefined)
  }
  chmodSync(pair.keyFile, 0o644)
  expect(seen()).toEqual([true])
  chmodSync(pair.keyFile, 0o600)
  expect([seen(), seen()]).toEqual([[false], []])
  renameSync(pair.certFile, `${pair.certFile}.away`)
  expect([seen(), seen()]).toEqual([[true], [true]])
  renameSync(`${pair.certFile}.away`, pair.certFile)
  expect([seen(), seen()]).toEqual([[false], []])
  // As a directory that may not be searched: the look itself fails.
  renameSync(own, `${own}.away`)
  writeFileSync(own, '')
  expect(seen()).toEqual([true])
  rmSync(own)
  renameSync(`${own}.away`, own)
  expect([seen(), seen()]).toEqual([[false], []])
  rmSync(own, { recursive: true })
})

test('a client certificate ends with its own block, not with the authority behind it', async () => {
  const chain = join(directory, 'chain.crt')
  const leaf = await issueServerCertificate({ directory, name: 'leaf', dnsNames: ['localhost'], days: 11 })
  writeFileSync(chain, readFileSync(leaf.certFile, 'utf8') + readFileSync(ca.caFile, 'utf8'))
  const clock = createManualClock(systemClock.wallMs())
  const conditions = createConditions({ clock, log: silentLogger })
  const config = configOf(
    ['ldaps://127.0.0.1:9'],
    `, clientCertificateFile: ${chain}, clientKeyFile: ${leaf.keyFile}`,
  )
  await createCertificateWatch({ config, clock, conditions }, async () => undefined).look()
  expect(conditions.list()).toMatchObject([{ code: 'certificate_expiring', subject: chain }])
})

test('the store’s own commands show the certificate that they are told', async () => {
  const store = await startStore(ca.caFile)
  const words = ['store', 'user', 'list', '--json', '--url', `https://127.0.0.1:${store.port}`]
  const trusted = ['--ca-file', ca.caFile, '--token-file', join(store.dataDirectory, 'admin-token')]
  const own = ['--client-certificate-file', ca.server.certFile, '--client-key-file', ca.server.keyFile]
  expect(await runWords([...words, ...trusted, ...own])).toMatchObject({ status: 0 })
  expect((await runWords([...words, ...trusted])).status).toBe(1)
  expect(await runWords([...words, ...trusted, ...own.slice(0, 2)])).toMatchObject({ status: 2 })
  await store.stop()
})

test('a certificate without its key is a fault of the configuration, with its place', () => {
  expect(() => configOf(['ldaps://127.0.0.1'], ', clientKeyFile: own.key')).toThrow(
    expect.objectContaining({
      faults: [expect.objectContaining({ path: 'store.clientCertificateFile', line: 1 })],
    }),
  )
  writeFileSync(join(directory, 'open.key'), readFileSync(ca.server.keyFile), { mode: 0o644 })
  const store = {
    url: '',
    clientCertificateFile: ca.server.certFile,
    clientKeyFile: join(directory, 'open.key'),
  }
  expect(() => clientCertificateOf(store, { clock: systemClock })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_UNREADABLE' }),
  )
})
