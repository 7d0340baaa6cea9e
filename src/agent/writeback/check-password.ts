// Holds a new password against the effective policy: before the write what is broken for certain, after a refusal what
// explains it. What no rule explains is told as the directory's own word, never as a guess.

import { isRetryable } from '../../errors/writeback-error.ts'
import { findAgeViolation, findPasswordViolation, type Violation } from '../../policy/find-violation.ts'
import type { PasswordPolicy } from '../../policy/password-policy.ts'
import type { Rule } from '../../policy/rule.ts'
import type { EffectivePolicy } from '../../protocol/account-state.ts'
import type { RefusalReason } from '../../protocol/codes.ts'
import type { Account } from '../decisions/account.ts'
import type { DirectoryRefusal } from '../decisions/write-answer.ts'
import type { PolicyReading, WriterSession } from '../directory/directory.ts'
import type { Work } from './writeback-parts.ts'

/** Why a password is refused, the rule that would be accepted, and the policy it comes from. */
export interface BrokenRule {
  readonly reason: RefusalReason
  readonly rule: Rule | undefined
  readonly policy: EffectivePolicy | undefined
}

/** What a password is held against. `old`: the current one, of a change. */
export interface Candidate {
  readonly account: Account
  readonly policy: PolicyReading
  readonly old: Uint8Array | undefined
  /** The rule that the directory itself says is broken. */
  readonly named?: DirectoryRefusal['brokenRule']
}

// Where the policy cannot be read, only the agent's own list is held against the password.
const NOTHING_ASKED: PasswordPolicy = {
  minimumLength: 0,
  complexity: false,
  refusesNames: false,
  historyLength: 0,
  minimumAgeMs: 0,
  maximumAgeMs: null,
  lockoutThreshold: 0,
  lockoutDurationMs: null,
  lockoutWindowMs: 0,
}

/**
 * What is broken whatever way the directory counts; undefined: let the directory decide. A rule that seems broken is read
 * anew first, so that nothing is refused by a policy that was relaxed a moment ago. Throws what reading it throws.
 */
export async function checkPassword(
  password: Uint8Array,
  candidate: Candidate,
  work: Work,
  session: WriterSession,
): Promise<BrokenRule | undefined> {
  const find = (policy: PolicyReading) => findBroken(password, { ...candidate, policy }, 'certain')
  const own = findOwnRule(password, candidate, work)
  if (own || !find(candidate.policy)) return own
  return find(await session.readPolicy(candidate.account, { isFresh: true }))
}

/** What explains the directory's refusal, by the policy as it is now; `password_policy` when no rule does. Never throws. */
export async function explainRefusal(
  password: Uint8Array,
  candidate: Candidate,
  work: Work,
  session: WriterSession,
): Promise<BrokenRule> {
  const policy = await readAnew(session, candidate)
  const known = policy.kind === 'read' ? policy.policy : undefined
  if (candidate.named) return brokenAsNamed(candidate.named, candidate, known, session.directoryNowMs())
  return (
    findBroken(password, { ...candidate, policy }, 'explain') ??
    findAge(work, candidate, policy, session.directoryNowMs()) ??
    findSame(password, candidate, known) ?? { reason: 'password_policy', rule: undefined, policy: known }
  )
}

// The directory's word stands; the policy only says what would be accepted.
function brokenAsNamed(
  reason: NonNullable<Candidate['named']>,
  { account }: Candidate,
  policy: EffectivePolicy | undefined,
  directoryNowMs: number,
): BrokenRule {
  const rules = {
    password_too_short: (known: EffectivePolicy): Rule => ({
      kind: 'minimum_length',
      characters: known.minimumLength,
    }),
    password_in_history: ({ historyLength: remembered }: EffectivePolicy): Rule | undefined =>
      remembered === 0 ? undefined : { kind: 'not_used_before', remembered },
    password_too_young: (known: EffectivePolicy): Rule | undefined =>
      findAgeViolation(known, account.passwordSetAtMs, directoryNowMs)?.rule,
  }
  return { reason, rule: policy && rules[reason](policy), policy }
}

// The refusal stands, whether or not it can be explained.
async function readAnew(session: WriterSession, { account }: Candidate): Promise<PolicyReading> {
  try {
    return await session.readPolicy(account, { isFresh: true })
  } catch (error) {
    if (!isRetryable(error)) throw error
    return { kind: 'unreadable', name: 'policy', problem: 'the directory did not answer' }
  }
}

function findBroken(
  password: Uint8Array,
  { account, policy }: Candidate,
  reading: 'certain' | 'explain',
): BrokenRule | undefined {
  const known = policy.kind === 'read' ? policy.policy : undefined
  // Windows holds such an account to no policy (MS-SAMR 3.1.1.7.2), Samba does: the directory decides.
  const asked =
    reading === 'certain' && account.passwordNotRequired ? NOTHING_ASKED : (known ?? NOTHING_ASKED)
  const countsBytes = policy.kind === 'read' && policy.countsBytes === true
  return brokenBy(
    findPasswordViolation(password, { policy: asked, holder: holderOf(account), reading, countsBytes }),
    known,
  )
}

/** The agent's own rules: they hold whatever the directory says, so they are read as widely as they are written. */
function findOwnRule(
  password: Uint8Array,
  { account, policy }: Candidate,
  { served: { blocklist, refusesNames } }: Work,
): BrokenRule | undefined {
  const own = { policy: { ...NOTHING_ASKED, refusesNames }, holder: holderOf(account), blocklist }
  const violation = findPasswordViolation(password, { ...own, reading: 'explain' })
  return brokenBy(violation, policy.kind === 'read' ? policy.policy : undefined)
}

const holderOf = ({ name, displayName }: Account) => ({ accountName: name, displayName })

function findAge(
  { document }: Work,
  { account }: Candidate,
  policy: PolicyReading,
  directoryNowMs: number,
): BrokenRule | undefined {
  if (document.operation !== 'change' || policy.kind !== 'read') return undefined
  return brokenBy(findAgeViolation(policy.policy, account.passwordSetAtMs, directoryNowMs), policy.policy)
}

// The directory compares the old password first, so a refusal by policy says that it was right.
function findSame(
  password: Uint8Array,
  { old }: Candidate,
  policy: EffectivePolicy | undefined,
): BrokenRule | undefined {
  const isSame = old !== undefined && Buffer.from(old.buffer, old.byteOffset, old.length).equals(password)
  if (!isSame || !policy || policy.historyLength === 0) return undefined
  const rule: Rule = { kind: 'not_used_before', remembered: policy.historyLength }
  return { reason: 'password_in_history', rule, policy }
}

const brokenBy = (
  violation: Violation | undefined,
  policy: EffectivePolicy | undefined,
): BrokenRule | undefined => violation && { ...violation, policy }
