// A real agent changes its sealing key: under load, and killed at each step of it. Nothing that was sealed to the old key or
// to the new one is lost.
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { AgentView, KeyView } from '../../src/agent/ops/describe-agent.ts'
import type { CreateRequestAnswer } from '../../src/protocol/sealer-calls.ts'
import { awaitDeath } from '../crash/deaths.ts'
import { newPassword } from '../servers/canaries.ts'
import { get } from '../servers/world-programs.ts'
import { sealFor } from '../servers/world-requests.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { planCrash, readDiary } from '../test-build/crash-plan.ts'
import { ROTATION_POINTS } from '../test-build/rotation-points.ts'

let world: World<'openldap'>
let users = 0

beforeAll(async () => {
  world = await startWorld({
    kind: 'openldap',
    proxied: false,
    agentImports: [
      path.resolve(import.meta.dirname, 'short-key-keeping.ts'),
      path.resolve(import.meta.dirname, '../test-build/crash-build.ts'),
    ],
    directorySettings: '    limits: { perAccountAndHour: 1000, perMinute: 100000, burst: 1000000 }',
  })
}, 60_000)
afterAll(() => world?.stop())

const newUser = () => {
  users += 1
  return world.createUser({ name: `key${users}` })
}
const socketPath = () => path.join(world.agent.stateDirectory, 'ops.sock')
const rotate = () => get(httpRequest, { socketPath: socketPath(), path: '/keys/rotate', method: 'POST' })
const sealingKeys = async () =>
  ((await world.ops('/keys')).json as { keys: KeyView[] }).keys.filter(({ kind }) => kind === 'sealing')
const currentKey = async () => (await sealingKeys()).find(({ state }) => state === 'current')?.id

async function begin(user: WorldUser): Promise<CreateRequestAnswer> {
  const body = { directory: user.directory, operation: 'reset', options: {} }
  return (await world.admin('createRequest', body, { anchor: user.anchor })).json as CreateRequestAnswer
}
async function seal(created: CreateRequestAnswer, password: Buffer): Promise<string> {
  const sealed = await sealFor(created, [password])
  const { status } = await world.admin('seal', sealed, { id: created.request })
  if (status !== 200) throw new Error(`not sealed: ${status}`)
  return sealed.recipients.map(({ header }) => header.kid).join()
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000
  while (!(await holds().catch(() => false))) {
    if (performance.now() > end) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
const alone = () => until('one key', async () => (await sealingKeys()).length === 1)

test('requests that run through several rotations all end applied [agent_key_rotated]', async () => {
  await alone()
  const people = await Promise.all(Array.from({ length: 8 }, newUser))
  const seen = new Set<string | undefined>([await currentKey()])
  let rotations = 0
  let isDone = false
  const rotating = (async () => {
    while (!isDone) {
      if (((await rotate()).json as { state: string }).state === 'rotated') rotations += 1
      seen.add(await currentKey())
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
  })()
  const outcomes: string[] = []
  await Promise.all(
    people.map(async (user) => {
      for (let round = 0; round < 6; round += 1) {
        const { outcome, reason } = await world.reset(user, Buffer.from(`${newPassword()} ${round}`))
        outcomes.push(reason ?? outcome ?? 'open')
      }
    }),
  )
  isDone = true
  await rotating
  expect(outcomes).toEqual(outcomes.map(() => 'applied'))
  expect(outcomes).toHaveLength(48)
  expect(rotations).toBeGreaterThanOrEqual(3)
  expect(seen.size).toBeGreaterThanOrEqual(4)
  await alone()
  const { lastOutcomes, jobs } = (await world.ops('/status')).json as AgentView
  expect(lastOutcomes.map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual(
    Array.from({ length: 5 }, () => 'reset applied'),
  )
  expect(jobs.find(({ name }) => name === 'keys')).toMatchObject({ lastResult: 'done', problem: null })
}, 120_000)

test.each(
  ROTATION_POINTS.flatMap(({ id, what }) => [
    [`${id}:before`, what],
    [`${id}:after`, what],
  ]),
)(
  'killed at %s, %s: what was sealed before and after ends applied, and one key is left [agent_key_rotated]',
  async (at) => {
    await alone()
    const before = await currentKey()
    const [early, late] = [await newUser(), await newUser()]
    const begun = [await begin(early), await begin(late)] as const
    const earlier = readDiary(world.agent.configFile).length
    planCrash(world.agent.configFile, { at })
    if (at.startsWith('C41')) {
      expect(await seal(begun[0], newPassword())).toBe(before)
      expect(await seal(begun[1], newPassword())).toBe(before)
      await Promise.all(begun.map(({ request }) => world.verdict(request)))
    }
    await rotate().catch(() => undefined)
    expect(await awaitDeath(world.agent)).toBe(true)
    expect(readDiary(world.agent.configFile).slice(earlier)).toEqual([{ at }])
    if (!at.startsWith('C41')) expect(await seal(begun[0], newPassword())).toBe(before)
    const kept = JSON.parse(readFileSync(path.join(world.agent.stateDirectory, 'keys.json'), 'utf8'))
    expect(kept.keys.sealing.length).toBe(at === 'C39:before' || at === 'C41:after' ? 1 : 2)
    await world.agent.start()
    if (at === 'C39:before') await rotate()
    await until('a new key', async () => (await currentKey()) !== before)
    const after = await currentKey()
    const next = await begin(await newUser())
    expect(await seal(next, newPassword())).toBe(after)
    // Begun before the rotation, sealed only now: still to the old key.
    if (!at.startsWith('C41')) expect(await seal(begun[1], newPassword())).toBe(before)
    const verdicts = await Promise.all([...begun, next].map(({ request }) => world.verdict(request)))
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(['applied', 'applied', 'applied'])
    for (const user of [early, late])
      expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
    await alone()
    expect(await currentKey()).toBe(after)
  },
  60_000,
)
