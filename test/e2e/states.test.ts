// Every operation on an account in every state, on real parts: what the user is told, and what the directory holds then.
// The titles are the facts that docs/states.md names.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Notice, RefusalReason } from '../../src/protocol/codes.ts'
import { CLOCK_UNCERTAINTY_MS, type Operation } from '../../src/protocol/identifiers.ts'
import type { Actor, ResetOptions } from '../../src/protocol/request-document.ts'
import type { Verdict } from '../../src/protocol/sealer-calls.ts'
import { laterPassword, newPassword, oldPassword, wrongPassword } from '../servers/canaries.ts'
import { type NewUser, readEntry, replaceAttribute, signInCode } from '../servers/directory-admin.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { createPasswordSettings } from '../servers/password-settings.ts'
import type { DomainEdit } from '../servers/samba-template.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { boundNames } from './password-writes.ts'

const DAY_MS = 86_400_000
const MODIFY = { operation: 'modify', direction: 'request' } as const
let world: World
let proxy: LdapProxy
let number = 0

beforeAll(async () => {
  world = await startWorld({
    domain: {
      policy: {
        ...{ minPasswordAgeMs: 0, lockoutThreshold: 3 },
        ...{ lockoutDurationMs: 1_800_000, lockoutWindowMs: 1_800_000 },
      },
    },
    directorySettings: '    scope: { units: ["OU=People,DC=corp,DC=test"] }',
  })
  proxy = world.proxy as LdapProxy
}, 60_000)
afterAll(() => world?.stop())

function newUser(user: Partial<NewUser> = {}): Promise<WorldUser> {
  number += 1
  return world.createUser({ name: `member ${number}`, ...user })
}
const PASSWORDS = {
  reset: () => [newPassword()],
  change: () => [oldPassword(), newPassword()],
  unlock: () => [],
  inspect: () => [],
} as const satisfies Record<Operation, () => Buffer[]>

interface Wish {
  readonly actor?: Actor['kind'] | undefined
  readonly options?: Partial<ResetOptions> | undefined
}
const run = (operation: Operation, user: WorldUser, { actor = 'administrator', options = {} }: Wish = {}) =>
  world.run(operation, user, { passwords: PASSWORDS[operation](), options, actor: { kind: actor } })
const signIn = ({ principal }: WorldUser, password: Buffer) =>
  signInCode(world.domain.url, principal, password)

/** Makes a fine-grained policy for one user. */
async function givePolicy(user: WorldUser, name: string, values: Readonly<Record<string, string>>) {
  const settings = { name, precedence: 10, appliesTo: [user.dn] }
  const lockout = { 'msDS-LockoutThreshold': '3', 'msDS-MinimumPasswordAge': '0' }
  await createPasswordSettings(await world.domain.admin(), world.domain.baseDn, {
    ...settings,
    values: { ...lockout, ...values },
  })
}
async function lock(user: WorldUser): Promise<void> {
  for (let i = 0; i < 3; i += 1) await signIn(user, wrongPassword())
  expect(await world.domain.readAccount(user.dn)).toMatchObject({ locked: true, badPwdCount: 3 })
}
/** Changes with every originating write to the entry. */
async function writesOf(dn: string): Promise<unknown> {
  const { uSNChanged } = await readEntry(await world.domain.admin(), dn, ['uSNChanged'])
  return uSNChanged
}
const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const conditions = async () => (await world.ops('/status')).json as { conditions: { code: string }[] }

const GRANT = 'read access on CN=Password Settings Container,CN=System,DC=corp,DC=test'

test('a fine-grained policy that cannot be read explains nothing: password_policy, and a condition names the grant', async () => {
  const user = await newUser()
  await givePolicy(user, 'Hidden', { 'msDS-MinimumPasswordLength': '14' })
  const verdict = await world.reset(user, Buffer.from('Nine-chr1'))
  expect(verdict).toMatchObject({ outcome: 'refused', reason: 'password_policy', rule: null, policy: null })
  expect(verdict.detail).toContain('0000052D')
  expect((await conditions()).conditions).toContainEqual(
    expect.objectContaining({ code: 'policy_unreadable', detail: expect.stringContaining(GRANT) }),
  )
  expect(await signIn(user, oldPassword())).toBe('ok')
})

