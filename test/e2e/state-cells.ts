// What comes of every operation on an account in every state, and of what happens to it meanwhile, in either kind of directory.
// The titles are the facts that docs/states.md names.
import { expect } from '@jest/globals'
import type { Notice, RefusalReason } from '../../src/protocol/codes.ts'
import type { Operation } from '../../src/protocol/identifiers.ts'
import type { Actor, ResetOptions } from '../../src/protocol/request-document.ts'
import type { DirectoryKind } from '../servers/directory-kinds.ts'

/** Who asks, and how. */
export interface Wish {
  readonly actor?: Actor['kind'] | undefined
  readonly options?: Partial<ResetOptions> | undefined
}

/** What an account is. */
export type StateName =
  | 'normal'
  | 'locked'
  | 'lockout expired'
  | 'disabled'
  | 'account expired'
  | 'password expired'
  | 'must change'
  | 'never expires'
  | 'cannot change'
  | 'smart card required'

/** What the password that is valid is answered with at a sign-in; `no password`: none is valid. */
export type SignIn =
  | 'ok'
  | 'disabled'
  | 'account expired'
  | 'password expired'
  | 'must change'
  | 'no password'

/** One operation on an account in one state, and what comes of it. */
export interface Cell extends Wish {
  readonly title: string
  readonly operation: Operation
  readonly state: StateName
  readonly ends: 'applied' | RefusalReason
  /** Beside those that go with every reset and change. */
  readonly notices?: readonly Notice[]
  /** Default `ok`. */
  readonly signIn?: SignIn
  /** Whether a lockout holds then. Default false. */
  readonly locked?: boolean
  /** Whether the next sign-in asks for a change then. Default false. */
  readonly mustChange?: boolean
  /** Of an inspect: what it tells, among other things. */
  readonly tells?: object
  /** Of an inspect: what it tells beside that in a directory of this kind. */
  readonly tellsBy?: Partial<Record<DirectoryKind, object>>
  /** The only kind of directory where this can be. Default: every one that has the state. */
  readonly only?: DirectoryKind
}
/** States that only one kind of directory has. */
export const STATES_ONLY_IN: Readonly<Partial<Record<StateName, DirectoryKind>>> = {
  'smart card required': 'active-directory',
}

const FREE = { reset: null, change: null, unlock: null }

