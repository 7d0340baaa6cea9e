// The whole way of one request at the store, with a real agent's keys over real HTTPS.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { sealFor, startStore } from './running-store.ts'
import { enrolAgent, type TestAgent } from './test-agent.ts'

const data = mkdtempSync(join(tmpdir(), 'wb-store-'))
const ANCHOR = 'aaaaaaaa-0000-4000-8000-000000000001'
let store: Awaited<ReturnType<typeof startStore>>
let agent: TestAgent

beforeAll(async () => {
  store = await startStore(data)
  agent = await enrolAgent(store)
  const user = { name: 'ada', displayName: 'Ada Example', directory: 'corp', anchor: ANCHOR }
  expect((await store.admin('addUser', user)).status).toBe(201)
})
afterAll(async () => {
  await store.store.stop()
  rmSync(data, { recursive: true, force: true })
})

test('a reset travels from create to the verdict', async () => {
  const created = await store.admin(
    'createRequest',
    { directory: 'corp', operation: 'reset', options: {} },
    { anchor: ANCHOR },
  )
  expect(created.status).toBe(201)
  const id = created.json.request
  const waiting = agent.claim({ waitMs: 5000 })
  const sealed = await sealFor(created.json, 'Grün-and-blue-42')
  const answer = await store.admin('seal', sealed, { id })
  expect(answer.json).toEqual({ request: id, state: 'waiting' })
  const [claimed] = (await waiting).requests
  if (!claimed) throw new Error('nothing was claimed')
  const { document, password } = await agent.open(claimed)
  expect(password).toBe('Grün-and-blue-42')
  expect(document).toMatchObject({
    ...{ id, tenant: 'test', directory: 'corp', operation: 'reset', store: agent.enrolled.store },
    subject: { anchor: ANCHOR, displayName: 'Ada Example' },
    options: { unlock: true, mustChangeAtNextSignIn: false },
  })
  expect(claimed).toMatchObject({ request: id, earlier: [], last: null })
  expect(await agent.receipt(id, claimed.lease)).toBe('accepted')
  const verdict = store.admin('verdict', undefined, { id }, '?wait=5000')
  expect(await agent.report(await agent.sign(claimed, { outcome: 'applied', marker: 'wb1:x' }))).toEqual([
    'accepted',
  ])
  expect((await verdict).json).toMatchObject({
    state: 'closed',
    outcome: 'applied',
    displayName: 'Ada Example',
  })
  const stages = (await verdict).json.stages.map(({ stage }: { stage: string }) => stage)
  expect(stages).toEqual(['created', 'sealed', 'claimed', 'received', 'closed'])
})

test('what the store keeps is for its own account only', () => {
  expect(statSync(data).mode & 0o777).toBe(0o700)
  for (const file of ['store.db', 'signing-key.json', 'admin-token'])
    expect(statSync(join(data, file)).mode & 0o777).toBe(0o600)
})
