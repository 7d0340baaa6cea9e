// What the suites on states ask of a directory, for either kind: bring an account into a state, and tell which one it is in.
import type { Notice } from '../../src/protocol/codes.ts'
import type { Operation } from '../../src/protocol/identifiers.ts'
import { wrongPassword } from '../servers/canaries.ts'
import { type NewUser, readEntry, replaceAttribute, signInCode } from '../servers/directory-admin.ts'
import type { DirectoryKind } from '../servers/directory-kinds.ts'
import { createPasswordSettings } from '../servers/password-settings.ts'
import type { DomainEdit } from '../servers/samba-template.ts'
import { createGroup, createPolicy, dateOldPassword } from '../servers/slapd-admin.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import type { SignIn, StateName } from './state-cells.ts'

/** A lockout that ends soon. */
export const BRIEF_LOCKOUT_MS = 3_000
/** Wrong passwords that lock an account. */
export const LOCKOUT_THRESHOLD = 3
const DAY_MS = 86_400_000

/** How to bring a fresh account into a state. */
export interface State {
  readonly attributes?: NewUser['attributes']
  readonly prepare?: (user: WorldUser) => Promise<void>
  /** What only the directory's own tools can do, collected and done for all at once. */
  readonly edit?: (dn: string) => DomainEdit
  /** How a lockout looks there even if the cell speaks of none. */
  readonly isLock?: boolean
}

/** A policy for one user; what is not given is harmless. */
export interface PolicyWish {
  readonly minimumLength?: number
  readonly minimumAgeMs?: number
  readonly maximumAgeMs?: number
  readonly historyLength?: number
  readonly lockoutThreshold?: number
  readonly lockoutMs?: number
}

/** One kind of directory, as the suites see it. */
export interface StateDialect {
  readonly states: Readonly<Partial<Record<StateName, State>>>
  /** Those that go with every operation that is applied. */
  readonly notices: Readonly<Record<Operation, readonly Notice[]>>
  /** How many passwords are remembered of an account that was given no policy. */
  readonly historyLength: number
  /** How often a wrong current password of a change counts at the directory. */
  readonly wrongChangeCounts: number
  readonly givePolicy: (user: WorldUser, name: string, wish: PolicyWish) => Promise<void>
  /** Makes the edits that states ask for. */
  readonly edit: (edits: readonly DomainEdit[]) => Promise<void>
  /** Changes with every write to the entry. */
  readonly writesOf: (dn: string) => Promise<unknown>
  /** How the two passwords are answered, after what hides the answer was seen and taken away. */
  readonly signIns: (user: WorldUser, right: Buffer, wrong: Buffer, isLocked: boolean) => Promise<SignIns>
  readonly signInsOf: (expected: SignIn) => SignIns
  /** Makes the account one that nobody may write. */
  readonly protect: (user: WorldUser) => Promise<void>
  /** Gives an entry another name for the people who use it, and its new DN. */
  readonly rename: (user: WorldUser) => Promise<string>
}

interface SignIns {
  readonly right: string
  readonly wrong: string
  /** How the right one is answered once no state stands against it. */
  readonly freed?: string
}

// The group whose members, nested ones too, nobody may write.
const GUARDED = 'cn=Guarded,ou=Groups,dc=corp,dc=test'

/** Starts a world for the suites, with three wrong passwords to a lockout; OpenLDAP keeps passwords as {ARGON2}. */
export function startStates(kind: DirectoryKind): Promise<World<DirectoryKind>> {
  const policy = {
    ...{ minPasswordAgeMs: 0, lockoutThreshold: LOCKOUT_THRESHOLD },
    ...{ lockoutDurationMs: 1_800_000, lockoutWindowMs: 1_800_000 },
  }
  if (kind === 'active-directory')
    return startWorld<DirectoryKind>({
      ...{ kind, domain: { policy } },
      directorySettings: '    scope: { units: ["OU=People,DC=corp,DC=test"] }',
    })
  const policyValues = { pwdLockout: 'TRUE', pwdMustChange: 'TRUE', pwdCheckQuality: '2' }
  return startWorld<DirectoryKind>({
    ...{ kind, domain: { policy, policyValues, scheme: '{ARGON2}' } },
    directorySettings: [
      '    scope: { units: ["ou=People,dc=corp,dc=test"] }',
      `    protection: { groups: ["${GUARDED}"] }`,
    ].join('\n'),
    beforeAgent: async (_directory, domain) => {
      await createGroup(await domain.admin(), 'Guarded', [domain.adminDn])
    },
  })
}