test('a change under a policy that cannot be read is not tried: missing_right, with the grant', async () => {
  const user = await newUser()
  await givePolicy(user, 'Hidden too', {})
  proxy.forget()
  const verdict = await run('change', user)
  expect(verdict).toMatchObject({ outcome: 'failed', reason: 'missing_right' })
  expect(verdict.detail).toContain(GRANT)
  expect(proxy.count(MODIFY)).toBe(0)
  expect(await signIn(user, oldPassword())).toBe('ok')
})

interface State {
  readonly attributes?: NewUser['attributes']
  readonly edit?: (dn: string) => DomainEdit
  readonly prepare?: (user: WorldUser) => Promise<void>
}
const uac = (flags: number): State => ({ attributes: { userAccountControl: String(512 + flags) } })
const ticks = (ms: number) => String((BigInt(ms) + 11_644_473_600_000n) * 10_000n)
const BRIEF_LOCKOUT_MS = 3_000
const STATES = {
  normal: {},
  locked: { prepare: lock },
  'lockout expired': {
    prepare: async (user) => {
      const briefly = String(BRIEF_LOCKOUT_MS * -10_000)
      await givePolicy(user, `Brief for ${user.accountName}`, {
        ...{ 'msDS-LockoutDuration': briefly, 'msDS-LockoutObservationWindow': briefly },
      })
      await lock(user)
    },
  },
  disabled: uac(2),
  'account expired': { attributes: { accountExpires: ticks(Date.now() - DAY_MS) } },
  'password expired': { edit: (dn) => ({ edit: 'password_age', dn, days: 50 }) },
  'must change': { attributes: { pwdLastSet: '0' } },
  'never expires': uac(0x10000),
  'cannot change': { edit: (dn) => ({ edit: 'deny_change', dn }) },
  'smart card required': uac(0x40000),
} as const satisfies Record<string, State>

interface Cell extends Wish {
  readonly title: string
  readonly operation: Operation
  readonly state: keyof typeof STATES
  readonly ends: 'applied' | RefusalReason
  /** Beside those that go with every reset and change. */
  readonly notices?: readonly Notice[]
  /** What the password that is valid then is answered with at a bind; the other one is wrong. Default `ok`. */
  readonly signIn?: string
  /** The computed lockout bit then. Default false. */
  readonly locked?: boolean
  /** pwdLastSet is 0 then. Default false. */
  readonly mustChange?: boolean
  /** Of an inspect: what it tells, among other things. */
  readonly tells?: object
}
const FREE = { reset: null, change: null, unlock: null }

