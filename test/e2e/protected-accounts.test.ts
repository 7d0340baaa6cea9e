// Protection and scope on real parts: whoever must not be written is refused before any modify message leaves the agent,
// though the directory itself would have let the service account write nearly all of them. One suite for both kinds of directory.

import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { newPassword, oldPassword } from '../servers/canaries.ts'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'
import type { Corpus, CorpusName } from './corpus.ts'
import { activeDirectoryCorpus } from './corpus-domain.ts'
import { openLdapCorpus } from './openldap-corpus.ts'
import { isAbout } from './password-writes.ts'

const CORPORA: Readonly<Record<DirectoryKind, Corpus>> = {
  'active-directory': activeDirectoryCorpus(),
  openldap: openLdapCorpus(),
}
const modifies = { operation: 'modify', direction: 'request' } as const
const SECOND_OPERATIONS = ['change', 'unlock', 'inspect'] as const
const ACTORS = ['self', 'help_desk', 'administrator'] as const

/** An entry of a row, or why it could not be made. */
type Made = { readonly dn: string; readonly anchor: string } | { readonly failed: unknown }

describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  const corpus = CORPORA[kind]
  const untouched = [...corpus.protected, ...corpus.outOfScope]
  const rows = [...untouched, ...corpus.allowed]
  const made = new Map<string, Made>()
  let world: World<DirectoryKind>
  let proxy: LdapProxy

  beforeAll(async () => {
    world = await startWorld<DirectoryKind>({
      kind,
      directorySettings: corpus.settings,
      beforeAgent: (_directory, domain) => corpus.layOut(domain),
    })
    proxy = world.proxy as LdapProxy
    for (const { name } of rows) made.set(name, await make(name).catch((failed: unknown) => ({ failed })))
    const { addMember, groups } = corpus.tools()
    // So nothing but protection stands between most of them and a write.
    for (const { name } of corpus.protected) await addMember(groups.scope, accountOf(name).dn)
    await corpus.finish([...made.values()].flatMap((one) => ('dn' in one ? [one.dn] : [])))
    await Promise.all([...made].map(([name, one]) => 'anchor' in one && link(name, one.anchor)))
    for (const { name } of rows) await corpus.afterLink(name, accountOf(name).dn)
  }, 120_000)
  afterAll(() => world?.stop())

  async function make(name: string): Promise<Made> {
    const dn = await corpus.make(name)
    return { dn, anchor: await corpus.tools().readAnchor(dn) }
  }
  const link = (name: string, anchor: string) =>
    world.admin('addUser', { name, displayName: name, directory: 'corp', anchor })

  function accountOf(name: string) {
    const one = made.get(name)
    if (one && 'dn' in one) return one
    throw new Error(`${name} could not be made`, { cause: one?.failed })
  }

  /** The modify messages to one entry that left the agent, writes and fences, as the proxy saw them. */
  const modifiesOf = (account: { readonly dn: string; readonly anchor: string }) =>
    proxy
      .messages()
      .filter(
        (message) =>
          message.operation === 'modify' && message.direction === 'request' && isAbout(message, account),
      )
  const stateOf = (anchor: string) => corpus.tools().stateOf(anchor)

  /** Asks for a reset of each, and for what else there is of one after the other, as everybody in turn. */
  async function askAll(name: string, index: number) {
    const { anchor } = accountOf(name)
    const second = SECOND_OPERATIONS[index % 3] ?? 'change'
    const actor = { kind: ACTORS[Math.floor(index / 3) % 3] ?? 'self' }
    const passwords = second === 'change' ? { passwords: [oldPassword(), newPassword()] } : {}
    return [
      await world.reset({ anchor }, newPassword()),
      await world.run(second, { anchor }, { ...passwords, actor }),
    ]
  }

  /** What was asked of a row, and how its entry was before. All rows of a list are asked for together. */
  interface Asked {
    readonly before: Awaited<ReturnType<typeof stateOf>>
    readonly verdicts: Awaited<ReturnType<typeof askAll>>
  }
  async function askRow(name: string, index: number): Promise<Asked> {
    const before = await stateOf(accountOf(name).anchor)
    return { before, verdicts: await askAll(name, index) }
  }

  describe.each([
    ['protected', 'account_protected', corpus.protected],
    ['out of scope', 'account_out_of_scope', corpus.outOfScope],
  ] as const)('%s', (_list, usual, list) => {
    const asked = new Map<string, PromiseSettledResult<Asked>>()
    beforeAll(async () => {
      proxy.forget()
      const answers = await Promise.allSettled(list.map(({ name }, index) => askRow(name, index)))
      for (const [index, { name }] of list.entries())
        asked.set(name, answers[index] as (typeof answers)[number])
    }, 60_000)

    test.each<CorpusName>(list)('$name', async ({ name, reason = usual }) => {
      const answer = asked.get(name)
      if (answer?.status !== 'fulfilled') throw answer?.reason
      const { before, verdicts } = answer.value
      expect(verdicts).toHaveLength(2)
      for (const verdict of verdicts)
        expect(verdict).toMatchObject({ outcome: 'refused', reason, account: null, policy: null })
      expect(modifiesOf(accountOf(name))).toEqual([])
      const after = await stateOf(accountOf(name).anchor)
      expect(after).toEqual(before)
      expect(after?.marker).toBeUndefined()
      const principal = after?.principal
      if (principal !== undefined)
        expect([principal, await world.domain.canBind(principal, oldPassword())]).toEqual([principal, true])
    })

    test('not one modify message was sent for any of them', () => {
      expect(proxy.count({ operation: 'search', direction: 'request' })).toBeGreaterThan(list.length)
      expect(proxy.count(modifies)).toBe(0)
    })
  })

  test('the corpus holds many identities besides the allowed ones, each once', () => {
    expect(untouched.length).toBeGreaterThanOrEqual(corpus.identities)
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
  })

  test.each<CorpusName>(corpus.allowed)('allowed: $name', async ({ name }) => {
    const { anchor } = accountOf(name)
    proxy.forget()
    expect(await world.reset({ anchor }, newPassword())).toMatchObject({ outcome: 'applied', reason: null })
    expect(proxy.count(modifies)).toBe(1)
    const principal = String((await stateOf(anchor))?.principal)
    expect(await world.domain.canBind(principal, newPassword())).toBe(true)
    expect(await world.run('unlock', { anchor })).toMatchObject({ outcome: 'applied' })
  })

  test('an account that comes into the scope, or leaves it, is judged by where it is now', async () => {
    const { user, readAnchor, addMember, removeMember, groups } = corpus.tools()
    const dn = await user('newcomer')
    const anchor = await readAnchor(dn)
    await link('newcomer', anchor)
    const reason = async () => (await world.run('unlock', { anchor })).reason
    const reasons = [await reason()]
    await addMember(groups.scope, dn)
    reasons.push(await reason())
    await addMember(groups.mighty, dn)
    reasons.push(await reason())
    await removeMember(groups.mighty, dn)
    await removeMember(groups.scope, dn)
    reasons.push(await reason())
    expect(reasons).toEqual(['account_out_of_scope', null, 'account_protected', 'account_out_of_scope'])
  })

  test('a store that signs what it likes does not widen the scope', async () => {
    const { samples } = corpus
    const [mighty, outside, allowed] = [samples.mighty, samples.outside, samples.written].map(accountOf) as [
      ...[ReturnType<typeof accountOf>, ReturnType<typeof accountOf>, ReturnType<typeof accountOf>],
    ]
    await world.store.stop()
    // Whose entry the store believes to be behind an anchor.
    const database = new DatabaseSync(path.join(world.directory, 'store', 'store.db'))
    const pin = database.prepare('UPDATE users SET object_guid = ? WHERE anchor = ?')
    pin.run(allowed.anchor, mighty.anchor)
    pin.run(allowed.anchor, outside.anchor)
    pin.run(mighty.anchor, allowed.anchor)
    database.close()
    await world.store.start()
    proxy.forget()
    const states = await Promise.all([stateOf(mighty.anchor), stateOf(outside.anchor)])
    for (const actor of ACTORS)
      for (const { anchor } of [mighty, outside]) {
        const wish = {
          passwords: [newPassword()],
          actor: { kind: actor, name: 'Administrator', methods: ['smartcard'] },
        }
        // An anchor of either kind needs no pin; one that names another entry is a fault of the store.
        expect(await world.run('reset', { anchor }, wish)).toMatchObject({
          ...{ outcome: 'failed', reason: 'request_invalid' },
        })
      }
    await world.reset({ anchor: allowed.anchor }, newPassword())
    expect(await Promise.all([stateOf(mighty.anchor), stateOf(outside.anchor)])).toEqual(states)
    expect([...modifiesOf(mighty), ...modifiesOf(outside)]).toEqual([])
  }, 60_000)

  test('a configured group that is not there stops all writing, and once it is there, writing goes on', async () => {
    const { from, to } = corpus.renamed
    const nameIn = (dn: string) => `${dn.split(',')[0]},`
    await world.agent.stop()
    const configured = readFileSync(world.agentConfigFile, 'utf8')
    writeFileSync(world.agentConfigFile, configured.replace(nameIn(from), nameIn(to)))
    // It runs, and is not ready: its start resolves when the group is there.
    const started = world.agent.start()
    const detail = `protection.groups names ${to}: no such entry`
    const end = performance.now() + 20_000
    while (!JSON.stringify(await world.ops('/status').catch(() => '')).includes(detail)) {
      if (performance.now() > end) throw new Error('the agent does not tell of the missing group')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(await world.ops('/readyz')).toMatchObject({
      status: 503,
      json: {
        conditions: expect.arrayContaining([expect.objectContaining({ code: 'directory_unreachable' })]),
      },
    })
    proxy.forget()
    const request = await world.request('unlock', accountOf('a sub-unit'))
    expect(await world.verdict(request, 1_000)).toMatchObject({ outcome: null })
    expect(proxy.count(modifies)).toBe(0)
    await corpus.tools().rename(from, to)
    await started
    expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
    expect(await world.run('unlock', accountOf(corpus.samples.executive))).toMatchObject({
      ...{ outcome: 'refused', reason: 'account_protected' },
    })
  }, 60_000)

  test('it was the agent that refused: the directory lets the service account write them', async () => {
    const asked = untouched.map(({ name }) => ({ name, ...accountOf(name) }))
    expect(await corpus.tools().refusedOf(asked)).toEqual(corpus.notWritable)
  }, 60_000)
})