/** Every operation in every state. */
export const CELLS: readonly Cell[] = [
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
      ...{ state: 'disabled', actor: 'self', ends: 'account_disabled', signIn: 'disabled' },
    },
    {
      title: 'a reset of a disabled account asked for by the help desk is applied with a notice',
      ...{ state: 'disabled', actor: 'help_desk', notices: ['account_disabled'], signIn: 'disabled' },
    },
    {
      title: 'a reset of a disabled account asked for by an administrator is applied with a notice',
      ...{ state: 'disabled', notices: ['account_disabled'], signIn: 'disabled' },
    },
    {
      title: 'a reset of an expired account asked for by its owner is refused',
      ...{ state: 'account expired', actor: 'self', ends: 'account_expired', signIn: 'account expired' },
    },
    {
      title: 'a reset of an expired account asked for by the help desk is applied with a notice',
      ...{
        state: 'account expired',
        actor: 'help_desk',
        notices: ['account_expired'],
        signIn: 'account expired',
      },
    },
    {
      title: 'a reset of an expired account asked for by an administrator is applied with a notice',
      ...{ state: 'account expired', notices: ['account_expired'], signIn: 'account expired' },
    },
    { title: 'a reset of an expired password is applied', state: 'password expired', actor: 'self' },
    { title: 'a reset of a password that must be changed is applied', state: 'must change', actor: 'self' },
    {
      title: 'a reset with must-change makes the user choose a new password',
      ...{
        state: 'normal',
        options: { mustChangeAtNextSignIn: true },
        signIn: 'must change',
        mustChange: true,
      },
    },
    { title: 'a reset of a password that never expires is applied', state: 'never expires' },
    {
      title: 'a reset with must-change of a password that never expires is applied with a notice',
      ...{ state: 'never expires', options: { mustChangeAtNextSignIn: true }, mustChange: true },
      ...{ notices: ['must_change_without_effect'], only: 'active-directory' },
    },
    { title: 'a reset for a user who cannot change the password is applied', state: 'cannot change' },
    {
      title: 'a reset of an account that signs in by smart card is refused',
      ...{ state: 'smart card required', ends: 'smartcard_required', signIn: 'no password' },
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
      ...{ state: 'disabled', ends: 'account_disabled', signIn: 'disabled' },
    },
    {
      title: 'a change on an expired account is refused, whoever asks',
      ...{ state: 'account expired', ends: 'account_expired', signIn: 'account expired' },
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
      ...{ state: 'smart card required', actor: 'self', ends: 'smartcard_required', signIn: 'no password' },
    },
  ]),
  ...of('unlock', [
    { title: 'an unlock of an account that is not locked is applied', state: 'normal' },
    { title: 'an unlock of a locked account is applied', state: 'locked' },
    { title: 'an unlock after an expired lockout is applied', state: 'lockout expired' },
    {
      title: 'an unlock of a disabled account is applied with a notice',
      ...{ state: 'disabled', actor: 'self', notices: ['account_disabled'], signIn: 'disabled' },
    },
    {
      title: 'an unlock of an expired account is applied with a notice',
      ...{ state: 'account expired', actor: 'self', notices: ['account_expired'], signIn: 'account expired' },
    },
    {
      title: 'an unlock leaves an expired password expired',
      state: 'password expired',
      signIn: 'password expired',
    },
    {
      title: 'an unlock leaves a password that must be changed so',
      ...{ state: 'must change', signIn: 'must change', mustChange: true },
    },
    { title: 'an unlock of an account whose password never expires is applied', state: 'never expires' },
    { title: 'an unlock for a user who cannot change the password is applied', state: 'cannot change' },
    {
      title: 'an unlock of an account that signs in by smart card is applied',
      ...{ state: 'smart card required', signIn: 'no password' },
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
      ...{ state: 'disabled', signIn: 'disabled' },
      tells: { disabled: true, refusals: { ...FREE, change: 'account_disabled' } },
    },
    {
      title: 'an inspect of a disabled account tells its owner that no reset is possible',
      ...{ state: 'disabled', actor: 'self', signIn: 'disabled' },
      tells: {
        disabled: true,
        refusals: { ...FREE, reset: 'account_disabled', change: 'account_disabled' },
      },
    },
    {
      title: 'an inspect of an expired account tells when it expired',
      ...{ state: 'account expired', signIn: 'account expired' },
      tells: {
        accountExpiresAt: expect.any(Number),
        refusals: { ...FREE, change: 'account_expired' },
      },
    },
    {
      title: 'an inspect of an expired password tells when it expired',
      ...{ state: 'password expired', signIn: 'password expired' },
      tells: { passwordExpiresAt: expect.any(Number), mustChange: false, refusals: FREE },
    },
    {
      title: 'an inspect of a password that must be changed says so',
      ...{ state: 'must change', signIn: 'must change', mustChange: true },
      tells: { mustChange: true, refusals: FREE },
      tellsBy: { 'active-directory': { passwordChangedAt: null } },
    },
    {
      title: 'an inspect of a password that never expires says so',
      ...{ state: 'never expires', tells: { passwordExpiresAt: null } },
      tellsBy: { 'active-directory': { passwordNeverExpires: true } },
    },
    {
      title: 'an inspect of a user who cannot change the password says so',
      ...{ state: 'cannot change', tells: { refusals: { ...FREE, change: 'change_not_permitted' } } },
    },
    {
      title: 'an inspect of an account that signs in by smart card says that only an unlock is possible',
      ...{ state: 'smart card required', signIn: 'no password' },
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

/** What may happen to an account between the agent's read and its write. */
export type Event =
  | 'moved within the scope'
  | 'moved out of the scope'
  | 'renamed'
  | 'deleted'
  | 'deleted and created anew'

/** One operation, and what happens meanwhile. */
export interface Race {
  readonly title: string
  readonly operation: Operation
  readonly event: Event
  readonly ends: 'applied' | RefusalReason
}
const race = (title: string, operation: Operation, event: Event, ends: Race['ends']): Race => ({
  ...{ title, operation, event, ends },
})
const MOVED = 'moved within the scope'
const LEFT = 'moved out of the scope'
const RENAMED = 'renamed'
const DELETED = 'deleted'
const ANEW = 'deleted and created anew'
/** Every operation with every such event. */
export const RACES: readonly Race[] = [
  race('a reset follows an account that is moved within the scope [entry_moved]', 'reset', MOVED, 'applied'),
  race(
    'a reset of an account that is moved out of the scope is refused',
    'reset',
    LEFT,
    'account_out_of_scope',
  ),
  race('a reset follows an account that is renamed [entry_renamed]', 'reset', RENAMED, 'applied'),
  race(
    'a reset of an account that is deleted is refused [entry_deleted]',
    'reset',
    DELETED,
    'account_not_found',
  ),
  race(
    'a reset never reaches a new account of the same name [entry_recreated]',
    'reset',
    ANEW,
    'account_not_found',
  ),
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