const CELLS: readonly Cell[] = [
  ...of('reset', [
    { title: 'a reset of a normal account is applied', state: 'normal' },
    { title: 'a reset unlocks a locked account', state: 'locked' },
    {
      title: 'a reset without unlock leaves a locked account locked',
      ...{ state: 'locked', options: { unlock: false }, locked: true },
    },
    { title: 'a reset after an expired lockout is applied', state: 'lockout expired' },
    {
      title: 'a reset of a disabled account asked for by its owner is refused',
      ...{ state: 'disabled', actor: 'self', ends: 'account_disabled', signIn: '533' },
    },
    {
      title: 'a reset of a disabled account asked for by the help desk is applied with a notice',
      ...{ state: 'disabled', actor: 'help_desk', notices: ['account_disabled'], signIn: '533' },
    },
    {
      title: 'a reset of a disabled account asked for by an administrator is applied with a notice',
      ...{ state: 'disabled', notices: ['account_disabled'], signIn: '533' },
    },
    {
      title: 'a reset of an expired account asked for by its owner is refused',
      ...{ state: 'account expired', actor: 'self', ends: 'account_expired', signIn: '701' },
    },
    {
      title: 'a reset of an expired account asked for by the help desk is applied with a notice',
      ...{ state: 'account expired', actor: 'help_desk', notices: ['account_expired'], signIn: '701' },
    },
    {
      title: 'a reset of an expired account asked for by an administrator is applied with a notice',
      ...{ state: 'account expired', notices: ['account_expired'], signIn: '701' },
    },
    { title: 'a reset of an expired password is applied', state: 'password expired', actor: 'self' },
    { title: 'a reset of a password that must be changed is applied', state: 'must change', actor: 'self' },
    {
      title: 'a reset with must-change makes the user choose a new password',
      ...{ state: 'normal', options: { mustChangeAtNextSignIn: true }, signIn: '773', mustChange: true },
    },
    { title: 'a reset of a password that never expires is applied', state: 'never expires' },
    {
      title: 'a reset with must-change of a password that never expires is applied with a notice',
      ...{ state: 'never expires', options: { mustChangeAtNextSignIn: true }, mustChange: true },
      notices: ['must_change_without_effect'],
    },
    { title: 'a reset for a user who cannot change the password is applied', state: 'cannot change' },
    {
      title: 'a reset of an account that signs in by smart card is refused',
      ...{ state: 'smart card required', ends: 'smartcard_required', signIn: '52e' },
    },
  ]),
  ...of('change', [
    { title: 'a change on a normal account is applied', state: 'normal', actor: 'self' },
    {
      title: 'a change on a locked account is refused',
      ...{ state: 'locked', actor: 'self', ends: 'account_locked', locked: true },
    },
    { title: 'a change after an expired lockout is applied', state: 'lockout expired', actor: 'self' },
    {
      title: 'a change on a disabled account is refused, whoever asks',
      ...{ state: 'disabled', ends: 'account_disabled', signIn: '533' },
    },
    {
      title: 'a change on an expired account is refused, whoever asks',
      ...{ state: 'account expired', ends: 'account_expired', signIn: '701' },
    },
    { title: 'a change of an expired password is applied', state: 'password expired', actor: 'self' },
    { title: 'a change of a password that must be changed is applied', state: 'must change', actor: 'self' },
    { title: 'a change of a password that never expires is applied', state: 'never expires', actor: 'self' },
    {
      title: 'a change by a user who cannot change the password is refused',
      ...{ state: 'cannot change', actor: 'self', ends: 'change_not_permitted' },
    },
    {
      title: 'a change on an account that signs in by smart card is refused',
      ...{ state: 'smart card required', actor: 'self', ends: 'smartcard_required', signIn: '52e' },
    },
  ]),
  ...of('unlock', [
    { title: 'an unlock of an account that is not locked is applied', state: 'normal' },
    { title: 'an unlock of a locked account is applied', state: 'locked' },
    { title: 'an unlock after an expired lockout is applied', state: 'lockout expired' },
    {
      title: 'an unlock of a disabled account is applied with a notice',
      ...{ state: 'disabled', actor: 'self', notices: ['account_disabled'], signIn: '533' },
    },
    {
      title: 'an unlock of an expired account is applied with a notice',
      ...{ state: 'account expired', actor: 'self', notices: ['account_expired'], signIn: '701' },
    },
    { title: 'an unlock leaves an expired password expired', state: 'password expired', signIn: '532' },
    {
      title: 'an unlock leaves a password that must be changed so',
      ...{ state: 'must change', signIn: '773', mustChange: true },
    },
    { title: 'an unlock of an account whose password never expires is applied', state: 'never expires' },
    { title: 'an unlock for a user who cannot change the password is applied', state: 'cannot change' },
    {
      title: 'an unlock of an account that signs in by smart card is applied',
      ...{ state: 'smart card required', signIn: '52e' },
    },
  ]),
  ...of('inspect', [
    {
      title: 'an inspect of a normal account says that all is possible',
      ...{ state: 'normal', tells: { locked: false, mustChange: false, refusals: FREE } },
    },
    {
      title: 'an inspect of a locked account says so, and that no change is possible',
      ...{ state: 'locked', locked: true },
      tells: { locked: true, refusals: { ...FREE, change: 'account_locked' } },
    },
    {
      title: 'an inspect after an expired lockout tells of no lockout',
      ...{ state: 'lockout expired', tells: { locked: false, refusals: FREE } },
    },
    {
      title: 'an inspect of a disabled account tells an administrator that a reset is possible',
      ...{ state: 'disabled', signIn: '533' },
      tells: { disabled: true, refusals: { ...FREE, change: 'account_disabled' } },
    },
    {
      title: 'an inspect of a disabled account tells its owner that no reset is possible',
      ...{ state: 'disabled', actor: 'self', signIn: '533' },
      tells: {
        disabled: true,
        refusals: { ...FREE, reset: 'account_disabled', change: 'account_disabled' },
      },
    },
    {
      title: 'an inspect of an expired account tells when it expired',
      ...{ state: 'account expired', signIn: '701' },
      tells: {
        accountExpiresAt: expect.any(Number),
        refusals: { ...FREE, change: 'account_expired' },
      },
    },
    {
      title: 'an inspect of an expired password tells when it expired',
      ...{ state: 'password expired', signIn: '532' },
      tells: { passwordExpiresAt: expect.any(Number), mustChange: false, refusals: FREE },
    },
    {
      title: 'an inspect of a password that must be changed says so',
      ...{ state: 'must change', signIn: '773', mustChange: true },
      tells: { mustChange: true, passwordChangedAt: null, refusals: FREE },
    },
    {
      title: 'an inspect of a password that never expires says so',
      ...{ state: 'never expires', tells: { passwordNeverExpires: true, passwordExpiresAt: null } },
    },
    {
      title: 'an inspect of a user who cannot change the password says so',
      ...{ state: 'cannot change', tells: { refusals: { ...FREE, change: 'change_not_permitted' } } },
    },
    {
      title: 'an inspect of an account that signs in by smart card says that only an unlock is possible',
      ...{ state: 'smart card required', signIn: '52e' },
      tells: {
        smartcardRequired: true,
        refusals: { ...FREE, reset: 'smartcard_required', change: 'smartcard_required' },
      },
    },
  ]),
]

