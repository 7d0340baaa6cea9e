// Two real agents serve one directory: they share the work, and one ends truthfully what the other left in the middle. The
// store's probes go to either, and neither is alarmed by what the other did.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Probe } from '../../src/protocol/administration-calls.ts'
import type { Verdict } from '../../src/protocol/sealer-calls.ts'
import { newPassword, oldPassword } from '../servers/canaries.ts'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { findForms, secretForms } from '../servers/secret-forms.ts'
import type { WorldAgent } from '../servers/world-agents.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { isAbout, isPasswordWrite, passwordWrites } from './password-writes.ts'

/** A file of a program that runs may go between the listing and the reading. */
function readIfThere(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0)
  }
}

/** Stands in the agents' configuration until the account is made. */
const NOBODY = '00000000-0000-4000-8000-000000000000'
const PROBE_SETTINGS = `    limits: { perAccountAndHour: 4 }
    probe: { account: ${NOBODY}, expectEveryMinutes: 60 }`

describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  let world: World<DirectoryKind>
  let first: WorldAgent
  let second: WorldAgent
  let probed: { readonly objectGuid: string; readonly principal: string }
  const probePasswords = new Set<string>()

  beforeAll(async () => {
    world = await startWorld({
      kind,
      agents: 2,
      directorySettings: `    operationTimeoutSeconds: 3\n${PROBE_SETTINGS}`,
      storeSettings: 'probes: [{ user: probe, everyMinutes: 60 }]',
      watch: () => ({
        onPdu: (_message, pdu) => {
          const found = /(?:[A-Z][a-z]-\d-){8}/.exec(pdu.toString('latin1').replaceAll('\0', ''))
          if (found) probePasswords.add(found[0])
        },
      }),
      beforeAgent: async (directory, domain) => {
        probed = await domain.createUser({ name: 'probe' })
        for (const name of ['agent.yaml', 'agent-2.yaml']) {
          const file = path.join(directory, name)
          writeFileSync(file, readFileSync(file, 'utf8').replace(NOBODY, probed.objectGuid))
        }
      },
    })
    ;[first, second] = world.agents as [WorldAgent, WorldAgent]
  }, 60_000)
  afterAll(() => world.stop())

  const sentBy = (agent: WorldAgent, user: WorldUser) => passwordWrites(agent.proxy as LdapProxy, user)

  test('two agents share the requests of one directory, each applied with one write', async () => {
    const wrote = new Set<WorldAgent>()
    // Who asks first gets what is there: on a busy machine one of them may have had all of a round.
    for (let round = 0; round < 6 && wrote.size < 2; round += 1) {
      const names = Array.from({ length: 24 }, (_, index) => `share${round}x${index}`)
      const users = await Promise.all(names.map((name) => world.createUser({ name })))
      const verdicts = await Promise.all(users.map((user) => world.reset(user, newPassword())))
      expect(verdicts.map(({ outcome }) => outcome)).toEqual(users.map(() => 'applied'))
      const writers = users.map((user) =>
        [first, second].flatMap((agent) => Array.from({ length: sentBy(agent, user).sent }, () => agent)),
      )
      expect(writers.map(({ length }) => length)).toEqual(users.map(() => 1))
      for (const agent of writers.flat()) wrote.add(agent)
    }
    expect(wrote).toEqual(new Set([first, second]))
  }, 120_000)

  test('an agent that died with writes on their way is followed by the other, and its late write changes nothing', async () => {
    const [lost, answered] = [
      await world.createUser({ name: 'neverarrived' }),
      await world.createUser({ name: 'arrived' }),
    ]
    await second.stop()
    const proxy = first.proxy as LdapProxy
    const held = proxy.onRequest((message) => isPasswordWrite(message) && isAbout(message, lost), {
      kind: 'hold',
    })
    const swallowed = proxy.onRequest(isPasswordWrite, { kind: 'swallow-response' })
    const requests = await Promise.all([world.ask(lost, newPassword()), world.ask(answered, newPassword())])
    await Promise.all([held.hit, swallowed.hit])
    await first.kill()
    await second.start()
    const verdicts = await Promise.all(requests.map((request) => world.verdict(request, 60_000)))
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(['applied', 'applied'])
    expect(sentBy(second, lost)).toEqual({ sent: 1, accepted: 1 })
    expect(sentBy(second, answered).sent).toBe(0)
    await held.release()
    expect(sentBy(first, lost)).toEqual({ sent: 1, accepted: 0 })
    await first.start()
    for (const user of [lost, answered])
      expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  }, 120_000)

  const theProbe = async () => {
    const { json } = await world.admin('listProbes')
    return (json as { probes: Probe[] }).probes[0]
  }
  const runProbe = async (): Promise<Verdict> => {
    const { json } = await world.admin('runProbe', { user: 'probe' })
    return world.verdict((json as { request: string }).request, 60_000)
  }
  /** What an agent says of its probes. */
  const told = async (agent: WorldAgent) => {
    const { json } = await agent.ops('/status')
    const { conditions, probes } = json as {
      readonly conditions: readonly { readonly code: string }[]
      readonly probes: readonly { readonly last: object | null; readonly lastAppliedAt: number | null }[]
    }
    const codes = conditions.map(({ code }) => code).filter((code) => code.startsWith('probe_'))
    return { codes, ...probes[0] }
  }
  const until = async (isSo: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; !(await isSo()); tries += 1) {
      if (tries > 300) throw new Error('it did not come to be within 60 s')
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  const resultsOf = async (agent: WorldAgent): Promise<string> =>
    String((await agent.ops('/metrics')).json)
      .split('\n')
      .filter((line) => line.startsWith('writeback_probe_'))
      .join('\n')

  test('a probe goes the whole way by itself once its user is there, by one of the two agents, which says so', async () => {
    const { objectGuid: anchor, principal } = probed
    expect((await theProbe())?.problem).toContain('no user of this name')
    await world.admin('addUser', { name: 'probe', displayName: 'Probe', directory: 'corp', anchor })
    await until(async () => (await theProbe())?.last?.outcome === 'applied')
    expect(await theProbe()).toMatchObject({ late: false, problem: null })
    expect(await world.domain.canBind(principal, oldPassword())).toBe(false)
    const [password = ''] = probePasswords
    expect([probePasswords.size, await world.domain.canBind(principal, Buffer.from(password))]).toEqual([
      1,
      true,
    ])
    const metrics = await Promise.all([first, second].map(resultsOf))
    expect(metrics.join('\n').match(/results_total\{directory="corp",outcome="applied"\} 1/g)).toHaveLength(1)
    expect(metrics.join('\n').match(/last_success_timestamp_seconds\{directory="corp"\} \d+/g)).toHaveLength(
      1,
    )
    const records = [first, second].map(({ stateDirectory }) =>
      readdirSync(path.join(stateDirectory, 'audit')).map((name) =>
        readFileSync(path.join(stateDirectory, 'audit', name), 'utf8'),
      ),
    )
    expect(records.flat().join('\n')).toMatch(
      /"actor":\{"kind":"administrator","name":"probe","methods":\[\]/,
    )
  }, 90_000)

  // One kind of directory is enough for what only counts and compares.
  const testOnce = kind === 'openldap' ? test : undefined
  testOnce?.(
    'the limits hold for probes: one that is refused raises a condition, and what the other agent applies clears it',
    async () => {
      await second.stop()
      let verdict = await runProbe()
      while (verdict.outcome === 'applied' && probePasswords.size < 6) verdict = await runProbe()
      expect(verdict).toMatchObject({ outcome: 'refused', reason: 'too_many_attempts' })
      await until(async () => (await told(first)).codes.includes('probe_failed'))
      expect(await told(first)).toMatchObject({ last: { outcome: 'refused', reason: 'too_many_attempts' } })
      expect(await resultsOf(first)).toMatch(/results_total\{directory="corp",outcome="refused"\} 1/)
      await first.stop()
      await second.start()
      expect(await runProbe()).toMatchObject({ outcome: 'applied' })
      const { lastAppliedAt = null } = await told(second)
      expect(lastAppliedAt).not.toBeNull()
      await first.start()
      await until(async () => {
        const { codes, lastAppliedAt: seen } = await told(first)
        return codes.length === 0 && seen === lastAppliedAt
      })
    },
    180_000,
  )

  test('no probe’s password is readable in what store and agents wrote and answered', async () => {
    const asked = [...[first, second].map((agent) => agent.ops('/status')), world.admin('listRequests')]
    const answers = (await Promise.all(asked)).map(({ json }) => Buffer.from(JSON.stringify(json)))
    const files = readdirSync(world.directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readIfThere(path.join(entry.parentPath, entry.name)))
    expect(files.filter((bytes) => bytes.includes(probed.objectGuid)).length).toBeGreaterThan(4)
    expect(probePasswords.size).toBeGreaterThan(0)
    for (const password of probePasswords) {
      const forms = secretForms(Buffer.from(password))
      expect([...files, ...answers].flatMap((bytes) => findForms(bytes, forms))).toEqual([])
    }
  }, 60_000)
})
