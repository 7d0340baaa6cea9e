// Every answer a store, or something in between, can give: its code, and whether the call may be tried again.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { callEnrol, createStoreClient } from '../../src/agent/store-client/create-store-client.ts'
import { createStoreTransport, type Fetch } from '../../src/agent/store-client/store-transport.ts'
import { type Clock, systemClock } from '../../src/clock/clock.ts'
import { verifyAgentCall } from '../../src/protocol/agent-token.ts'
import { newId } from '../../src/protocol/identifiers.ts'
import { problemOf } from '../../src/protocol/problem.ts'
import { LARGEST_BODY } from '../../src/protocol/strict-json.ts'
import { createManualClock } from '../fakes/manual-clock.ts'
import { testCa } from '../servers/test-ca.ts'
import { makeParties, SERVER, STORE } from './sample-requests.ts'

const URL = 'https://reset.example.test'
const parties = await makeParties()
const server = setupServer()
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterEach(() => server.resetHandlers())
afterAll(() => server.close())

const globalFetch = ((url, init) => fetch(url, init as RequestInit)) as Fetch
const makeClient = (over: { fetch?: Fetch; timeoutMs?: number; url?: string; clock?: Clock } = {}) =>
  createStoreClient({
    url: over.url ?? URL,
    fetch: over.fetch ?? globalFetch,
    identity: { agent: parties.agent, store: STORE, signer: parties.keys.identity.signer },
    clock: over.clock ?? systemClock,
    nowMs: Date.now,
    timeoutMs: over.timeoutMs ?? 5_000,
  })
const never = new AbortController().signal
const claim = { claimId: '0c0c0c0c-1111-4222-8333-444444444444', leases: [], places: { corp: 4 }, waitMs: 0 }
const good = { storeTime: 1_790_000_000_000, paused: false, renewed: [], goneServers: [], requests: [] }

/** The next claims get this answer. */
const answerClaims = (answer: () => Response | Promise<Response>) =>
  server.use(http.post(`${URL}/v1/requests/claim`, answer))
const failureOf = (step: Promise<unknown>) =>
  step.then(
    () => 'no failure',
    (error) => error,
  )
const text = (body: string | ReadableStream, status = 200, type = 'application/json') =>
  new HttpResponse(body, { status, headers: { 'content-type': type } })

test.each<[number, string, 'later' | 'never']>([
  [201, 'ERR_STORE_ANSWER_INVALID', 'later'],
  [202, 'ERR_STORE_ANSWER_INVALID', 'later'],
  [204, 'ERR_STORE_ANSWER_INVALID', 'later'],
  [301, 'ERR_STORE_ANSWER_INVALID', 'later'],
  [302, 'ERR_STORE_ANSWER_INVALID', 'later'],
  [307, 'ERR_STORE_ANSWER_INVALID', 'later'],
  [308, 'ERR_STORE_ANSWER_INVALID', 'later'],
  [400, 'ERR_STORE_REJECTED', 'never'],
  [401, 'ERR_STORE_REJECTED', 'never'],
  [403, 'ERR_STORE_REJECTED', 'never'],
  [404, 'ERR_STORE_UNAVAILABLE', 'later'],
  [407, 'ERR_STORE_UNREACHABLE', 'later'],
  [408, 'ERR_STORE_UNAVAILABLE', 'later'],
  [409, 'ERR_STORE_REJECTED', 'never'],
  [410, 'ERR_STORE_REJECTED', 'never'],
  [413, 'ERR_STORE_REJECTED', 'never'],
  [422, 'ERR_STORE_REJECTED', 'never'],
  [429, 'ERR_STORE_UNAVAILABLE', 'later'],
  [500, 'ERR_STORE_UNAVAILABLE', 'later'],
  [502, 'ERR_STORE_UNAVAILABLE', 'later'],
  [503, 'ERR_STORE_UNAVAILABLE', 'later'],
  [504, 'ERR_STORE_UNAVAILABLE', 'later'],
  [599, 'ERR_STORE_UNAVAILABLE', 'later'],
])('status %d is %s, to be tried again %s', async (status, code, retry) => {
  let calls = 0
  answerClaims(() => {
    calls += 1
    const headers = { location: `${URL}/v1/requests/claim` }
    return new HttpResponse(status === 204 ? null : 'x', { status, headers })
  })
  expect(await failureOf(makeClient().claim(claim, never))).toMatchObject({ code, retry })
  expect(calls).toBe(1)
})