function of(
  operation: Operation,
  cells: readonly (Omit<Cell, 'operation' | 'ends'> & Partial<Pick<Cell, 'ends'>>)[],
): readonly Cell[] {
  return cells.map((cell) => ({ operation, ends: 'applied', ...cell }))
}

const NOTICES = {
  reset: ['history_not_enforced', 'old_password_may_work'],
  change: ['old_password_may_work'],
  unlock: [],
  inspect: [],
} as const satisfies Record<Operation, readonly Notice[]>

describe('in every state', () => {
  const users = new Map<string, WorldUser>()

  beforeAll(async () => {
    const edits: DomainEdit[] = [{ edit: 'read_policies', account: world.domain.serviceAccountDn }]
    const make = async ({ title, state }: Cell) => {
      const { attributes, edit, prepare }: State = STATES[state]
      const user = await newUser(attributes ? { attributes } : {})
      users.set(title, user)
      await prepare?.(user)
      if (edit) edits.push(edit(user.dn))
    }
    const isBrief = ({ state }: Cell) => state === 'lockout expired'
    for (const cell of CELLS.filter(isBrief)) await make(cell)
    // By then a guard that doubts the clock is sure, too, that the lockout is over.
    const isOver = after(BRIEF_LOCKOUT_MS + CLOCK_UNCERTAINTY_MS + 500)
    await Promise.all(CELLS.filter((cell) => !isBrief(cell)).map(make))
    await world.domain.edit(...edits)
    await isOver
  }, 60_000)

  test.each(CELLS)('$title', async (cell) => {
    const user = users.get(cell.title) as WorldUser
    const isWrite = cell.ends === 'applied' && cell.operation !== 'inspect'
    const before = await writesOf(user.dn)
    proxy.forget()
    const verdict = await run(cell.operation, user, cell)
    expectEnd(verdict, cell)
    expect(proxy.count(MODIFY)).toBe(isWrite ? 1 : 0)
    if (!isWrite) expect(await writesOf(user.dn)).toEqual(before)
    await expectAccount(user, cell, verdict)
  })
})

function expectEnd(verdict: Verdict, { operation, ends, notices = [], tells }: Cell): void {
  const isApplied = ends === 'applied'
  expect(verdict).toMatchObject({
    outcome: isApplied ? 'applied' : 'refused',
    reason: isApplied ? null : ends,
    ...(tells ? { account: tells } : { account: null }),
  })
  expect(new Set(verdict.notices)).toEqual(new Set(isApplied ? [...NOTICES[operation], ...notices] : []))
}

/** The end state: lockout, must-change, marker, and which of the passwords is the valid one. */
async function expectAccount(
  user: WorldUser,
  { operation, ends, signIn: code = 'ok', locked = false, mustChange = false }: Cell,
  { request }: Verdict,
): Promise<void> {
  const account = await world.domain.readAccount(user.dn)
  expect({ locked: account.locked, mustChange: account.pwdLastSet === 0n }).toEqual({ locked, mustChange })
  const isApplied = ends === 'applied'
  const marker = account.marker
  if (isApplied && operation !== 'inspect') expect(marker).toContain(request.replaceAll('-', ''))
  else expect(marker).toBeUndefined()
  if (isApplied && operation === 'unlock') expect(account).toMatchObject({ badPwdCount: 0, lockoutTime: 0n })
  // A lockout hides which password is right.
  if (locked) await replaceAttribute(await world.domain.admin(), user.dn, 'lockoutTime', ['0'])
  const isNew = isApplied && (operation === 'reset' || operation === 'change')
  const [right, wrong] = isNew ? [newPassword(), oldPassword()] : [oldPassword(), newPassword()]
  expect(await signIn(user, right)).toBe(code)
  expect(await signIn(user, wrong)).toBe('52e')
}