/** The dialect of a world. */
export const dialectOf = (world: World<DirectoryKind>): StateDialect =>
  world.domain.kind === 'openldap'
    ? openldap(world as World<'openldap'>)
    : activeDirectory(world as World<'active-directory'>)

/** Locks an account by wrong passwords. */
export async function lock({ domain }: World<DirectoryKind>, { principal }: WorldUser): Promise<void> {
  for (let i = 0; i < LOCKOUT_THRESHOLD; i += 1) await signInCode(domain.url, principal, wrongPassword())
}

const uac = (flags: number): State => ({ attributes: { userAccountControl: String(512 + flags) } })
const fileTime = (ms: number) => String((BigInt(ms) + 11_644_473_600_000n) * 10_000n)
const interval = (ms: number) => String(BigInt(ms) * -10_000n)

function activeDirectory(world: World<'active-directory'>): StateDialect {
  const { domain } = world
  const givePolicy: StateDialect['givePolicy'] = async (user, name, wish) => {
    const { lockoutMs = 1_800_000, minimumAgeMs = 0, lockoutThreshold = LOCKOUT_THRESHOLD } = wish
    const { minimumLength, maximumAgeMs, historyLength } = wish
    await createPasswordSettings(await domain.admin(), domain.baseDn, {
      ...{ name, precedence: 10, appliesTo: [user.dn] },
      values: {
        'msDS-LockoutThreshold': String(lockoutThreshold),
        'msDS-LockoutDuration': interval(lockoutMs),
        'msDS-LockoutObservationWindow': interval(lockoutMs),
        'msDS-MinimumPasswordAge': interval(minimumAgeMs),
        ...(minimumLength === undefined ? {} : { 'msDS-MinimumPasswordLength': String(minimumLength) }),
        ...(maximumAgeMs === undefined ? {} : { 'msDS-MaximumPasswordAge': interval(maximumAgeMs) }),
        ...(historyLength === undefined ? {} : { 'msDS-PasswordHistoryLength': String(historyLength) }),
      },
    })
  }
  const codes: Readonly<Record<SignIn, string>> = {
    ...{ ok: 'ok', disabled: '533', 'account expired': '701', 'password expired': '532' },
    ...{ 'must change': '773', 'no password': '52e' },
  }
  return {
    states: {
      normal: {},
      locked: { prepare: (user) => lock(world, user) },
      'lockout expired': {
        prepare: async (user) => {
          await givePolicy(user, `Brief for ${user.accountName}`, { lockoutMs: BRIEF_LOCKOUT_MS })
          await lock(world, user)
        },
      },
      disabled: uac(2),
      'account expired': { attributes: { accountExpires: fileTime(Date.now() - DAY_MS) } },
      'password expired': { edit: (dn) => ({ edit: 'password_age', dn, days: 50 }) },
      'must change': { attributes: { pwdLastSet: '0' } },
      'never expires': uac(0x10000),
      'cannot change': { edit: (dn) => ({ edit: 'deny_change', dn }) },
      'smart card required': uac(0x40000),
    },
    notices: {
      reset: ['history_not_enforced', 'old_password_may_work'],
      change: ['old_password_may_work'],
      ...{ unlock: [], inspect: [] },
    },
    historyLength: 24,
    wrongChangeCounts: 1,
    givePolicy,
    edit: async (edits) => domain.edit({ edit: 'read_policies', account: domain.serviceAccountDn }, ...edits),
    writesOf: async (dn) => (await readEntry(await domain.admin(), dn, ['uSNChanged']))['uSNChanged'],
    signIns: async ({ dn, principal }, right, wrong, isLocked) => {
      // A lockout hides which password is right.
      if (isLocked) await replaceAttribute(await domain.admin(), dn, 'lockoutTime', ['0'])
      return {
        right: await signInCode(domain.url, principal, right),
        wrong: await signInCode(domain.url, principal, wrong),
      }
    },
    signInsOf: (expected) => ({ right: codes[expected], wrong: '52e' }),
    protect: async ({ dn }) => replaceAttribute(await domain.admin(), dn, 'adminCount', ['1']),
    rename: async ({ dn, accountName }) => {
      const renamed = dn.replace('CN=', 'CN=renamed ')
      const admin = await domain.admin()
      await admin.modifyDN(dn, renamed)
      await replaceAttribute(admin, renamed, 'sAMAccountName', [`new-${accountName}`])
      return renamed
    },
  }
}

