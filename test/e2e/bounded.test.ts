// What an agent holds that lives through many faults: files, sockets and queue keys come back, the heap stays as it was.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { freshPassword } from '../../bench/fresh-password.ts'
import { checkHistory } from '../history/check-history.ts'
import { createRecorder } from '../history/record-run.ts'
import type { RecordedMessage, RequestFault } from '../servers/ldap-faults.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { queueKeys, withPrivateRedis } from '../servers/private-redis.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { type StoreFault, type StoreProxy, startStoreProxy } from '../servers/store-proxy.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { isPasswordWrite } from './password-writes.ts'

const USERS = 6
const DIRECTORY_FAULTS: readonly RequestFault[] = [
  { kind: 'swallow-response' },
  { kind: 'swallow-request' },
  { kind: 'reset', when: 'before' },
  { kind: 'reset', when: 'answered' },
  { kind: 'cut', bytes: 150 },
  { kind: 'answer', result: { code: 51, diagnostic: '' } },
]
const STORE_FAULTS: readonly StoreFault[] = [
  { kind: 'drop-answer' },
  { kind: 'truncate' },
  { kind: 'status', status: 503 },
]
// What a collection may find more by chance; what leaks with every request is more after a hundred of them.
const HEAP_NOISE_BYTES = 8 * 1024 * 1024

let scratch: string
let world: World<'openldap'>
let proxy: LdapProxy
let way: StoreProxy
const users: WorldUser[] = []

beforeAll(async () => {
  scratch = makeScratchDirectory()
  way = await startStoreProxy()
  world = await startWorld({
    kind: 'openldap',
    logLevel: 'info',
    agentImports: [path.join(import.meta.dirname, 'tell-heap.ts')],
    agentEnv: { HTTPS_PROXY: way.url, TELL_HEAP: heapFile() },
    directorySettings: `    operationTimeoutSeconds: 1.5
    connectTimeoutSeconds: 2
    limits: { perAccountAndHour: 1000, perMinute: 100000, burst: 1000000 }`,
  })
  proxy = world.proxy as LdapProxy
  for (let number = 0; number < USERS; number += 1)
    users.push(await world.createUser({ name: `bounded${number}` }))
}, 60_000)
afterAll(async () => {
  await world?.stop()
  await way?.stop()
  await removeScratchDirectory(scratch)
})

const heapFile = (): string => path.join(scratch, 'heap')

/** A reset of everybody at once; each must be applied. */
async function resetAll(): Promise<void> {
  const verdicts = await Promise.all(users.map((user) => world.reset(user, freshPassword())))
  expect(verdicts.map(({ outcome }) => outcome)).toEqual(users.map(() => 'applied'))
}

const isSearch = ({ operation, direction }: RecordedMessage): boolean =>
  operation === 'search' && direction === 'request'

/** A reset of everybody by a directory so slow that every connection which there may be is needed at once. */
async function useAllConnections(): Promise<void> {
  const slow: RequestFault = { kind: 'delay-response', ms: 400 }
  const rules = [isSearch, isPasswordWrite].map((match) => proxy.onRequest(match, slow, USERS))
  await resetAll()
  for (const rule of rules) rule.remove()
}

/** Everything goes wrong once, one thing after the other, and then the queue is gone; ends with all connections open. */
async function liveThroughFaults(): Promise<void> {
  for (const fault of DIRECTORY_FAULTS) {
    proxy.forget()
    const rule = proxy.onRequest(isPasswordWrite, fault, 2)
    await resetAll()
    expect(rule.hits()).toBe(2)
    rule.remove()
  }
  for (const [index, call] of ['/requests/claim', '/requests/receipts', '/outcomes'].entries()) {
    const rule = way.onCall(call, STORE_FAULTS[index] as StoreFault)
    way.endAll()
    await resetAll()
    expect(rule.hits()).toBe(1)
  }
  await withPrivateRedis(world.agent.stateDirectory, async (redis) => redis.del(await queueKeys(redis)))
  await resetAll()
  await useAllConnections()
}

interface Held {
  readonly files: number
  readonly queueKeys: number
  readonly heapBytes: number
}

async function held(): Promise<Held> {
  rmSync(heapFile(), { force: true })
  process.kill(world.agent.pid(), 'SIGUSR2')
  while (!existsSync(heapFile()) || readFileSync(heapFile(), 'utf8') === '') await sleep(20)
  return {
    files: readdirSync(`/proc/${world.agent.pid()}/fd`).length,
    queueKeys: (await withPrivateRedis(world.agent.stateDirectory, queueKeys)).length,
    heapBytes: Number(readFileSync(heapFile(), 'utf8')),
  }
}

// Longer than connections to the store are kept for a next call.
const REST_MS = 7_000

/** What is held once nothing is on its way and two looks agree. */
async function restful(): Promise<Held> {
  let last = await held()
  for (;;) {
    await sleep(REST_MS)
    const now = await held()
    if (now.files === last.files && now.queueKeys === last.queueKeys) return now
    last = now
  }
}

/** What is held when it is as was hoped, or after half a minute. */
async function heldAtRest(isThere: (held: Held) => boolean): Promise<Held> {
  const end = performance.now() + 30_000
  for (;;) {
    const now = await held()
    if (isThere(now) || performance.now() > end) return now
    await sleep(500)
  }
}

test('holds after more than a hundred requests with every kind of fault what it held before', async () => {
  const recorder = createRecorder({
    ...{ name: 'bounded', seed: 0, drainMs: 0, historyRequired: false, dialect: 'openldap' },
  })
  const tell = (when: 'before' | 'after', what: Held) =>
    recorder.add({
      at: recorder.now(),
      observer: 'supervisor',
      kind: 'held',
      agent: world.agent.id,
      when,
      ...what,
    })
  await liveThroughFaults()
  // Never later: it would end what the agent had forgotten to end.
  proxy.disconnectAll()
  await useAllConnections()
  const before = await restful()
  tell('before', before)
  await liveThroughFaults()
  await liveThroughFaults()
  const after = await heldAtRest((now) => now.files <= before.files && now.queueKeys <= before.queueKeys)
  tell('after', after)
  const { violations, decided } = checkHistory(recorder.events())
  expect({ violations, decided: decided['I24'] }).toEqual({ violations: [], decided: 1 })
  expect(after.heapBytes - before.heapBytes).toBeLessThan(HEAP_NOISE_BYTES)
}, 240_000)
