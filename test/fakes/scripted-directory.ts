// A directory of one account in memory, behind our own interface: the marker as compare-and-set, a password version,
// and answers that get lost, come late, or say no, as a test writes it down.
import type { Account } from '../../src/agent/decisions/account.ts'
import type { AccountRules } from '../../src/agent/decisions/account-rules.ts'
import type { RefusalKind, WriteAnswer } from '../../src/agent/decisions/write-answer.ts'
import type { Directory, PolicyReading, WriterSession } from '../../src/agent/directory/directory.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import type { EffectivePolicy } from '../../src/protocol/account-state.ts'

/**
 * What happens to one modify. `lost`: it landed, the answer did not come. `vanished`: neither came. `late`: it lands
 * when the test says so. A refusal changes nothing.
 */
export type Fate = 'normal' | 'lost' | 'vanished' | 'late' | 'not_sent' | { readonly refuse: RefusalKind }

/** A write that reached the account; `marker` is empty where it carried none. */
export interface Effect {
  readonly password: string
  readonly marker: string
}

interface Modify {
  readonly markerBefore: string | undefined
  readonly markerAfter: string
  readonly withoutMarker?: boolean
  readonly effect: ((account: Account) => Account) | undefined
  readonly password: string
}

/** The policy of a default domain: seven characters, three classes, 24 remembered, no lockout. */
export const POLICY: EffectivePolicy = {
  name: 'domain',
  source: 'domain',
  minimumLength: 7,
  complexity: true,
  refusesNames: false,
  historyLength: 24,
  minimumAgeMs: 0,
  maximumAgeMs: null,
  lockoutThreshold: 0,
  lockoutDurationMs: 1_800_000,
  lockoutWindowMs: 1_800_000,
}