type Event = keyof typeof EVENTS
const EVENTS = {
  'moved within the scope': (user) => rename(user, `${user.dn.split(',')[0]},${STAFF}`),
  'moved out of the scope': (user) => rename(user, `${user.dn.split(',')[0]},OU=Outside,DC=corp,DC=test`),
  renamed: async (user) => {
    const dn = await rename(user, user.dn.replace('CN=', 'CN=renamed '))
    await replaceAttribute(await world.domain.admin(), dn, 'sAMAccountName', [`new-${user.accountName}`])
    return dn
  },
  deleted: async ({ dn }) => {
    await (await world.domain.admin()).del(dn)
    return undefined
  },
  'deleted and created anew': async ({ dn, accountName }) => {
    await (await world.domain.admin()).del(dn)
    const name = dn.slice('CN='.length, dn.indexOf(','))
    return (await world.domain.createUser({ name, accountName, password: laterPassword() })).dn
  },
} as const satisfies Record<string, (user: WorldUser) => Promise<string | undefined>>
const STAFF = 'OU=Staff,OU=People,DC=corp,DC=test'
async function rename({ dn }: WorldUser, to: string): Promise<string> {
  await (await world.domain.admin()).modifyDN(dn, to)
  return to
}

interface Race {
  readonly title: string
  readonly operation: Operation
  readonly event: Event
  readonly ends: 'applied' | RefusalReason
}
const race = (title: string, operation: Operation, event: Event, ends: Race['ends']): Race => ({
  ...{ title, operation, event, ends },
})
const [MOVED, LEFT, RENAMED, DELETED, ANEW] = Object.keys(EVENTS) as [Event, Event, Event, Event, Event]
const RACES: readonly Race[] = [
  race('a reset follows an account that is moved within the scope', 'reset', MOVED, 'applied'),
  race(
    'a reset of an account that is moved out of the scope is refused',
    'reset',
    LEFT,
    'account_out_of_scope',
  ),
  race('a reset follows an account that is renamed', 'reset', RENAMED, 'applied'),
  race('a reset of an account that is deleted is refused', 'reset', DELETED, 'account_not_found'),
  race('a reset never reaches a new account of the same name', 'reset', ANEW, 'account_not_found'),
  race('a change follows an account that is moved within the scope', 'change', MOVED, 'applied'),
  race(
    'a change on an account that is moved out of the scope is refused',
    'change',
    LEFT,
    'account_out_of_scope',
  ),
  race('a change follows an account that is renamed', 'change', RENAMED, 'applied'),
  race('a change on an account that is deleted is refused', 'change', DELETED, 'account_not_found'),
  race('a change never reaches a new account of the same name', 'change', ANEW, 'account_not_found'),
  race('an unlock follows an account that is moved within the scope', 'unlock', MOVED, 'applied'),
  race(
    'an unlock of an account that is moved out of the scope is refused',
    'unlock',
    LEFT,
    'account_out_of_scope',
  ),
  race('an unlock follows an account that is renamed', 'unlock', RENAMED, 'applied'),
  race('an unlock of an account that is deleted is refused', 'unlock', DELETED, 'account_not_found'),
  race('an unlock never reaches a new account of the same name', 'unlock', ANEW, 'account_not_found'),
  race('an inspect follows an account that is moved within the scope', 'inspect', MOVED, 'applied'),
  race(
    'an inspect of an account that is moved out of the scope is refused',
    'inspect',
    LEFT,
    'account_out_of_scope',
  ),
  race('an inspect follows an account that is renamed', 'inspect', RENAMED, 'applied'),
  race('an inspect of an account that is deleted is refused', 'inspect', DELETED, 'account_not_found'),
  race('an inspect never tells of a new account of the same name', 'inspect', ANEW, 'account_not_found'),
]