const generalized = (ms: number) => `${new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')}`
const STATE_ATTRIBUTES = ['pwdAccountLockedTime', 'pwdEndTime', 'pwdPolicySubentry', 'pwdReset']

function openldap(world: World<'openldap'>): StateDialect {
  const { domain } = world
  const write = async (dn: string, name: string, values: string[]) =>
    replaceAttribute(await domain.admin(), dn, name, values)
  const givePolicy: StateDialect['givePolicy'] = async (user, name, wish) => {
    const seconds = (ms: number) => String(Math.round(ms / 1_000))
    const { lockoutMs = 1_800_000, minimumAgeMs = 0, lockoutThreshold = LOCKOUT_THRESHOLD } = wish
    const values = {
      ...{ pwdLockout: 'TRUE', pwdMustChange: 'TRUE', pwdCheckQuality: '2' },
      ...{ pwdMaxFailure: String(lockoutThreshold), pwdMinAge: seconds(minimumAgeMs) },
      ...{ pwdLockoutDuration: seconds(lockoutMs), pwdFailureCountInterval: seconds(lockoutMs) },
      ...{ pwdMinLength: String(wish.minimumLength ?? 7), pwdMaxAge: seconds(wish.maximumAgeMs ?? 0) },
      pwdInHistory: String(wish.historyLength ?? 5),
    }
    await createPolicy(await domain.admin(), name, values, [user.dn])
  }
  const withPolicy = (name: string, wish: PolicyWish) => (user: WorldUser) =>
    givePolicy(user, `${name} for ${user.accountName}`, wish)
  const refuses = { right: 'refused', wrong: 'refused', freed: 'ok' }
  return {
    states: {
      normal: {},
      locked: { prepare: (user) => lock(world, user) },
      'lockout expired': {
        prepare: async (user) => {
          await withPolicy('Brief', { lockoutMs: BRIEF_LOCKOUT_MS })(user)
          await lock(world, user)
        },
      },
      // Only an administrator sets it, and it stays with a reset.
      disabled: { prepare: ({ dn }) => write(dn, 'pwdAccountLockedTime', ['000001010000Z']), isLock: true },
      'account expired': { attributes: { pwdEndTime: generalized(Date.now() - DAY_MS) } },
      'password expired': {
        prepare: async (user) => {
          await withPolicy('A month', { maximumAgeMs: 30 * DAY_MS })(user)
          await dateOldPassword(await domain.admin(), user.dn, generalized(Date.now() - 50 * DAY_MS))
        },
      },
      'must change': { prepare: ({ dn }) => write(dn, 'pwdReset', ['TRUE']) },
      'never expires': { prepare: withPolicy('No age', { maximumAgeMs: 0 }) },
      'cannot change': {
        prepare: async (user) => {
          const values = { pwdAllowUserChange: 'FALSE' }
          await createPolicy(await domain.admin(), `No change ${user.accountName}`, values, [user.dn])
        },
      },
    },
    notices: { reset: [], change: [], unlock: [], inspect: [] },
    historyLength: 5,
    wrongChangeCounts: 0,
    givePolicy,
    edit: async () => {},
    writesOf: async (dn) => (await readEntry(await domain.admin(), dn, ['entryCSN']))['entryCSN'],
    signIns: async ({ dn, principal }, right, wrong) => {
      const seen = {
        right: await signInCode(domain.url, principal, right),
        wrong: await signInCode(domain.url, principal, wrong),
      }
      if (seen.right === 'ok') return seen
      for (const name of STATE_ATTRIBUTES) await write(dn, name, [])
      return { ...seen, freed: await signInCode(domain.url, principal, right) }
    },
    // slapd tells nobody why it refuses, and takes a password that has to be changed.
    signInsOf: (expected) =>
      expected === 'ok' || expected === 'must change' ? { right: 'ok', wrong: 'refused' } : refuses,
    protect: async ({ dn, accountName }) => {
      const inner = await createGroup(await domain.admin(), `Around ${accountName}`, [dn])
      await write(GUARDED, 'member', [inner])
    },
    rename: async ({ dn, accountName }) => {
      const renamed = dn.replace(/^uid=/, 'uid=new-')
      await (await domain.admin()).modifyDN(dn, renamed)
      if (renamed === dn) throw new Error(`${accountName} has no uid in its name`)
      return renamed
    },
  }
}
