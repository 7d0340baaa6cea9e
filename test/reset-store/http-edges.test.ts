// What the store refuses before any rule is asked: broken bodies, wrong credentials, unknown routes, guessed codes.
import { createHash, randomUUID } from 'node:crypto'
import { chmodSync, readFileSync, rmSync } from 'node:fs'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { connect } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { SignJWT } from 'jose'
import { ENDPOINTS, type Endpoint } from '../../src/protocol/endpoints.ts'
import { problemSchema } from '../../src/protocol/problem.ts'
import { openSqliteRepository } from '../../src/reset-store/database/sqlite-repository.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'
import { testCa } from '../servers/test-ca.ts'
import { type HttpsAnswer, httpsCall } from './https-call.ts'
import { createMovableClock, sealFor, startStore } from './running-store.ts'
import { enrolAgent, enrolmentBody, makeAgentKeys, sendEnrolment, type TestAgent } from './test-agent.ts'

const data = makeScratchDirectory()
const clock = createMovableClock()
const logged: Buffer[] = []
let store: Awaited<ReturnType<typeof startStore>>
let agent: TestAgent
let token = ''

beforeAll(async () => {
  const stream = new PassThrough()
  stream.on('data', (line: Buffer) => logged.push(line))
  const log = createLogger({ level: 'debug', format: 'json', stream })
  store = await startStore(data, { clock, log })
  agent = await enrolAgent(store, { now: clock.wallMs })
  token = readFileSync(join(data, 'admin-token'), 'utf8').trim()
})
afterAll(async () => {
  await store.store.stop()
  rmSync(data, { recursive: true, force: true })
})

function problem(answer: HttpsAnswer): [number, string] {
  expect(answer.headers['content-type']).toBe('application/problem+json')
  const read = problemSchema.parse(answer.json)
  expect(read.status).toBe(answer.status)
  expect(answer.text).not.toMatch(/ {4}at |\.ts:/)
  return [answer.status, read.code]
}

const administrator = (method: string, path: string, body?: string | Uint8Array, type = 'application/json') =>
  store.call({
    ...{ method, path },
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': type }) },
    ...(body === undefined ? {} : { body }),
  })

test('a body that two parsers could read differently is refused', async () => {
  const user = '"displayName":"A","directory":"corp","anchor":"aaaaaaaa-0000-4000-8000-000000000001"'
  const bodies = [
    `{"name":"a","name":"b",${user}}`,
    `{"name":"\\ud800",${user}}`,
    `{"__proto__":1,"name":"a",${user}}`,
    `{"name":"a","more":1,${user}}`,
    `{"name":"a",${user}`,
    '',
    'null',
    Buffer.from([0x7b, 0xff, 0x7d]),
    `\ufeff{"name":"a",${user}}`,
  ]
  for (const body of bodies)
    expect(problem(await administrator('POST', '/v1/users', body))).toEqual([400, 'body_invalid'])
  expect((await store.admin('listUsers')).json).toEqual({ users: [] })
})

test('a body over 1 MiB, of another media type, or where none belongs is refused', async () => {
  const large = Buffer.alloc(1024 * 1024 + 1, 0x20)
  expect(problem(await administrator('POST', '/v1/users', large))).toEqual([413, 'body_too_large'])
  const text = await administrator('POST', '/v1/users', '{}', 'text/plain')
  expect(problem(text)).toEqual([415, 'media_type_unsupported'])
  expect(problem(await administrator('DELETE', '/v1/agents/x', '{}'))).toEqual([400, 'body_invalid'])
})