test('the problem code of the store is told, the page of something in between is not', async () => {
  answerClaims(() => HttpResponse.json(problemOf('credential_refused', 'unknown agent'), { status: 401 }))
  const refused = await failureOf(makeClient().claim(claim, never))
  expect(refused.message).toContain('401 credential_refused (unknown agent)')
  answerClaims(() => text('<html>proxy says secret', 502, 'text/html'))
  expect((await failureOf(makeClient().claim(claim, never))).message).toMatch(/answered 502$/)
})

const whole = JSON.stringify(good)
test.each<[string, string]>([
  ['an empty body', ''],
  ['truncated JSON', whole.slice(0, -1)],
  ['two values', `${whole}${whole}`],
  ['a page of HTML', '<html><body>sign in to the wifi</body></html>'],
  ['a duplicate key', whole.replace('{', '{"paused":true,')],
  ['a duplicate key in another spelling', whole.replace('{', '{"paus\\u0065d":true,')],
  ['an unknown field', whole.replace('{', '{"more":1,')],
  ['a missing field', '{"storeTime":1}'],
  ['a wrong type', whole.replace('false', '"false"')],
  ['__proto__', whole.replace('{', '{"__proto__":{},')],
  ['a lone surrogate', whole.replace('{', '{"x":"\\ud800",')],
  ['a byte order mark', `\ufeff${whole}`],
])('%s is ERR_STORE_ANSWER_INVALID', async (_what, body) => {
  answerClaims(() => text(body))
  const failure = await failureOf(makeClient().claim(claim, never))
  expect(failure).toMatchObject({ code: 'ERR_STORE_ANSWER_INVALID', retry: 'later' })
})

test('the content type does not decide, the content does', async () => {
  answerClaims(() => text(whole, 200, 'text/plain'))
  expect((await makeClient().claim(claim, never)).answer).toEqual(good)
})

test('takes an answer of 1 MiB and refuses a longer one, also one that never ends', async () => {
  const padded = (length: number) => `${whole}${' '.repeat(length - whole.length)}`
  answerClaims(() => text(padded(LARGEST_BODY)))
  expect((await makeClient().claim(claim, never)).answer).toEqual(good)
  const endless = () =>
    new ReadableStream({ pull: (controller) => controller.enqueue(Buffer.alloc(65_536, 0x20)) })
  for (const body of [() => padded(LARGEST_BODY + 1), endless]) {
    answerClaims(() => text(body()))
    const failure = await failureOf(makeClient().claim(claim, never))
    expect(failure).toMatchObject({ code: 'ERR_STORE_ANSWER_INVALID', retry: 'later' })
    expect(failure.message).toMatch(/too large/)
  }
})

test('headers that do not come in time are ERR_STORE_TIMEOUT', async () => {
  answerClaims(() => new Promise<Response>(() => {}))
  const failure = await failureOf(makeClient({ timeoutMs: 150 }).claim(claim, never))
  expect(failure).toMatchObject({ code: 'ERR_STORE_TIMEOUT', retry: 'later' })
})

test('a claim may take as long as it asks to wait', async () => {
  answerClaims(async () => {
    await systemClock.sleep(300)
    return HttpResponse.json(good)
  })
  const client = makeClient({ timeoutMs: 150 })
  const timed = await client.claim({ ...claim, waitMs: 1_000 }, never)
  expect(timed.answeredMs - timed.sentMs).toBeGreaterThanOrEqual(290)
})

test('a broken connection is ERR_STORE_UNREACHABLE, before and in the middle of a body', async () => {
  const broken = () =>
    text(
      new ReadableStream({
        start: (controller) => {
          controller.enqueue(Buffer.from('{"storeTime":'))
          controller.error(new Error('reset'))
        },
      }),
    )
  for (const answer of [() => HttpResponse.error(), broken]) {
    answerClaims(answer)
    const failure = await failureOf(makeClient().claim(claim, never))
    expect(failure).toMatchObject({ code: 'ERR_STORE_UNREACHABLE', retry: 'later' })
    expect(failure.cause).toBeDefined()
  }
})

