// One agent, two directories, an OpenLDAP and an Active Directory: what happens to one of them does not touch the other.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { newPassword } from '../servers/canaries.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'

let world: World<'openldap'>
beforeAll(async () => {
  world = await startWorld({
    ...{ kind: 'openldap', secondDomain: {} },
    directorySettings: '    operationTimeoutSeconds: 2',
  })
}, 90_000)
afterAll(() => world.stop())

const second = () => {
  if (!world.second) throw new Error('the world has no second domain')
  return world.second
}
const percentile = (times: readonly number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.ceil(times.length * share) - 1] ?? 0

test('each request goes to the domain it is for', async () => {
  const [here, there] = await Promise.all([
    world.createUser({ name: 'ada' }),
    second().createUser({ name: 'ada' }),
  ])
  expect(await world.reset(here, newPassword())).toMatchObject({ outcome: 'applied', directory: 'corp' })
  expect(await second().domain.canBind(there.principal, newPassword())).toBe(false)
  expect(await world.reset(there, newPassword())).toMatchObject({ outcome: 'applied', directory: 'other' })
  expect(await second().domain.canBind(there.principal, newPassword())).toBe(true)
})

test('the policies of both are published at the store', async () => {
  for (const name of ['corp', 'other']) {
    const { status, json } = await world.admin('readPolicies', undefined, { name })
    const domain = expect.objectContaining({ name: 'domain', minimumLength: 7 })
    // The test's service account lacks the fifth right of Active Directory.
    const problems = name === 'corp' ? [] : [{ name: 'Password Settings Container' }]
    expect([status, json]).toMatchObject([200, { policies: expect.arrayContaining([domain]), problems }])
  }
})

test('one that hangs with more waiting requests than it has places keeps the other from nothing', async () => {
  const users = await Promise.all(Array.from({ length: 70 }, (_, n) => world.createUser({ name: `h${n}` })))
  const others = await Promise.all(
    Array.from({ length: 8 }, (_, n) => second().createUser({ name: `o${n}` })),
  )
  const timed = async () => {
    const times: number[] = []
    for (const user of others) {
      const begun = performance.now()
      expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
      times.push(performance.now() - begun)
    }
    return percentile(times, 0.5)
  }
  const before = await timed()
  world.domain.pause()
  const waiting = await Promise.all(users.map((user) => world.ask(user, newPassword())))
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  const during = await timed()
  expect(during).toBeLessThan(3 * before + 100)
  const { json } = await world.ops('/status')
  const { ready, conditions } = json as { ready: boolean; conditions: { code: string; subject: string }[] }
  const away = conditions.filter(({ code }) => code === 'directory_unreachable')
  expect([ready, away.map(({ subject }) => subject)]).toEqual([false, ['corp']])
  world.domain.resume()
  const verdicts = await Promise.all(waiting.map((id) => world.verdict(id, 60_000)))
  expect(new Set(verdicts.map(({ outcome }) => outcome))).toEqual(new Set(['applied']))
  console.info(
    `two domains: median ${Math.round(before)} ms with both up, ${Math.round(during)} ms with one hung`,
  )
}, 120_000)
