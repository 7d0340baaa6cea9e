// Every operation on an account in every state, on real parts: what the user is told, and what the directory holds then. One
// suite for both kinds of directory.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { CLOCK_UNCERTAINTY_MS, type Operation } from '../../src/protocol/identifiers.ts'
import type { Verdict } from '../../src/protocol/sealer-calls.ts'
import { laterPassword, newPassword, oldPassword } from '../servers/canaries.ts'
import type { NewUser } from '../servers/directory-admin.ts'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'
import type { RecordedMessage } from '../servers/ldap-faults.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import type { DomainEdit } from '../servers/samba-template.ts'
import type { World, WorldUser } from '../servers/writeback-world.ts'
import { isAbout } from './password-writes.ts'
import { policyFacts, unreadablePolicyFacts } from './policy-facts.ts'
import { CELLS, type Cell, type Event, RACES, type Race, STATES_ONLY_IN, type Wish } from './state-cells.ts'
import {
  BRIEF_LOCKOUT_MS,
  dialectOf,
  LOCKOUT_THRESHOLD,
  lock,
  type State,
  type StateDialect,
  startStates,
} from './state-dialects.ts'

const MODIFY = { operation: 'modify', direction: 'request' } as const
const PASSWORDS = {
  reset: () => [newPassword()],
  change: () => [oldPassword(), newPassword()],
  unlock: () => [],
  inspect: () => [],
} as const satisfies Record<Operation, () => Buffer[]>
const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  let world: World<DirectoryKind>
  let dialect: StateDialect
  let proxy: LdapProxy
  let number = 0

  beforeAll(async () => {
    world = await startStates(kind)
    dialect = dialectOf(world)
    proxy = world.proxy as LdapProxy
  }, 60_000)
  afterAll(() => world?.stop())

  const newUser = (user: Partial<NewUser> = {}): Promise<WorldUser> => {
    number += 1
    return world.createUser({ name: `member ${number}`, ...user })
  }
  const run = (operation: Operation, user: WorldUser, { actor = 'administrator', options = {} }: Wish = {}) =>
    world.run(operation, user, { passwords: PASSWORDS[operation](), options, actor: { kind: actor } })
  const parts = () => ({ world, dialect, proxy, newUser })

  // While the service account may read no policy.
  if (kind === 'active-directory') unreadablePolicyFacts(parts)

  describe('in every state', () => {
    const users = new Map<string, WorldUser>()
    const cells = CELLS.filter(({ only, state }) => (only ?? STATES_ONLY_IN[state] ?? kind) === kind)

    beforeAll(async () => {
      const edits: DomainEdit[] = []
      const make = async ({ title, state }: Cell) => {
        const { attributes, edit, prepare } = dialect.states[state] as State
        const user = await newUser(attributes ? { attributes } : {})
        users.set(title, user)
        await prepare?.(user)
        if (edit) edits.push(edit(user.dn))
      }
      const isBrief = ({ state }: Cell) => state === 'lockout expired'
      for (const cell of cells.filter(isBrief)) await make(cell)
      // By then a guard that doubts the clock is sure, too, that the lockout is over.
      const isOver = after(BRIEF_LOCKOUT_MS + CLOCK_UNCERTAINTY_MS + 500)
      await Promise.all(cells.filter((cell) => !isBrief(cell)).map(make))
      await dialect.edit(edits)
      await isOver
    }, 60_000)

    test.each(cells)('$title', async (cell) => {
      const user = users.get(cell.title) as WorldUser
      const isWrite = cell.ends === 'applied' && cell.operation !== 'inspect'
      const before = await dialect.writesOf(user.dn)
      if (cell.state === 'locked')
        expect(await world.domain.readAccount(user.dn)).toMatchObject({ locked: true, badPwdCount: 3 })
      proxy.forget()
      const verdict = await run(cell.operation, user, cell)
      expectEnd(verdict, cell)
      expect(proxy.count(MODIFY)).toBe(isWrite ? 1 : 0)
      if (!isWrite) expect(await dialect.writesOf(user.dn)).toEqual(before)
      await expectAccount(user, cell, verdict)
    })

    function expectEnd(verdict: Verdict, { operation, ends, notices = [], tells, tellsBy }: Cell): void {
      const isApplied = ends === 'applied'
      expect(verdict).toMatchObject({
        outcome: isApplied ? 'applied' : 'refused',
        reason: isApplied ? null : ends,
        ...(tells ? { account: { ...tells, ...tellsBy?.[kind] } } : { account: null }),
      })
      expect(new Set(verdict.notices)).toEqual(
        new Set(isApplied ? [...dialect.notices[operation], ...notices] : []),
      )
    }

    /** The end state: lockout, must-change, marker, and which of the passwords is the valid one. */
    async function expectAccount(user: WorldUser, cell: Cell, { request }: Verdict): Promise<void> {
      const { operation, ends, state, signIn = 'ok', mustChange = false } = cell
      const isLock = dialect.states[state]?.isLock === true
      const isLocked = cell.locked === true || isLock
      const account = await world.domain.readAccount(user.dn)
      expect(account).toMatchObject({ locked: isLocked, mustChange })
      const isApplied = ends === 'applied'
      if (isApplied && operation !== 'inspect') expect(account.marker).toContain(request.replaceAll('-', ''))
      else expect(account.marker).toBeUndefined()
      if (isApplied && operation === 'unlock' && !isLock)
        expect(account).toMatchObject({ badPwdCount: 0, lockoutTime: 0n })
      const isNew = isApplied && (operation === 'reset' || operation === 'change')
      const [right, wrong] = isNew ? [newPassword(), oldPassword()] : [oldPassword(), newPassword()]
      const expected = dialect.signInsOf(isLocked ? 'disabled' : signIn)
      const known = kind === 'active-directory' ? dialect.signInsOf(signIn) : expected
      expect(await dialect.signIns(user, right, wrong, isLocked)).toEqual(known)
    }
  })

  describe('when something happens between read and write', () => {
    const unit = (name: string, below: string) => `OU=${name},${below}`
    const moveBelow = async ({ dn }: WorldUser, to: string): Promise<string> => {
      const moved = `${dn.split(',')[0]},${to}`
      await (await world.domain.admin()).modifyDN(dn, moved)
      return moved
    }
    const staff = () => unit('Staff', world.domain.peopleDn)
    const elsewhere = () => unit('Elsewhere', world.domain.baseDn)
    const events = {
      'moved within the scope': (user) => moveBelow(user, staff()),
      'moved out of the scope': (user) => moveBelow(user, elsewhere()),
      renamed: (user) => dialect.rename(user),
      deleted: async ({ dn }) => {
        await (await world.domain.admin()).del(dn)
        return undefined
      },
      'deleted and created anew': async ({ dn, accountName }) => {
        await (await world.domain.admin()).del(dn)
        const name = dn.slice(dn.indexOf('=') + 1, dn.indexOf(','))
        return (await world.domain.createUser({ name, accountName, password: laterPassword() })).dn
      },
    } as const satisfies Record<Event, (user: WorldUser) => Promise<string | undefined>>

    beforeAll(async () => {
      for (const dn of [staff(), elsewhere()])
        await (await world.domain.admin()).add(dn, { objectClass: 'organizationalUnit' })
    })

    /** The message by which an operation goes to the account: its write; the read of an inspect. */
    const isHeld = (operation: Operation, user: WorldUser) => (message: RecordedMessage) => {
      if (operation !== 'inspect') return message.operation === 'modify' && isAbout(message, user)
      // OpenLDAP is asked for an account by a filter below the base.
      const isBelowBase = kind === 'openldap' && message.dn === world.domain.baseDn
      return message.operation === 'search' && (isAbout(message, user) || isBelowBase)
    }

    /** Runs an operation whose write (of an inspect: read) is held until `event` has happened. */
    async function runAround<T>(operation: Operation, user: WorldUser, event: () => Promise<T>) {
      const rule = proxy.onRequest(isHeld(operation, user), { kind: 'hold' })
      proxy.forget()
      const request = await world.request(operation, user, { passwords: PASSWORDS[operation]() })
      await rule.hit
      const happened = await event()
      const verdict = world.verdict(request)
      await rule.release()
      return { happened, verdict: await verdict }
    }

    test.each(RACES)('$title', async ({ operation, event, ends }: Race) => {
      const user = await newUser()
      const { happened, verdict } = await runAround(operation, user, async () => {
        const dn = await events[event](user)
        return { dn, before: dn && (await dialect.writesOf(dn)) }
      })
      const isApplied = ends === 'applied'
      // The grants of install/openldap show people alone: who is moved elsewhere is gone.
      const isHidden = kind === 'openldap' && ends === 'account_out_of_scope'
      const reason = isHidden ? 'account_not_found' : ends
      expect(verdict).toMatchObject(isApplied ? { outcome: ends } : { outcome: 'refused', reason })
      // OpenLDAP is written by name: where the name leads nowhere any more, the account is looked for and written by its new one.
      const isTwice = kind === 'openldap' && isApplied
      expect(proxy.count(MODIFY)).toBe(operation === 'inspect' ? 0 : isTwice ? 2 : 1)
      expect(verdict.account?.objectGuid).toBe(isApplied && operation === 'inspect' ? user.anchor : undefined)
      const { dn, before } = happened
      if (dn === undefined) return
      const isWritten = isApplied && operation !== 'inspect'
      if (!isWritten) expect(await dialect.writesOf(dn)).toEqual(before)
      const marker = (await world.domain.readAccount(dn)).marker
      expect(marker?.includes(verdict.request.replaceAll('-', ''))).toBe(isWritten ? true : undefined)
      const isNew = isWritten && operation !== 'unlock'
      const valid = event === 'deleted and created anew' ? laterPassword() : oldPassword()
      const signedIn = await dialect.signIns(named(user, dn), isNew ? newPassword() : valid, valid, false)
      expect(signedIn.right).toBe('ok')
    })

    /** A person of OpenLDAP signs in by the name of the entry, which has changed. */
    const named = (user: WorldUser, dn: string): WorldUser =>
      kind === 'openldap' ? { ...user, dn, principal: dn } : { ...user, dn }

    test('a change on an account that is locked meanwhile is refused by the directory [locked_after_guard]', async () => {
      const user = await newUser()
      const { verdict } = await runAround('change', user, () => lock(world, user))
      expect(verdict).toMatchObject({ outcome: 'refused', reason: 'account_locked' })
      if (kind === 'active-directory') expect(verdict.detail).toContain('00000775')
      const counted = { badPwdCount: LOCKOUT_THRESHOLD, marker: undefined }
      expect(await world.domain.readAccount(user.dn)).toMatchObject(counted)
    })
  })

  policyFacts(kind, parts)
})
