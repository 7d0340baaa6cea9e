// What the store answered holds after kill -9 at any moment: it is on the disk before it is said.
import { randomUUID } from 'node:crypto'
import { cpSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { type StoreClient, sealFor, startStore } from './running-store.ts'
import { createStoreProcess, type StoreProcess } from './store-process.ts'
import { enrolAgent, SERVER, type TestAgent } from './test-agent.ts'

const directory = makeScratchDirectory()
let store: StoreProcess
let client: StoreClient
let agent: TestAgent

beforeAll(async () => {
  store = await createStoreProcess(directory)
  await store.start()
  client = await store.client()
  agent = await enrolAgent(client)
})
afterAll(async () => {
  await store.end()
  await removeScratchDirectory(directory)
})

async function crash(): Promise<void> {
  await store.kill()
  await store.start()
}

async function addUser(): Promise<string> {
  const anchor = randomUUID()
  const user = { name: anchor, displayName: 'Ada', directory: 'corp', anchor }
  expect((await client.admin('addUser', user)).status).toBe(201)
  return anchor
}

test('a request survives kill -9 after each of its steps', async () => {
  const anchor = await addUser()
  await crash()
  const begin = { directory: 'corp', operation: 'reset', options: {} }
  const created = await client.admin('createRequest', begin, { anchor })
  const id = created.json.request
  const sealed = await sealFor(created.json, 'survives')
  await crash()
  expect((await client.admin('seal', sealed, { id })).json.state).toBe('waiting')
  await crash()
  expect((await client.admin('seal', sealed, { id })).status).toBe(200)
  const claimId = randomUUID()
  const [claimed] = (await agent.claim({ claimId })).requests
  if (!claimed) throw new Error('nothing was claimed')
  await crash()
  expect((await agent.claim({ claimId })).requests).toEqual([claimed])
  expect(await agent.receipt(id, claimed.lease)).toBe('accepted')
  await crash()
  expect(await agent.receipt(id, claimed.lease)).toBe('accepted')
  const outcome = await agent.sign(claimed, { outcome: 'applied' })
  expect(await agent.report(outcome)).toEqual(['accepted'])
  await crash()
  expect(await agent.report(outcome)).toEqual(['accepted'])
  const verdict = (await client.admin('verdict', undefined, { id })).json
  expect(verdict).toMatchObject({ state: 'closed', outcome: 'applied' })
})

test('a token that was used stays used after kill -9', async () => {
  const claimPath = '/v1/requests/claim'
  const body = JSON.stringify({ claimId: randomUUID(), leases: [], places: {}, waitMs: 0 })
  const authorization = `Bearer ${await agent.token('POST', claimPath, body)}`
  const headers = { authorization, 'content-type': 'application/json' }
  const send = () => client.call({ method: 'POST', path: claimPath, headers, body })
  expect((await send()).status).toBe(200)
  await crash()
  expect((await send()).json.code).toBe('credential_refused')
})

test('kill -9 amid many calls loses nothing that was answered', async () => {
  const answered: string[] = []
  const calls = Array.from({ length: 120 }, async () => {
    const anchor = randomUUID()
    const user = { name: anchor, displayName: 'Ada', directory: 'corp', anchor }
    const { status } = await client.admin('addUser', user).catch(() => ({ status: 0 }))
    if (status === 201) answered.push(anchor)
    if (answered.length === 20) await store.kill()
  })
  await Promise.all(calls)
  expect(answered.length).toBeGreaterThanOrEqual(20)
  await store.start()
  const { users } = (await client.admin('listUsers')).json
  expect(users.map(({ name }: { name: string }) => name)).toEqual(expect.arrayContaining(answered))
})

test('a store restored from a copy of its data directory never goes back in sequence or lease', async () => {
  const anchor = await addUser()
  async function ask(at: StoreClient) {
    const begin = { directory: 'corp', operation: 'reset', options: {} }
    const created = await at.admin('createRequest', begin, { anchor })
    await at.admin('seal', await sealFor(created.json, 'again'), { id: created.json.request })
  }
  await store.end()
  const copy = makeScratchDirectory()
  cpSync(path.join(directory, 'data'), copy, { recursive: true })
  await store.start()
  await ask(client)
  const [before] = (await agent.claim()).requests
  if (!before) throw new Error('nothing was claimed')
  expect(await agent.receipt(before.request, before.lease, SERVER)).toBe('accepted')
  const outcome = await agent.sign(before, { outcome: 'applied' })
  const restored = await startStore(copy)
  const there = agent.at(restored)
  await ask(restored)
  const [after] = (await there.claim()).requests
  if (!after) throw new Error('nothing was claimed')
  const [old, fresh] = [await agent.open(before), await there.open(after)]
  expect(fresh.document.store).toBe(old.document.store)
  expect(fresh.document.sequence).toBeGreaterThan(old.document.sequence)
  expect(after.lease).toBeGreaterThan(before.lease)
  expect(await there.report(outcome)).toEqual(['request_not_found'])
  expect(await agent.report(outcome)).toEqual(['accepted'])
  await restored.store.stop()
  await removeScratchDirectory(copy)
})

test('an outcome signed before a restore is taken after it, but a refusal never over another agent’s receipt', async () => {
  const second = await enrolAgent(client, { name: 'agent-2' })
  const ids: string[] = []
  for (let number = 0; number < 3; number += 1) {
    const anchor = await addUser()
    const begin = { directory: 'corp', operation: 'reset', options: {} }
    const created = (await client.admin('createRequest', begin, { anchor })).json
    await client.admin('seal', await sealFor(created, 'again'), { id: created.request })
    ids.push(created.request)
  }
  await store.end()
  const copy = makeScratchDirectory()
  cpSync(path.join(directory, 'data'), copy, { recursive: true })
  await store.start()
  const claimed = new Map((await agent.claim()).requests.map((one) => [one.request, one]))
  const [applied, refused, contested] = await Promise.all(
    ids.map((id, number) => {
      const one = claimed.get(id)
      if (!one) throw new Error('not claimed')
      return agent.sign(
        one,
        number === 0 ? { outcome: 'applied' } : { outcome: 'refused', reason: 'password_policy' },
      )
    }),
  )
  const all = [applied, refused, contested] as string[]
  const restored = await startStore(copy)
  const [here, there] = [agent.at(restored), second.at(restored)]
  expect(await here.report(...all)).toEqual(all.map(() => 'request_not_found'))
  const again = (await here.claim()).requests
  expect(again).toHaveLength(3)
  await here.claim({
    leases: again.filter((one) => one.request !== ids[2]).map(({ request, lease }) => ({ request, lease })),
    places: 0,
  })
  const [theirs] = (await there.claim()).requests
  expect(theirs?.request).toBe(ids[2])
  expect(await there.receipt(ids[2] ?? '', theirs?.lease ?? 0)).toBe('accepted')
  expect(await here.receipt(ids[1] ?? '', again.find((one) => one.request === ids[1])?.lease ?? 0)).toBe(
    'accepted',
  )
  expect(await here.report(...all)).toEqual(['accepted', 'accepted', 'outcome_closed'])
  const outcomes = await Promise.all(
    ids.map(async (id) => (await restored.admin('verdict', undefined, { id })).json.outcome),
  )
  expect(outcomes).toEqual(['applied', 'refused', null])
  expect(await agent.report(...all)).toEqual(all.map(() => 'accepted'))
  await restored.store.stop()
  await removeScratchDirectory(copy)
})

test('the process stops cleanly at SIGTERM', async () => {
  const waiting = agent.claim({ waitMs: 10_000 })
  await new Promise((resolve) => setTimeout(resolve, 100))
  const begun = performance.now()
  expect(await store.end()).toBe(0)
  expect(performance.now() - begun).toBeLessThan(3000)
  expect((await waiting).requests).toEqual([])
})