test('an aborted call ends at once', async () => {
  answerClaims(() => new Promise<Response>(() => {}))
  const stopping = new AbortController()
  const failure = failureOf(makeClient().claim({ ...claim, waitMs: 10_000 }, stopping.signal))
  setTimeout(() => stopping.abort(), 30)
  const begun = performance.now()
  expect(await failure).toMatchObject({ code: 'ERR_STORE_UNREACHABLE', retry: 'later' })
  expect(performance.now() - begun).toBeLessThan(1_000)
})

test('each call carries a token of its own for exactly this call', async () => {
  const seen: { path: string; method: string; body: Buffer; token: string; headers: Headers }[] = []
  const note = (answer: object) => async (info: { request: Request }) => {
    const { request } = info
    const body = Buffer.from(await request.clone().arrayBuffer())
    const token = request.headers.get('authorization')?.replace(/^Bearer /, '') ?? ''
    const path = request.url.slice(URL.length)
    seen.push({ path, method: request.method, body, token, headers: request.headers })
    return HttpResponse.json(answer)
  }
  const heartbeat = { storeTime: 1, paused: false, revokedAgents: [] }
  server.use(
    http.post(`${URL}/v1/requests/claim`, note(good)),
    http.post(`${URL}/v1/requests/receipts`, note({ results: [] })),
    http.post(`${URL}/v1/outcomes`, note({ results: [] })),
    http.put(`${URL}/v1/agents/self/heartbeat`, note(heartbeat)),
    http.put(`${URL}/v1/directories/corp/policies`, async (info) => {
      await note({})(info)
      return new HttpResponse(null, { status: 204 })
    }),
  )
  const client = makeClient({ url: `${URL}/` })
  await client.claim(claim, never)
  await client.claim(claim, never)
  await client.receipts({ receipts: [{ request: newId(), lease: 1, server: SERVER }] }, never)
  await client.outcomes(['a.b.c'], never)
  const directories = [{ name: 'corp', connected: false, server: null, clockOffsetMs: null }]
  const state = { version: '1', conditions: [], queueDepth: 0, storeOffsetMs: null, sealingKeyIds: [] }
  await client.heartbeat({ ...state, directories }, never)
  const published = await client.publishPolicies('corp', { readAt: 1, policies: [], problems: [] }, never)
  expect(published.answer).toBeUndefined()
  const find = (agent: string) => (agent === parties.agent ? parties.agentKey : undefined)
  const verified = await Promise.all(
    seen.map((call) => verifyAgentCall(call.token, call, STORE, Date.now(), find)),
  )
  expect(new Set(verified.map(({ jti }) => jti)).size).toBe(6)
  expect(seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'POST /v1/requests/claim',
    'POST /v1/requests/claim',
    'POST /v1/requests/receipts',
    'POST /v1/outcomes',
    'PUT /v1/agents/self/heartbeat',
    'PUT /v1/directories/corp/policies',
  ])
  expect(seen.every(({ headers }) => headers.get('content-type') === 'application/json')).toBe(true)
  const [first, , third] = seen
  if (!first || !third) throw new Error('no calls')
  await expect(verifyAgentCall(first.token, third, STORE, Date.now(), find)).rejects.toMatchObject({
    code: 'ERR_SIGNATURE_INVALID',
  })
})

test('an enrolment carries no token and takes 201 only', async () => {
  const call = {
    code: 'x',
    name: 'a',
    identityKey: parties.keys.identity.publicKey,
    sealingKey: 'a.b.c',
    proof: 'a.b.c',
  }
  const answer = { keys: [parties.keys.identity.publicKey], enrolled: 'a.b.c' }
  let authorization: string | null = ''
  server.use(
    http.post(`${URL}/v1/agents`, ({ request }) => {
      authorization = request.headers.get('authorization')
      return HttpResponse.json(answer, { status: 201 })
    }),
  )
  const options = { url: URL, fetch: globalFetch, timeoutMs: 1_000 }
  expect([await callEnrol(options, call, never), authorization]).toEqual([answer, null])
  server.use(http.post(`${URL}/v1/agents`, () => HttpResponse.json(answer)))
  expect(await failureOf(callEnrol(options, call, never))).toMatchObject({ code: 'ERR_STORE_ANSWER_INVALID' })
})

/** A real store on loopback: the certificate is what is tested. */
async function serveTls(
  certificate: { certFile: string; keyFile: string },
  answer: (response: ServerResponse) => void = (response) => void response.end(whole),
) {
  const files = { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) }
  const store = createServer(files, (request, response) => {
    request.resume()
    response.setHeader('content-type', 'application/json')
    answer(response)
  })
  store.listen(0, '127.0.0.1')
  await once(store, 'listening')
  const { port } = store.address() as AddressInfo
  return { port, close: () => new Promise((resolve) => store.close(resolve).closeAllConnections()) }
}