test('unknown routes, broken paths and broken HTTP get problem documents, too', async () => {
  expect(problem(await administrator('GET', '/v1/nothing'))).toEqual([404, 'route_not_found'])
  expect(problem(await administrator('PATCH', '/v1/users'))).toEqual([404, 'route_not_found'])
  expect(problem(await administrator('GET', '/v1/requests/%zz'))).toEqual([400, 'call_invalid'])
  expect(problem(await administrator('GET', '/v1/requests/none'))).toEqual([404, 'request_not_found'])
  for (const query of [
    '?wait=soon',
    '?wait=-1',
    '?wait=1e3',
    '?wait=',
    '?wait=0x1',
    '?wait=10001',
    '?wait=1&wait=2',
    '?more=1',
  ])
    expect(problem(await administrator('GET', `/v1/requests/x${query}`))).toEqual([400, 'call_invalid'])
  const ca = readFileSync((await testCa()).caFile)
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: store.port, ca }, () =>
      socket.write('NOT HTTP\r\n\r\n'),
    )
    let text = ''
    socket.on('data', (part) => {
      text += part
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
  expect(answer).toMatch(/^HTTP\/1.1 400 .*application\/problem\+json.*"code":"call_invalid"/s)
})

test('an administrator needs the exact token', async () => {
  const path = '/v1/users'
  expect(problem(await store.call({ method: 'GET', path }))).toEqual([401, 'credential_missing'])
  for (const wrong of ['Basic YTpi', 'Bearer', 'Bearer a b'])
    expect(problem(await store.call({ method: 'GET', path, headers: { authorization: wrong } }))[0]).toBe(401)
  const guess = { authorization: `Bearer ${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}` }
  const refused = await store.call({ method: 'GET', path, headers: guess })
  expect(problem(refused)).toEqual([401, 'credential_refused'])
  expect(refused.headers['www-authenticate']).toBe('Bearer')
  const jwt = await agent.token('GET', path, '')
  expect(
    problem(await store.call({ method: 'GET', path, headers: { authorization: `Bearer ${jwt}` } })),
  ).toEqual([401, 'credential_refused'])
})