/** Makes the directory. `server` can be changed later: the writer role has moved. */
export function createScriptedDirectory(options: {
  readonly name: string
  readonly server: string
  readonly rules: AccountRules
  readonly account: Account
  readonly clock: Clock
}) {
  let account: Account | undefined = options.account
  const late: Modify[] = []
  const state = {
    server: options.server,
    /** Whether the writer can be reached. */
    away: false,
    history: 'enforced' as WriterSession['history'],
    /** Directory clock minus this host's, milliseconds. */
    aheadMs: 0,
    /** The fate of the modifies to come, in order; then `normal`. */
    fates: [] as Fate[],
    /** Runs between the read and the modify that follows, once. */
    beforeModify: undefined as (() => void) | undefined,
    /** Runs after a modify that landed, once. */
    afterModify: undefined as (() => void) | undefined,
    /** Whether the service account may write the marker. */
    holdsMarkerRight: true,
    policy: { kind: 'read', policy: POLICY } as PolicyReading,
    /** The directory answers every read of an account with a refusal. */
    refusesReads: false,
    /** Runs when the policy is read, once. */
    whenPolicyIsRead: undefined as (() => void) | undefined,
    /** What a fresh read finds instead. */
    policyChange: undefined as PolicyReading | undefined,
    calls: [] as string[],
    effects: [] as Effect[],
    /** The bytes that were handed in; they must be wiped afterwards. */
    handed: [] as Buffer[],
  }
  const nowMs = () => Math.floor((options.clock.wallMs() + state.aheadMs) / 1000) * 1000

  function land(modify: Modify): WriteAnswer {
    if (!account) return refused('account_not_found')
    if (!modify.withoutMarker) {
      if (!state.holdsMarkerRight) return refused('missing_right')
      if (account.marker?.toLowerCase() !== modify.markerBefore?.toLowerCase())
        return refused('compare_failed')
      account = { ...account, marker: modify.markerAfter }
    }
    if (modify.effect) {
      account = modify.effect(account)
      state.effects.push({
        password: modify.password,
        marker: modify.withoutMarker ? '' : modify.markerAfter,
      })
    }
    const step = state.afterModify
    state.afterModify = undefined
    step?.()
    return { kind: 'accepted' }
  }
  function answer(modify: Modify): WriteAnswer {
    const fate = state.fates.shift() ?? 'normal'
    const isLost = fate === 'lost' || fate === 'vanished' || fate === 'late'
    if (fate === 'not_sent') return { kind: 'not_sent', cause: new Error('no connection') }
    if (typeof fate === 'object') return refused(fate.refuse)
    if (fate === 'late') late.push(modify)
    if (fate === 'normal' || fate === 'lost') {
      const landed = land(modify)
      if (fate === 'normal') return landed
    }
    return { kind: 'lost', phase: isLost ? 'written' : 'partly_written', cause: new Error('cut') }
  }
  function hook(): void {
    const step = state.beforeModify
    state.beforeModify = undefined
    step?.()
  }
  const session = (): WriterSession => ({
    server: state.server,
    url: 'ldaps://dc1.corp.test',
    history: state.history,
    rules: { ...options.rules },
    directoryNowMs: nowMs,
    directoryDoubtMs: () => 0,
    readAccount: async ({ anchor }, _operation, { markerRight } = {}) => {
      state.calls.push('read')
      if (state.refusesReads) throw new WritebackError('ERR_DIRECTORY_REFUSED', 'no', { retry: 'later' })
      if (account?.objectGuid !== anchor) return undefined
      if (!markerRight) return account
      return { ...account, markerRight: { held: state.holdsMarkerRight, grant: 'dsacls …' } }
    },
    readPolicy: async (_account, { isFresh = false } = {}) => {
      const step = state.whenPolicyIsRead
      state.whenPolicyIsRead = undefined
      step?.()
      // A cached one costs no read.
      if (isFresh) state.calls.push('policy')
      const cached = state.policy
      if (isFresh && state.policyChange) state.policy = state.policyChange
      return isFresh ? state.policy : cached
    },
    readPolicies: async () => ({ policies: [], problems: [] }),
    findNoteworthy: async () => [],
    write: async ({ effect: asked, ...write }) => {
      hook()
      if (asked.kind === 'reset') state.handed.push(asked.password)
      if (asked.kind === 'change') state.handed.push(asked.oldPassword, asked.newPassword)
      if (!write.mayStart()) return { kind: 'not_sent', cause: new Error('withheld') }
      state.calls.push(asked.kind === 'reset' ? 'write' : asked.kind)
      if (asked.kind === 'unlock')
        return answer({
          ...write,
          effect: (before) => ({ ...before, locked: false, lockedAtMs: undefined, badPasswordCount: 0 }),
          password: '',
        })
      const next = asked.kind === 'reset' ? asked.password : asked.newPassword
      const effect = (before: Account): Account => ({
        ...before,
        locked: asked.kind === 'reset' && asked.unlock ? false : before.locked,
        mustChange: asked.kind === 'reset' && asked.mustChange,
        passwordVersion: { version: (before.passwordVersion?.version ?? 0) + 1, changedAtMs: nowMs() },
      })
      return answer({ ...write, effect, password: next.toString() })
    },
    fence: async (fence) => {
      hook()
      if (!fence.mayStart()) return { kind: 'not_sent', cause: undefined }
      state.calls.push('fence')
      return answer({ ...fence, effect: undefined, password: '' })
    },
  })
  const directory: Directory = {
    name: options.name,
    writer: async () => {
      if (state.away)
        throw new WritebackError('ERR_DIRECTORY_UNREACHABLE', 'no connection to dc1', { retry: 'later' })
      return session()
    },
    status: () => ({ connected: !state.away, server: state.server }),
    stop: async () => {},
  }
  return {
    directory,
    state,
    account: () => account,
    /** Somebody else edits or deletes the account. */
    edit: (fields: Partial<Account> | undefined) => {
      account = fields && account ? { ...account, ...fields } : undefined
    },
    /** The late bytes arrive now; gives what the server thought of each. */
    arrive: () => late.splice(0).map((modify) => land(modify).kind),
  }
}

function refused(kind: RefusalKind): WriteAnswer {
  const refusal = {
    kind,
    code: kind === 'compare_failed' ? 16 : 53,
    hex: undefined,
    diagnostic: `says ${kind}`,
  }
  return { kind: 'refused', refusal }
}