test('one deadline covers a body that drips [slow_body]', async () => {
  const ca = await testCa()
  const store = await serveTls(ca.server, (response) => {
    const timer = setInterval(() => response.write(' '), 20)
    response.on('close', () => clearInterval(timer))
  })
  const { fetch, close } = createStoreTransport({ caFile: ca.caFile, env: {} })
  const begun = performance.now()
  const client = makeClient({ fetch, url: `https://127.0.0.1:${store.port}`, timeoutMs: 200 })
  const failure = await failureOf(client.claim(claim, never))
  expect(failure).toMatchObject({ code: 'ERR_STORE_TIMEOUT', retry: 'later' })
  expect(performance.now() - begun).toBeLessThan(2_000)
  await close()
  await store.close()
})

test('the real transport trusts the CA file alone, and checks name and dates', async () => {
  const ca = await testCa()
  const cases = [
    [ca.server, ca.caFile, '127.0.0.1', 'ok'],
    [ca.server, ca.caFile, 'localhost', 'ok'],
    [ca.server, ca.strangerCaFile, '127.0.0.1', 'ERR_STORE_TLS'],
    [ca.server, undefined, '127.0.0.1', 'ERR_STORE_TLS'],
    [ca.expired, ca.caFile, '127.0.0.1', 'ERR_STORE_TLS'],
    [ca.stranger, ca.caFile, '127.0.0.1', 'ERR_STORE_TLS'],
  ] as const
  for (const [certificate, caFile, host, expected] of cases) {
    const store = await serveTls(certificate)
    const transport = createStoreTransport({ caFile, env: {} })
    const client = makeClient({ fetch: transport.fetch, url: `https://${host}:${store.port}` })
    const result = await client.claim(claim, never).then(
      () => 'ok',
      (error) => error,
    )
    if (expected === 'ok') expect(result).toBe('ok')
    else expect(result).toMatchObject({ code: expected, retry: 'later' })
    await transport.close()
    await store.close()
  }
})

test('a name that is not in the certificate is ERR_STORE_TLS, a closed port ERR_STORE_UNREACHABLE', async () => {
  const ca = await testCa()
  const store = await serveTls(ca.server)
  const transport = createStoreTransport({ caFile: ca.caFile, env: {} })
  const call = (url: string) => failureOf(makeClient({ fetch: transport.fetch, url }).claim(claim, never))
  expect(await call(`https://127.0.0.9:${store.port}`)).toMatchObject({ code: 'ERR_STORE_UNREACHABLE' })
  expect(await call(`https://[::ffff:127.0.0.1]:${store.port}`)).toMatchObject({ code: 'ERR_STORE_TLS' })
  await store.close()
  expect(await call(`https://127.0.0.1:${store.port}`)).toMatchObject({ code: 'ERR_STORE_UNREACHABLE' })
  await transport.close()
})

test('a CA file that is not there is ERR_CONFIG_UNREADABLE', () => {
  expect(() => createStoreTransport({ caFile: '/nowhere/ca.crt', env: {} })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_UNREADABLE' }),
  )
})

test('a host that slept during a call counts its sleep: the answer is old, and so is a lease in it', async () => {
  const clock = createManualClock(1_790_000_000_000)
  const slept = async () => {
    clock.pass(20)
    // Asleep, the monotonic clock stands still and the wall clock does not.
    clock.shiftWall(22_000)
    return { status: 200, headers: new Headers(), body: bytesOf(JSON.stringify(good)) }
  }
  const { sentMs, answeredMs } = await makeClient({ fetch: slept, clock }).claim(claim, never)
  expect([answeredMs, answeredMs - sentMs]).toEqual([clock.monotonicMs(), 22_020])
  const setBack = async () => {
    clock.pass(20)
    clock.shiftWall(-60_000)
    return { status: 200, headers: new Headers(), body: bytesOf(JSON.stringify(good)) }
  }
  const timed = await makeClient({ fetch: setBack, clock }).claim(claim, never)
  expect(timed.answeredMs - timed.sentMs).toBe(20)
})

async function* bytesOf(content: string) {
  yield Buffer.from(content)
}