test('an agent’s token serves once, for its method, path and body, while it is fresh', async () => {
  const path = '/v1/requests/claim'
  const body = JSON.stringify({ claimId: randomUUID(), leases: [], places: {}, waitMs: 0 })
  const send = (jwt: string, text = body, at = path) =>
    store.call({
      ...{ method: 'POST', path: at, body: text },
      headers: { authorization: `Bearer ${jwt}`, 'content-type': 'application/json' },
    })
  const jwt = await agent.token('POST', path, body)
  expect((await send(jwt)).status).toBe(200)
  expect(problem(await send(jwt))).toEqual([401, 'credential_refused'])
  expect(problem(await send(await agent.token('POST', path, body), `${body} `))[1]).toBe('credential_refused')
  expect(problem(await send(await agent.token('PUT', path, body)))[1]).toBe('credential_refused')
  expect(problem(await send(await agent.token('POST', `${path}?x=1`, body)))[1]).toBe('credential_refused')
  expect(problem(await send(token))[1]).toBe('credential_refused')
  const old = await agent.token('POST', path, body)
  clock.advance(180_000)
  expect(problem(await send(old))[1]).toBe('credential_refused')
  clock.advance(-180_000)
  const { signer } = (await makeAgentKeys()).identity
  const claims = { htm: 'POST', htu: path, bod: createHash('sha256').update(body).digest('base64url') }
  const forged = await new SignJWT({ ...claims, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256', typ: 'wb-agent+jwt', kid: agent.id })
    .setIssuer(agent.id)
    .setAudience(agent.enrolled.store)
    .setIssuedAt()
    .setExpirationTime('60s')
    .sign(signer.key)
  expect(problem(await send(forged))[1]).toBe('credential_refused')
})

test('an enrolment code serves once and for its time, and the same agent may repeat its own call', async () => {
  const made = await store.admin('createEnrolmentCode', { directories: ['corp'], validForMs: 60_000 })
  const body = await enrolmentBody(made.json.code, await makeAgentKeys(), 'repeated')
  const [first, again] = [await sendEnrolment(store, body), await sendEnrolment(store, body)]
  expect([first.status, again.status]).toEqual([201, 201])
  const { agents } = (await store.admin('listAgents')).json
  expect(agents.filter(({ name }: { name: string }) => name === 'repeated')).toHaveLength(1)
  const thief = await enrolmentBody(made.json.code, await makeAgentKeys(), 'thief')
  expect(problem(await sendEnrolment(store, thief))).toEqual([403, 'enrolment_code_refused'])
  const late = await store.admin('createEnrolmentCode', { directories: ['corp'], validForMs: 60_000 })
  clock.advance(60_001)
  const lateBody = await enrolmentBody(late.json.code, await makeAgentKeys(), 'late')
  expect(problem(await sendEnrolment(store, lateBody))).toEqual([403, 'enrolment_code_refused'])
})

test('an enrolment whose proof or sealing key is someone else’s is refused and leaves the code usable', async () => {
  const made = await store.admin('createEnrolmentCode', { directories: ['corp'], validForMs: 60_000 })
  const [mine, foreign] = [await makeAgentKeys(), await makeAgentKeys()]
  const [good, strange] = [
    await enrolmentBody(made.json.code, mine),
    await enrolmentBody(made.json.code, foreign),
  ]
  for (const wrong of [{ proof: strange.proof }, { sealingKey: strange.sealingKey }])
    expect(problem(await sendEnrolment(store, { ...good, ...wrong }))).toEqual([400, 'body_invalid'])
  expect((await sendEnrolment(store, good)).status).toBe(201)
})

test('guessing enrolment codes ends after ten failures within a minute', async () => {
  clock.advance(61_000)
  const keys = await makeAgentKeys()
  const body = await enrolmentBody(`wbe1-${'a'.repeat(32)}-${'b'.repeat(43)}`, keys)
  for (let guess = 0; guess < 10; guess += 1)
    expect(problem(await sendEnrolment(store, body))[1]).toBe('enrolment_code_refused')
  expect(problem(await sendEnrolment(store, body))).toEqual([429, 'too_many_requests'])
  clock.advance(61_000)
  expect(problem(await sendEnrolment(store, body))[1]).toBe('enrolment_code_refused')
})

test('the OpenAPI document lists exactly the routes that are served', async () => {
  const { json, headers } = await store.call({ method: 'GET', path: '/v1/openapi.json' })
  expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
  expect(headers['access-control-allow-origin']).toBeUndefined()
  const described = Object.entries(json.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const table = (Object.values(ENDPOINTS) as Endpoint[]).map(({ method, path }) => `${method} ${path}`)
  expect(new Set(described)).toEqual(new Set(table))
  expect(json.paths['/v1/requests/{id}'].get.parameters[1]).toMatchObject({
    ...{ name: 'wait', in: 'query', required: false },
    schema: { type: 'integer', maximum: 10_000 },
  })
  expect(json.paths['/v1/users'].get.parameters).toMatchObject([
    { name: 'name', in: 'query', required: false, schema: { type: 'string', maxLength: 256 } },
    { name: 'after', in: 'query', required: false, schema: { type: 'string', maxLength: 256 } },
  ])
  const routes = table.map((route) => new RegExp(`^${route.replaceAll(/\{\w+\}/g, '[^/]+')}$`))
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'])
    for (const { path } of Object.values(ENDPOINTS) as Endpoint[]) {
      const isServed = problemOrNone(await store.call({ method, path })) !== 'route_not_found'
      expect([method, path, isServed]).toEqual([
        method,
        path,
        routes.some((route) => route.test(`${method} ${path}`)),
      ])
    }
})

// An answer to HEAD has no body.
const problemOrNone = (answer: HttpsAnswer): string | undefined =>
  answer.text === '' && answer.status === 404 ? 'route_not_found' : answer.json?.code

test('liveness and readiness are told without a credential', async () => {
  for (const path of ['/livez', '/readyz'])
    expect((await store.call({ method: 'GET', path })).status).toBe(200)
})

test('users are unique by name and by account, heartbeats show in the list', async () => {
  const anchor = 'aaaaaaaa-0000-4000-8000-000000000002'
  const user = { name: 'ada', displayName: 'Ada', directory: 'corp', anchor }
  expect((await store.admin('addUser', user)).status).toBe(201)
  for (const taken of [user, { ...user, name: 'bob' }, { ...user, anchor: randomUUID() }])
    expect(problem(await store.admin('addUser', taken))).toEqual([409, 'user_exists'])
  const beat = {
    ...{ version: '1.2.3', queueDepth: 4, storeOffsetMs: 5, sealingKeyIds: [], directories: [] },
    conditions: [{ code: 'clock_skew', severity: 'error', since: 1 }],
  }
  expect((await agent.call('heartbeat', beat)).json).toMatchObject({ paused: false, revokedAgents: [] })
  const { agents } = (await store.admin('listAgents')).json
  expect(agents[0]).toMatchObject({ version: '1.2.3', queueDepth: 4, conditions: ['clock_skew'] })
})

test('users are found by their exact name, and listed in pages of a stable order', async () => {
  const directory = makeScratchDirectory()
  const repository = openSqliteRepository(join(directory, 'store.db'))
  const addUser = (name: string) =>
    repository.transaction((records) =>
      records.addUser({ name, displayName: 'x'.repeat(200), directory: 'corp', anchor: randomUUID() }),
    )
  const names = Array.from({ length: 2100 }, (_, number) => `user ${String(number).padStart(5, '0')}`)
  await Promise.all([...names, 'zoë&name=ada+%'].map(addUser))
  await Promise.all(Array.from({ length: 600 }, (_, number) => addUser(`🔑${'é'.repeat(250)}${number}`)))
  await repository.close()
  const many = await startStore(directory)
  const seen: string[] = []
  for (let after: string | undefined; ; after = seen.at(-1)) {
    const query = after === undefined ? '' : `?${new URLSearchParams({ after })}`
    const { text, json } = await many.admin('listUsers', undefined, {}, query)
    expect(Buffer.byteLength(text)).toBeLessThan(1024 * 1024)
    expect(json.users.length).toBeLessThanOrEqual(1000)
    if (json.users.length === 0) break
    seen.push(...json.users.map(({ name }: { name: string }) => name))
  }
  expect(seen).toHaveLength(2701)
  expect(seen.slice(0, 2100)).toEqual(names)
  const find = async (query: string) =>
    (await many.admin('listUsers', undefined, {}, query)).json.users.map(({ name }: { name: string }) => name)
  expect(await find(`?${new URLSearchParams({ name: 'zoë&name=ada+%' })}`)).toEqual(['zoë&name=ada+%'])
  expect(await find('?name=user%2000001')).toEqual(['user 00001'])
  expect(await find('?name=USER%2000001')).toEqual([])
  for (const query of ['?name=', '?name=a&name=b', `?after=${'x'.repeat(257)}`, '?wait=1', '?__proto__=1'])
    expect(problem(await many.admin('listUsers', undefined, {}, query))).toEqual([400, 'call_invalid'])
  await many.store.stop()
  rmSync(directory, { recursive: true, force: true })
})

test('only the caller who began a request may seal it', async () => {
  const directory = makeScratchDirectory()
  const first = await startStore(directory)
  await first.store.stop()
  const repository = openSqliteRepository(join(directory, 'store.db'))
  const digest = createHash('sha256').update('token-of-bob').digest('hex')
  await repository.transaction((records) => records.addAdministrator('bob', digest))
  await repository.close()
  const second = await startStore(directory)
  await enrolAgent(second)
  const user = { name: 'ada', displayName: 'Ada', directory: 'corp', anchor: randomUUID() }
  await second.admin('addUser', user)
  const begin = { directory: 'corp', operation: 'reset', options: {} }
  const created = await second.admin('createRequest', begin, { anchor: user.anchor })
  const id = created.json.request
  const sealed = await sealFor(created.json, 'x')
  const headers = { authorization: 'Bearer token-of-bob', 'content-type': 'application/json' }
  const call = { method: 'PUT', path: `/v1/requests/${id}/sealed`, headers, body: JSON.stringify(sealed) }
  expect(problem(await second.call(call))).toEqual([404, 'request_not_found'])
  expect((await second.admin('seal', sealed, { id })).status).toBe(200)
  await second.store.stop()
  rmSync(directory, { recursive: true, force: true })
})

test('stopping answers every wait at once and closes kept connections', async () => {
  const directory = makeScratchDirectory()
  const second = await startStore(directory)
  const waiting = await enrolAgent(second)
  const user = { name: 'ada', displayName: 'Ada', directory: 'corp', anchor: randomUUID() }
  await second.admin('addUser', user)
  const begin = { directory: 'corp', operation: 'reset', options: {} }
  const created = await second.admin('createRequest', begin, { anchor: user.anchor })
  const ca = readFileSync((await testCa()).caFile, 'utf8')
  const kept = new Agent({ keepAlive: true })
  await httpsCall(second.port, { ca, agent: kept }, { method: 'GET', path: '/livez' })
  const claim = waiting.claim({ waitMs: 10_000 })
  const verdict = second.admin('verdict', undefined, { id: created.json.request }, '?wait=10000')
  await new Promise((resolve) => setTimeout(resolve, 100))
  const begun = performance.now()
  await second.store.stop()
  expect(performance.now() - begun).toBeLessThan(2000)
  expect((await claim).requests).toEqual([])
  expect((await verdict).json.state).toBe('unsealed')
  kept.destroy()
  rmSync(directory, { recursive: true, force: true })
})

test('a store whose signing key others may read does not start', async () => {
  const directory = makeScratchDirectory()
  await (await startStore(directory)).store.stop()
  const key = join(directory, 'signing-key.json')
  for (const mode of [0o640, 0o604, 0o622]) {
    chmodSync(key, mode)
    await expect(startStore(directory)).rejects.toMatchObject({
      code: 'ERR_KEYS_UNUSABLE',
      message: expect.stringContaining('signing-key.json is open to others; set mode 0600'),
    })
  }
  chmodSync(key, 0o600)
  await (await startStore(directory)).store.stop()
  rmSync(directory, { recursive: true, force: true })
})

test('a new agent is told to the operator once, with the thumbprint of its identity', () => {
  const lines = String(Buffer.concat(logged)).trim().split('\n')
  const enrolled = lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'agent enrolled')
  const mine = enrolled.filter((line) => line.agent === agent.id)
  const identity = agent.keys.identity.publicKey.kid
  expect(mine).toEqual([expect.objectContaining({ level: 'warn', name: 'agent-1', identity })])
  expect(enrolled.filter(({ name }) => name === 'repeated')).toHaveLength(1)
})

test('a second store on the same data directory does not start', async () => {
  await expect(startStore(data)).rejects.toMatchObject({ code: 'ERR_DATABASE_UNUSABLE' })
  expect((await store.admin('listUsers')).status).toBe(200)
})

test('no token, code or sealed value is in the log', async () => {
  const anchor = 'aaaaaaaa-0000-4000-8000-000000000003'
  await store.admin('addUser', { name: 'eve', displayName: 'Eve', directory: 'corp', anchor })
  await agent.claim({ places: 0 })
  const created = await store.admin(
    'createRequest',
    { directory: 'corp', operation: 'reset', options: {} },
    { anchor },
  )
  const sealed = await sealFor(created.json, 'Canary-Password-1')
  await store.admin('seal', sealed, { id: created.json.request })
  const text = Buffer.concat(logged).toString('utf8')
  expect(text).toContain('agent enrolled')
  for (const secret of [token, sealed.ciphertext, 'Canary-Password-1', 'wbe1-'])
    expect(text).not.toContain(secret)
})
