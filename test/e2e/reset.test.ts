// The main job on real parts: a reset asked for at the store signs in at the directory.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { laterPassword, newPassword, oldPassword, wrongPassword } from '../servers/canaries.ts'
import { runCommand } from '../servers/child-process.ts'
import { readGuid } from '../servers/directory-admin.ts'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'
import { readEntryUuid } from '../servers/slapd-admin.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { watchForOthers } from './password-writes.ts'

type Case = readonly [string, () => Promise<string>]

/** What the directory alone can refuse: it knows whether a space is a symbol, and what the password is now. */
const REFUSED = {
  'active-directory': {
    ...{ password: () => Buffer.from('Abcdefg hij'), reason: 'password_not_complex', detail: '0000052D' },
  },
  openldap: { password: oldPassword, reason: 'password_in_history', detail: 'existing value' },
}
/** Every attribute that a reset with must-change writes the first time. */
const WRITTEN = {
  'active-directory': ['admindisplayname', 'lockouttime', 'pwdlastset', 'unicodepwd'],
  openldap: ['objectclass', 'pwdreset', 'userpassword', 'writebackmarker'],
}
const HISTORY = { 'active-directory': 24, openldap: 5 }
/** The rules of install/openldap do not even show the service account who is elsewhere. */
const OUTSIDE = {
  'active-directory': { outcome: 'failed', reason: 'missing_right' },
  openldap: { outcome: 'refused', reason: 'account_not_found' },
}

describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  let world: World<DirectoryKind>
  const binds = { operation: 'bind', direction: 'request' } as const
  const modifies = { operation: 'modify', direction: 'request' } as const
  const { watch, others } = watchForOthers()

  beforeAll(async () => {
    world = await startWorld({
      kind,
      domain: {
        ...(kind === 'active-directory' ? { services: 'ldap, kdc' } : { scheme: '{ARGON2}' as const }),
        policy: { lockoutThreshold: 3, lockoutDurationMs: 1_800_000, lockoutWindowMs: 1_800_000 },
      },
      watch: () => watch,
    })
  }, 60_000)
  afterAll(() => world.stop())

  const kinit = async ({ accountName }: WorldUser, password: Buffer): Promise<void> => {
    const { domain, directory } = world
    if (domain.kind !== 'active-directory') return
    await runCommand('kinit', ['-c', `FILE:${directory}/ccache`, `${accountName}@${domain.realm}`], {
      input: `${password}\n`,
      env: { KRB5_CONFIG: domain.krb5ConfigFile },
    })
  }

  test('a new password signs in by LDAP bind, and by kinit where there is one, and the old one no longer does', async () => {
    const alice = await world.createUser({ name: 'alice' })
    const verdict = await world.reset(alice, newPassword())
    expect(verdict).toMatchObject({ outcome: 'applied', reason: null })
    expect(verdict.stages.map(({ stage }) => stage)).toEqual([
      'created',
      'sealed',
      'claimed',
      'received',
      'closed',
    ])
    expect(await world.domain.canBind(alice.principal, newPassword())).toBe(true)
    await kinit(alice, newPassword())
    expect(await world.domain.canBind(alice.principal, oldPassword())).toBe(false)
  })

  test('a reset unlocks a locked account in the same modify, and leaves it locked when asked to', async () => {
    const bob = await world.createUser({ name: 'bob' })
    const lock = async () => {
      for (let attempt = 0; attempt < 4; attempt += 1)
        await world.domain.canBind(bob.principal, wrongPassword())
      expect((await world.domain.readAccount(bob.dn)).locked).toBe(true)
    }
    await lock()
    world.proxy?.forget()
    expect(await world.reset(bob, newPassword())).toMatchObject({ outcome: 'applied' })
    expect(world.proxy?.count(modifies)).toBe(1)
    expect(await world.domain.canBind(bob.principal, newPassword())).toBe(true)
    await lock()
    expect(await world.reset(bob, laterPassword(), { unlock: false })).toMatchObject({ outcome: 'applied' })
    expect((await world.domain.readAccount(bob.dn)).locked).toBe(true)
  })

  test('mustChangeAtNextSignIn is set in the same modify and nothing else is written', async () => {
    const carol = await world.createUser({ name: 'carol' })
    world.proxy?.forget()
    expect(await world.reset(carol, newPassword(), { mustChangeAtNextSignIn: true })).toMatchObject({
      outcome: 'applied',
    })
    expect((await world.domain.readAccount(carol.dn)).mustChange).toBe(true)
    const written =
      world.proxy
        ?.messages()
        .filter(({ operation, direction }) => operation === 'modify' && direction === 'request') ?? []
    expect(
      written.flatMap(({ changes }) => changes?.map(({ attribute }) => attribute.toLowerCase()) ?? []).sort(),
    ).toEqual(WRITTEN[kind])
  })

  test('a password that breaks a rule is refused with the rule and the policy, and nothing is sent', async () => {
    const dora = await world.createUser({ name: 'dora' })
    world.proxy?.forget()
    expect(await world.reset(dora, Buffer.from('short'))).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_too_short', detail: null },
      rule: { kind: 'minimum_length', characters: 7 },
      policy: { name: 'domain', minimumLength: 7, historyLength: HISTORY[kind], lockoutThreshold: 3 },
    })
    expect(world.proxy?.count(modifies)).toBe(0)
  })

  test('a password that the directory refuses is refused with its word, and nothing changed', async () => {
    const dave = await world.createUser({ name: 'dave' })
    const { password, reason, detail } = REFUSED[kind]
    const verdict = await world.reset(dave, password())
    expect(verdict).toMatchObject({ outcome: 'refused', reason })
    expect(verdict.detail).toContain(detail)
    expect(await world.domain.canBind(dave.principal, oldPassword())).toBe(true)
    expect((await world.domain.readAccount(dave.dn)).marker).toBeUndefined()
  })

  test('a second reset of the same user overwrites the first one', async () => {
    const erin = await world.createUser({ name: 'erin' })
    const both = await Promise.all([world.ask(erin, newPassword()), world.ask(erin, laterPassword())])
    const verdicts = await Promise.all(both.map((id) => world.verdict(id)))
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(expect.arrayContaining(['applied']))
    const marker = String((await world.domain.readAccount(erin.dn)).marker)
    const last = verdicts
      .filter(({ outcome }) => outcome === 'applied')
      .find(({ request }) => marker.includes(request.replaceAll('-', '')))
    const password = last?.request === both[0] ? newPassword() : laterPassword()
    expect(await world.domain.canBind(erin.principal, password)).toBe(true)
  })

  test('a change made by somebody else after the request was issued is not overwritten', async () => {
    const frank = await world.createUser({ name: 'frank' })
    await world.admin('setPause', { paused: true })
    const request = await world.ask(frank, newPassword())
    await new Promise((resolve) => setTimeout(resolve, 4_500))
    await world.domain.setPassword(frank.dn, laterPassword())
    await world.admin('setPause', { paused: false })
    expect(await world.verdict(request)).toMatchObject({ outcome: 'superseded' })
    expect(await world.domain.canBind(frank.principal, laterPassword())).toBe(true)
  }, 60_000)

  describe('who must not be written', () => {
    const protectedOnes: Readonly<Record<DirectoryKind, readonly Case[]>> = {
      'active-directory': [
        [
          'an account with adminCount 1',
          async () => (await world.createUser({ name: 'boss', attributes: { adminCount: '1' } })).objectGuid,
        ],
        [
          'a computer',
          () =>
            addEntry(`CN=pc1,${world.domain.peopleDn}`, {
              ...{ objectClass: 'computer', sAMAccountName: 'pc1$', userAccountControl: '4096' },
            }),
        ],
        ['krbtgt', () => anchorOf(`CN=krbtgt,CN=Users,${world.domain.baseDn}`)],
        ['the Administrator', () => anchorOf(world.domain.adminDn)],
        ['the service account itself', () => anchorOf(world.domain.serviceAccountDn)],
      ],
      openldap: [
        ['the service account itself', () => anchorOf(world.domain.serviceAccountDn)],
        [
          'a group among the people',
          () =>
            addEntry(`cn=staff,${world.domain.peopleDn}`, {
              ...{ objectClass: 'groupOfNames', cn: 'staff', member: world.domain.peopleDn },
            }),
        ],
        ['the unit of the people', () => anchorOf(world.domain.peopleDn)],
      ],
    }
    const nobody: Case = ['an anchor that nobody has', async () => '00000000-1111-4222-8333-444444444444']

    test.each([
      ...protectedOnes[kind].map(([name, find]) => [name, find, 'account_protected'] as const),
      [...nobody, 'account_not_found'] as const,
    ])('%s', async (name, find, reason) => {
      const anchor = await find()
      await world.admin('addUser', { name, displayName: name, directory: 'corp', anchor })
      world.proxy?.forget()
      expect(await world.reset({ anchor }, newPassword())).toMatchObject({ outcome: 'refused', reason })
      expect(world.proxy?.count(modifies)).toBe(0)
    })

    test('an account outside what the service account was granted: nothing changed', async () => {
      const outside = await world.createUser({ name: 'outside', ou: 'Outside' })
      expect(await world.reset(outside, newPassword())).toMatchObject(OUTSIDE[kind])
      expect(await world.domain.canBind(outside.principal, oldPassword())).toBe(true)
    })
  })

  async function anchorOf(dn: string): Promise<string> {
    const admin = await world.domain.admin()
    return kind === 'openldap' ? readEntryUuid(admin, dn) : readGuid(admin, dn)
  }

  async function addEntry(dn: string, attributes: Record<string, string>): Promise<string> {
    await (await world.domain.admin()).add(dn, attributes)
    return anchorOf(dn)
  }

  test.each([
    'Comma, Plus+ "quoted"',
    'Back\\slash; <angle> = / #hash',
    '# leading hash',
    ' spaces at the ends ',
    'Zoë 東京 🗝',
  ])('an account named %j is found and written', async (name) => {
    // Active Directory names entries by the common name, OpenLDAP here by the account's.
    const short = kind === 'openldap' ? {} : { accountName: `awk${[...name].length}` }
    const user = await world.createUser({ name, ...short })
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
    expect(await world.domain.canBind(user.principal, newPassword())).toBe(true)
  })

  test.each([
    'Grüße aus 東京 7',
    '"quoted" \\ back / slash 7A',
    ' spaces around 7A ',
    '🗝🗝🗝 Aa7 \u{10FFFF}',
    'e\u0301 combining Aa7',
    `${'lång-'.repeat(50)}A7`,
  ])('the password %j goes through unchanged', async (text) => {
    const password = Buffer.from(text)
    const user = await world.createUser({ name: `pw${Buffer.from(text).toString('hex').slice(0, 12)}` })
    expect(await world.reset(user, password)).toMatchObject({ outcome: 'applied' })
    expect(await world.domain.canBind(user.principal, password)).toBe(true)
  })

  test('the agent only read and modified, and never bound as a user', () => {
    expect(others).toEqual([])
    const names = new Set(
      world.proxy
        ?.messages()
        .filter(({ operation, direction }) => operation === binds.operation && direction === binds.direction)
        .map(({ dn }) => dn),
    )
    names.delete(world.domain.serviceAccountName)
    expect([...names]).toEqual([])
  })

  test('a request asked for while writing is paused waits, and is written once afterwards', async () => {
    const grace = await world.createUser({ name: 'grace' })
    await world.admin('setPause', { paused: true })
    const request = await world.ask(grace, newPassword())
    world.proxy?.forget()
    expect(await world.verdict(request, 2_000)).toMatchObject({ outcome: null })
    expect(world.proxy?.count(modifies)).toBe(0)
    await world.admin('setPause', { paused: false })
    expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
    expect(world.proxy?.count(modifies)).toBe(1)
  })

  test('the operators’ socket tells that the agent is ready', async () => {
    const { json: list } = await world.admin('listAgents')
    expect(list).toMatchObject({ agents: [{ name: 'agent-1', state: 'active', version: '0.1.0' }] })
    expect(await world.ops('/readyz')).toMatchObject({ status: 200, json: { ready: true } })
    expect(await world.ops('/livez')).toMatchObject({ status: 200 })
    const { json } = await world.ops('/status')
    expect(json).toMatchObject({
      ready: true,
      paused: false,
      directories: [{ name: 'corp', connected: true }],
      requests: { open: 0, undelivered: 0 },
    })
  })
})
