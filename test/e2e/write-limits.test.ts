// The limits on real parts: per account and hour, per minute, and the breaker that only a person closes again. What the
// directory was sent is told by the proxy.

import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Verdict } from '../../src/protocol/sealer-calls.ts'
import { newPassword, oldPassword } from '../servers/canaries.ts'
import { runCommand } from '../servers/child-process.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'

const PER_ACCOUNT = 2
const PER_MINUTE = 8
const BURST = 16
const LIFETIME_SECONDS = 30
const MAIN = path.resolve(import.meta.dirname, '../../src/main.ts')
const modifies = { operation: 'modify', direction: 'request' } as const

let world: World<'openldap'>
let users: readonly WorldUser[]
/** Modify messages since the start; the tests build on one another's. */
const writes = (): number => world.proxy?.count(modifies) ?? 0
const user = (index: number): WorldUser => users[index] as WorldUser

beforeAll(async () => {
  world = await startWorld({
    kind: 'openldap',
    requestLifetimeSeconds: LIFETIME_SECONDS,
    directorySettings: `    limits: { perAccountAndHour: ${PER_ACCOUNT}, perMinute: ${PER_MINUTE}, burst: ${BURST} }`,
  })
  const made: WorldUser[] = []
  for (let index = 0; index < 22; index += 1) made.push(await world.createUser({ name: `limit${index}` }))
  users = made
}, 60_000)
afterAll(() => world?.stop())

const ask = (from: number, to: number): Promise<string[]> =>
  Promise.all(users.slice(from, to).map((one) => world.ask(one, newPassword())))
const verdicts = (requests: readonly string[]): Promise<Verdict[]> =>
  Promise.all(requests.map((request) => world.verdict(request)))
const outcomes = async (requests: readonly string[]) =>
  (await verdicts(requests)).map(({ outcome }) => outcome)
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function until(what: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000
  while (!(await what().catch(() => false))) {
    if (performance.now() > end) throw new Error('it does not come')
    await sleep(50)
  }
}

/** Makes the agent believe that its writes so far lie longer back. It has to be ended. */
function letTimePass(ms: number): void {
  const journal = new DatabaseSync(path.join(world.directory, 'state', 'journal.sqlite'))
  journal.prepare('UPDATE intents SET started_at_ms = started_at_ms - ?').run(ms)
  journal.close()
}

test('too many writes to one account are refused, also after the agent was killed', async () => {
  const alice = user(0)
  for (let index = 0; index < PER_ACCOUNT; index += 1)
    expect(await world.run('unlock', alice)).toMatchObject({ outcome: 'applied' })
  const refused = { outcome: 'refused', reason: 'too_many_attempts' }
  const verdict = await world.reset(alice, newPassword())
  expect(verdict).toMatchObject(refused)
  expect(verdict.detail).toMatch(/written too often within the hour; the next write may begin at 20/)
  await world.agent.kill()
  await world.agent.start()
  expect(await world.reset(alice, newPassword())).toMatchObject(refused)
  expect(await world.domain.canBind(alice.principal, oldPassword())).toBe(true)
  expect(await world.run('inspect', alice)).toMatchObject({ outcome: 'applied' })
  expect(writes()).toBe(PER_ACCOUNT)
  expect(await world.reset(user(1), newPassword())).toMatchObject({ outcome: 'applied' })
}, 60_000)

test('writes beyond the limit of a minute wait, and end applied', async () => {
  const free = PER_MINUTE - writes()
  const requests = await ask(2, 2 + free + 4)
  await until(async () => writes() >= PER_MINUTE)
  // Several were carried out at once; none of them slipped past the limit beside the others.
  await sleep(1_000)
  expect(writes()).toBe(PER_MINUTE)
  expect(await world.ops('/readyz')).toMatchObject({ status: 200 })
  expect(await world.run('inspect', user(0))).toMatchObject({ outcome: 'applied' })
  await world.agent.kill()
  letTimePass(58_000)
  await world.agent.start()
  expect(await outcomes(requests)).toEqual(requests.map(() => 'applied'))
  expect(writes()).toBe(PER_MINUTE + 4)
}, 60_000)

test('a burst stops all writing until a person closes the breaker, whatever happens to the agent', async () => {
  const before = writes()
  // None of those that have this password already.
  const requests = await ask(12, 12 + BURST - before + 3)
  const isOpen = async () => JSON.stringify((await world.ops('/status')).json).includes('breaker_open')
  await until(isOpen)
  expect(await world.ops('/readyz')).toMatchObject({
    ...{ status: 503, json: { ready: false } },
  })
  expect((await world.ops('/status')).json).toMatchObject({
    conditions: expect.arrayContaining([
      expect.objectContaining({
        ...{ code: 'breaker_open', subject: 'corp', severity: 'error' },
        detail: 'writing is stopped after a burst; close it with: writeback breaker close corp',
      }),
    ]),
  })
  expect(await world.run('inspect', user(0))).toMatchObject({ outcome: 'applied' })
  const ended = Object.groupBy(await outcomes(requests), (outcome) => outcome ?? 'open')
  // On a slow machine it opens while some of the sixteen have not sent their first byte yet; those are held back as well.
  const sent = writes()
  expect(sent).toBeLessThanOrEqual(BURST)
  expect(ended.applied ?? []).toHaveLength(sent - before)
  expect(ended.expired ?? []).toHaveLength(requests.length - (sent - before))

  const waiting = await ask(20, 22)
  await world.agent.kill()
  letTimePass(60_000)
  // It runs, and is not ready: its start resolves when the breaker is closed.
  const started = world.agent.start()
  await until(async () => (await world.ops('/readyz')).status === 503 && (await isOpen()))
  const isKnown = async () => {
    const { json } = await world.admin('listAgents')
    return JSON.stringify(json).includes('breaker_open')
  }
  await until(isKnown)
  expect(await world.run('inspect', user(0))).toMatchObject({ outcome: 'applied' })
  expect(writes()).toBe(sent)
  const close = ['breaker', 'close', 'corp', '--config', world.agentConfigFile]
  const node = ['--disable-warning=ExperimentalWarning', MAIN, ...close]
  expect(await runCommand(process.execPath, node)).toBe('closed: writing to corp goes on\n')
  await started
  expect(await outcomes(waiting)).toEqual(['applied', 'applied'])
  expect(await runCommand(process.execPath, [...node, '--json'])).toBe(
    '{"directory":"corp","closed":false}\n',
  )
  expect(await world.ops('/readyz')).toMatchObject({ status: 200 })
  expect(writes()).toBe(sent + 2)
}, 90_000)