/** Runs an operation whose write (of an inspect: read) is held until `event` has happened. */
async function runAround<T>(operation: Operation, user: WorldUser, event: () => Promise<T>) {
  const held = operation === 'inspect' ? 'search' : 'modify'
  const rule = proxy.onRequest(
    (message) => message.operation === held && message.dn?.includes(user.anchor) === true,
    { kind: 'hold' },
  )
  proxy.forget()
  const request = await world.request(operation, user, { passwords: PASSWORDS[operation]() })
  await rule.hit
  const happened = await event()
  const verdict = world.verdict(request)
  await rule.release()
  return { happened, verdict: await verdict }
}

describe('when something happens between read and write', () => {
  beforeAll(async () => {
    await (await world.domain.admin()).add(STAFF, { objectClass: 'organizationalUnit' })
  })

  test.each(RACES)('$title', async ({ operation, event, ends }) => {
    const user = await newUser()
    const { happened, verdict } = await runAround(operation, user, async () => {
      const dn = await EVENTS[event](user)
      return { dn, before: dn && (await writesOf(dn)) }
    })
    const isApplied = ends === 'applied'
    expect(verdict).toMatchObject(isApplied ? { outcome: ends } : { outcome: 'refused', reason: ends })
    expect(proxy.count(MODIFY)).toBe(operation === 'inspect' ? 0 : 1)
    expect(verdict.account?.objectGuid).toBe(isApplied && operation === 'inspect' ? user.anchor : undefined)
    const { dn, before } = happened
    if (dn === undefined) return
    const isWritten = isApplied && operation !== 'inspect'
    if (!isWritten) expect(await writesOf(dn)).toEqual(before)
    const marker = (await world.domain.readAccount(dn)).marker
    expect(marker?.includes(verdict.request.replaceAll('-', ''))).toBe(isWritten ? true : undefined)
    const isNew = isWritten && operation !== 'unlock'
    const valid = event === 'deleted and created anew' ? laterPassword() : oldPassword()
    expect(await signIn(user, isNew ? newPassword() : valid)).toBe('ok')
  })

  test('a change on an account that is locked meanwhile is refused by the directory', async () => {
    const user = await newUser()
    const { verdict } = await runAround('change', user, () => lock(user))
    expect(verdict).toMatchObject({ outcome: 'refused', reason: 'account_locked' })
    expect(verdict.detail).toContain('00000775')
    expect((await world.domain.readAccount(user.dn)).marker).toBeUndefined()
  })
})

const change = (user: WorldUser, current: Buffer, next: Buffer) =>
  world.run('change', user, { passwords: [current, next], actor: { kind: 'self' } })
/** Names other than the service account's that anybody bound with through the proxy. */
const strangers = () => [...boundNames(proxy)].filter((name) => name !== world.domain.serviceAccountName)

describe('the current password of a change', () => {
  test('a wrong one counts once at the directory, by one modify and no bind', async () => {
    const user = await newUser()
    proxy.forget()
    const verdict = await change(user, wrongPassword(), newPassword())
    expect(verdict).toMatchObject({ outcome: 'refused', reason: 'wrong_current_password', notices: [] })
    expect(proxy.count(MODIFY)).toBe(1)
    expect(strangers()).toEqual([])
    expect(await world.domain.readAccount(user.dn)).toMatchObject({
      ...{ badPwdCount: 1, locked: false, marker: undefined },
    })
    expect(await signIn(user, oldPassword())).toBe('ok')
  })

  test.each([
    {
      title: 'at a threshold of 3 the second wrong one is not tried, and a good sign-in frees the account',
      ...{ threshold: 3, tries: 1, afterSignIn: { outcome: 'applied' } },
    },
    {
      title: 'at a threshold of 5 the fourth wrong one is not tried, for an hour, even after a good sign-in',
      ...{ threshold: 5, tries: 3, afterSignIn: { outcome: 'refused', reason: 'too_many_attempts' } },
    },
  ])('$title', async ({ threshold, tries, afterSignIn }) => {
    const user = await newUser()
    await givePolicy(user, `Threshold ${threshold}`, { 'msDS-LockoutThreshold': String(threshold) })
    for (let tried = 1; tried <= tries; tried += 1) {
      const verdict = await change(user, wrongPassword(), newPassword())
      expect(verdict).toMatchObject({ outcome: 'refused', reason: 'wrong_current_password' })
      expect(await world.domain.readAccount(user.dn)).toMatchObject({ badPwdCount: tried, locked: false })
    }
    proxy.forget()
    const tooMany = { outcome: 'refused', reason: 'too_many_attempts' }
    expect(await change(user, wrongPassword(), newPassword())).toMatchObject(tooMany)
    expect(await change(user, oldPassword(), newPassword())).toMatchObject(tooMany)
    expect(proxy.count(MODIFY)).toBe(0)
    expect(await world.domain.readAccount(user.dn)).toMatchObject({ badPwdCount: tries, locked: false })
    expect(await signIn(user, oldPassword())).toBe('ok')
    expect(await change(user, oldPassword(), newPassword())).toMatchObject(afterSignIn)
    expect(strangers()).toEqual([])
  })
})

