// Protection and scope on real parts: whoever must not be written is refused before any modify message leaves the agent,
// though the directory itself would have let the service account write nearly all of them.

import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { adminPassword, newPassword, oldPassword, servicePassword } from '../servers/canaries.ts'
import { ldapClient, readEntry, readGuid, setPassword } from '../servers/directory-admin.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'
import { type CorpusDomain, layOutCorpus } from './corpus-domain.ts'
import { ALLOWED, type CorpusRow, OUT_OF_SCOPE, PROTECTED, SCOPE_SETTINGS } from './protected-corpus.ts'

let world: World
let corpus: CorpusDomain
/** What became of each row: its account, or why it could not be made. */
const made = new Map<
  string,
  { readonly dn: string; readonly anchor: string } | { readonly failed: unknown }
>()
const ROWS = [...PROTECTED, ...OUT_OF_SCOPE, ...ALLOWED]
const modifies = { operation: 'modify', direction: 'request' } as const

beforeAll(async () => {
  world = await startWorld({
    directorySettings: SCOPE_SETTINGS,
    beforeAgent: async (_directory, domain) => {
      corpus = await layOutCorpus(domain)
    },
  })
  for (const row of ROWS) made.set(row.name, await make(row).catch((failed: unknown) => ({ failed })))
  // So nothing but protection stands between most of them and a write.
  for (const { name } of PROTECTED) await corpus.member(accountOf(name).dn)
  const dns = [...made.values()].flatMap((one) => ('dn' in one ? [one.dn] : []))
  const account = corpus.domain.serviceAccountDn
  await corpus.domain.edit(...corpus.edits(), { edit: 'allow_writing', account, dns })
  await Promise.all([...made].map(([name, one]) => 'anchor' in one && link(name, one.anchor)))
  for (const { name, afterLink } of ROWS) await afterLink?.(corpus, accountOf(name).dn)
}, 120_000)
afterAll(() => world?.stop())

async function make({ make }: CorpusRow) {
  const dn = await make(corpus)
  return { dn, anchor: await readGuid(await corpus.domain.admin(), dn) }
}

const link = (name: string, anchor: string) =>
  world.admin('addUser', { name, displayName: name, directory: 'corp', anchor })

function accountOf(name: string) {
  const one = made.get(name)
  if (one && 'dn' in one) return one
  throw new Error(`${name} could not be made`, { cause: one?.failed })
}

/** The modify messages to one entry that left the agent, writes and fences, as the proxy saw them. */
const modifiesOf = (anchor: string) =>
  (world.proxy?.messages() ?? []).filter(
    ({ operation, direction, dn }) =>
      operation === 'modify' && direction === 'request' && dn?.includes(anchor) === true,
  )

/** What a write of any kind would have moved; undefined when the entry is gone. */
async function stateOf(anchor: string) {
  const wish = ['uSNChanged', 'pwdLastSet', 'lockoutTime', 'adminDisplayName', 'userPrincipalName']
  return readEntry(await corpus.domain.admin(), `<GUID=${anchor}>`, wish).catch(() => undefined)
}

/** Who cannot sign in by a simple bind, whatever the password is. */
const NO_BIND = ['member of Protected Users', 'trust account', 'the service account']
/** What has no password, is gone, or may have its password set by the system alone. */
const NOT_WRITABLE = [
  ...['group managed service account', 'trust account', 'contact', 'group', 'unit', 'AdminSDHolder'],
  ...['deleted after the link', 'deleted, and made again with the same name'],
]
const SECOND_OPERATIONS = ['change', 'unlock'] as const
const ACTORS = ['self', 'help_desk', 'administrator'] as const

/** Asks for everything that could be written, and for the state of the account. */
async function askAll(name: string, index: number) {
  const { anchor } = accountOf(name)
  const second = SECOND_OPERATIONS[index % 2] ?? 'change'
  const actor = { kind: ACTORS[index % 3] ?? 'self' }
  const passwords = second === 'change' ? { passwords: [oldPassword(), newPassword()] } : {}
  return [
    await world.reset({ anchor }, newPassword()),
    ...(await Promise.all([
      world.run(second, { anchor }, { ...passwords, actor }),
      world.run('inspect', { anchor }),
    ])),
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
  ['protected', 'account_protected', PROTECTED],
  ['out of scope', 'account_out_of_scope', OUT_OF_SCOPE],
] as const)('%s', (_list, usual, rows) => {
  const asked = new Map<string, PromiseSettledResult<Asked>>()
  beforeAll(async () => {
    world.proxy?.forget()
    const answers = await Promise.allSettled(rows.map(({ name }, index) => askRow(name, index)))
    for (const [index, { name }] of rows.entries())
      asked.set(name, answers[index] as (typeof answers)[number])
  }, 60_000)

  test.each(rows)('$name', async ({ name, reason = usual }) => {
    const answer = asked.get(name)
    if (answer?.status !== 'fulfilled') throw answer?.reason
    const { before, verdicts } = answer.value
    expect(verdicts).toHaveLength(3)
    for (const verdict of verdicts)
      expect(verdict).toMatchObject({ outcome: 'refused', reason, account: null, policy: null })
    expect(modifiesOf(accountOf(name).anchor)).toEqual([])
    expect(await stateOf(accountOf(name).anchor)).toEqual(before)
    expect(before?.['adminDisplayName'] ?? []).toEqual([])
    const principal = before?.['userPrincipalName']
    if (typeof principal === 'string' && !NO_BIND.includes(name))
      expect([principal, await world.domain.canBind(principal, oldPassword())]).toEqual([principal, true])
  })

  test('not one modify message was sent for any of them', () => {
    expect(world.proxy?.count({ operation: 'search', direction: 'request' })).toBeGreaterThan(rows.length)
    expect(world.proxy?.count(modifies)).toBe(0)
  })
})

