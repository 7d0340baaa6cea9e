// Every operation on an account in every state, on real parts: what the user is told, and what the directory holds then.
// The titles are the facts that docs/states.md names.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Notice, RefusalReason } from '../../src/protocol/codes.ts'
import { CLOCK_UNCERTAINTY_MS, type Operation } from '../../src/protocol/identifiers.ts'
import type { Actor, ResetOptions } from '../../src/protocol/request-document.ts'
import type { Verdict } from '../../src/protocol/sealer-calls.ts'
import { newPassword, oldPassword, wrongPassword } from '../servers/canaries.ts'
import {
  type NewUser,
  readEntry,
  readGuid,
  replaceAttribute,
  signInCode,
} from '../servers/directory-admin.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { createPasswordSettings } from '../servers/password-settings.ts'
import type { DomainEdit } from '../servers/samba-template.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'

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
  const marker = account.adminDisplayName
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