describe('the policy that applies', () => {
  test('a change to the same password is refused: password_in_history', async () => {
    const user = await newUser()
    const before = await writesOf(user.dn)
    expect(await change(user, oldPassword(), oldPassword())).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_in_history' },
      rule: { kind: 'not_used_before', remembered: 24 },
      policy: { name: 'domain' },
    })
    expect(await writesOf(user.dn)).toEqual(before)
    expect(await world.domain.readAccount(user.dn)).toMatchObject({ badPwdCount: 0 })
  })

  test('a change to an earlier password is refused without a guess: password_policy, with the policy', async () => {
    const user = await newUser()
    expect(await change(user, oldPassword(), newPassword())).toMatchObject({ outcome: 'applied' })
    expect(await change(user, newPassword(), oldPassword())).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_policy', rule: null },
      policy: { name: 'domain', historyLength: 24 },
      detail: expect.stringContaining('0000052D'),
    })
    expect(await signIn(user, newPassword())).toBe('ok')
  })

  test('a change before the minimum age is refused with the time from which it may be made', async () => {
    const user = await newUser()
    await givePolicy(user, 'A day', { 'msDS-MinimumPasswordAge': String(DAY_MS * -10_000) })
    proxy.forget()
    const verdict = await change(user, oldPassword(), newPassword())
    expect(verdict).toMatchObject({
      ...{ outcome: 'refused', reason: 'password_too_young' },
      rule: { kind: 'changeable_from' },
      policy: { name: 'A day', source: 'fine_grained', minimumAgeMs: DAY_MS },
    })
    const { at } = verdict.rule as { at: number }
    expect(Math.abs(at - DAY_MS - Date.now())).toBeLessThan(60_000)
    expect(proxy.count(MODIFY)).toBe(0)
    expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
  })

  test('a password that a fine-grained policy finds too short is refused with its rule and its name, unsent', async () => {
    const user = await newUser()
    await givePolicy(user, 'Fourteen', { 'msDS-MinimumPasswordLength': '14' })
    proxy.forget()
    const expected = {
      ...{ outcome: 'refused', reason: 'password_too_short' },
      rule: { kind: 'minimum_length', characters: 14 },
      policy: { name: 'Fourteen', source: 'fine_grained', minimumLength: 14 },
    }
    const short = Buffer.from('Thirteen-chr1')
    expect(await world.reset(user, short)).toMatchObject(expected)
    expect(await change(user, oldPassword(), short)).toMatchObject(expected)
    expect(proxy.count(MODIFY)).toBe(0)
    expect(await signIn(user, oldPassword())).toBe('ok')
  })

  test('an inspect tells the policy, when the password was set and when it expires', async () => {
    const user = await newUser()
    const days = {
      'msDS-MaximumPasswordAge': String(10 * DAY_MS * -10_000),
      'msDS-PasswordHistoryLength': '5',
    }
    await givePolicy(user, 'Ten days', days)
    const { account } = await run('inspect', user)
    expect(account).toMatchObject({
      objectGuid: user.anchor,
      policy: { name: 'Ten days', historyLength: 5, maximumAgeMs: 10 * DAY_MS, lockoutThreshold: 3 },
      policyProblem: null,
      accountExpiresAt: null,
    })
    const setAt = Number(account?.passwordChangedAt)
    expect(Math.abs(setAt - Date.now())).toBeLessThan(60_000)
    expect(Math.abs(Number(account?.passwordExpiresAt) - setAt - 10 * DAY_MS)).toBeLessThan(1_000)
  })

  test('an inspect of a protected account tells nothing but that', async () => {
    const user = await newUser({ attributes: { adminCount: '1' } })
    proxy.forget()
    const nothing = { account: null, policy: null, rule: null, detail: null, notices: [] }
    expect(await run('inspect', user)).toMatchObject({
      ...{ outcome: 'refused', reason: 'account_protected' },
      ...nothing,
    })
    expect(proxy.count(MODIFY)).toBe(0)
  })
})