test('the corpus holds at least 40 identities besides the allowed ones', () => {
  expect(PROTECTED.length + OUT_OF_SCOPE.length).toBeGreaterThanOrEqual(40)
  expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length)
})

test.each(ALLOWED)('allowed: $name', async ({ name }) => {
  const { anchor } = accountOf(name)
  world.proxy?.forget()
  expect(await world.reset({ anchor }, newPassword())).toMatchObject({ outcome: 'applied', reason: null })
  expect(world.proxy?.count(modifies)).toBe(1)
  const principal = String((await stateOf(anchor))?.['userPrincipalName'])
  expect(await world.domain.canBind(principal, newPassword())).toBe(true)
  expect(await world.run('unlock', { anchor })).toMatchObject({ outcome: 'applied' })
})

test('an account that comes into the scope, or leaves it, is judged by where it is now', async () => {
  const dn = await corpus.user('newcomer')
  const anchor = await readGuid(await corpus.domain.admin(), dn)
  await link('newcomer', anchor)
  const reason = async () => (await world.run('unlock', { anchor })).reason
  const reasons = [await reason()]
  await corpus.member(dn)
  reasons.push(await reason())
  await corpus.addMember(corpus.groupDn('Domain Admins'), dn)
  reasons.push(await reason())
  await corpus.removeMember(corpus.groupDn('Domain Admins'), dn)
  await corpus.removeMember(corpus.names.scope, dn)
  reasons.push(await reason())
  expect(reasons).toEqual(['account_out_of_scope', null, 'account_protected', 'account_out_of_scope'])
})

test('a store that signs what it likes does not widen the scope', async () => {
  const { anchor } = accountOf('adminCount 1')
  const outside = accountOf('another unit')
  const allowed = accountOf('a member of the group')
  await world.store.stop()
  // Whose entry the store believes to be behind an anchor.
  const database = new DatabaseSync(path.join(world.directory, 'store', 'store.db'))
  const pin = database.prepare('UPDATE users SET object_guid = ? WHERE anchor = ?')
  pin.run(allowed.anchor, anchor)
  pin.run(allowed.anchor, outside.anchor)
  pin.run(anchor, allowed.anchor)
  database.close()
  await world.store.start()
  world.proxy?.forget()
  const states = await Promise.all([stateOf(anchor), stateOf(outside.anchor)])
  for (const kind of ACTORS)
    for (const target of [anchor, outside.anchor]) {
      const wish = {
        passwords: [newPassword()],
        actor: { kind, name: 'Administrator', methods: ['smartcard'] },
      }
      // An objectGUID needs no pin; one that names another entry is a fault of the store.
      expect(await world.run('reset', { anchor: target }, wish)).toMatchObject({
        ...{ outcome: 'failed', reason: 'request_invalid' },
      })
    }
  await world.reset({ anchor: allowed.anchor }, newPassword())
  expect(await Promise.all([stateOf(anchor), stateOf(outside.anchor)])).toEqual(states)
  expect([...modifiesOf(anchor), ...modifiesOf(outside.anchor)]).toEqual([])
}, 60_000)

test('a configured group that is not there stops all writing, and once it is there, writing goes on', async () => {
  const [dn, missing] = [corpus.names.executives, 'CN=Directors,OU=Outside,DC=corp,DC=test']
  await world.agent.stop()
  const configured = readFileSync(world.agentConfigFile, 'utf8')
  writeFileSync(world.agentConfigFile, configured.replace('CN=Executives,', 'CN=Directors,'))
  // It runs, and is not ready: its start resolves when the group is there.
  const started = world.agent.start()
  const detail = `protection.groups names ${missing}: no such entry`
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
  world.proxy?.forget()
  const request = await world.request('unlock', accountOf('a sub-unit'))
  expect(await world.verdict(request, 1_000)).toMatchObject({ outcome: null })
  expect(world.proxy?.count(modifies)).toBe(0)
  await (await world.domain.admin()).modifyDN(dn, missing)
  await started
  expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
  expect(await world.run('unlock', accountOf('nested in a configured group'))).toMatchObject({
    ...{ outcome: 'refused', reason: 'account_protected' },
  })
}, 60_000)

test('it was the agent that refused: the directory lets the service account write them', async () => {
  const client = await ldapClient(world.domain.url)
  await client.bind(world.domain.serviceAccountName, servicePassword().toString())
  const refused: string[] = []
  for (const { name } of [...PROTECTED, ...OUT_OF_SCOPE]) {
    const password =
      { Administrator: adminPassword(), 'the service account': servicePassword() }[name] ?? newPassword()
    const target = `<GUID=${accountOf(name).anchor}>`
    await setPassword(client, target, password).catch(() => refused.push(name))
  }
  await client.unbind()
  expect(refused).toEqual(NOT_WRITABLE)
}, 60_000)
