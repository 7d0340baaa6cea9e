// A verdict in words, from the tables of codes, and as an exit status.
import { describeRule } from '../policy/describe-rule.ts'
import {
  type CodeExplanation,
  FAILURE_REASONS,
  NOTICES,
  OUTCOMES,
  type OutcomeName,
  REFUSAL_REASONS,
} from '../protocol/codes.ts'
import type { Verdict } from '../protocol/sealer-calls.ts'
import { alignRows, wrap } from './aligned-lines.ts'
import { accountRows } from './describe-account.ts'
import { policyRows } from './describe-policy.ts'
import { EXIT } from './io.ts'

const EXIT_OF: Readonly<Record<OutcomeName, number>> = {
  applied: EXIT.done,
  refused: EXIT.refused,
  superseded: EXIT.overtaken,
  expired: EXIT.overtaken,
  unknown: EXIT.unknown,
  failed: EXIT.failedRequest,
}

/** The exit status of an outcome; a request that is not closed yet counts as done. */
export const exitOf = (outcome: OutcomeName | null): number =>
  outcome === null ? EXIT.done : EXIT_OF[outcome]

const REASONS: Readonly<Record<string, CodeExplanation>> = { ...REFUSAL_REASONS, ...FAILURE_REASONS }

const STATES: Readonly<Record<Verdict['state'], string>> = {
  unsealed: 'begun; the sealed password has not arrived',
  waiting: 'waiting for an agent',
  in_progress: 'an agent has it',
  closed: 'closed',
}

/** The lines a person reads: what happened, why, and what to do next. */
export function describeVerdict(verdict: Verdict): readonly string[] {
  const { request, displayName, directory, createdAt } = verdict
  const stages = verdict.stages.map(
    ({ stage, at, agent }) => `  ${stage} +${at - createdAt} ms${agent === null ? '' : ` (${agent})`}`,
  )
  return [`request ${request} for ${displayName} in ${directory}`, ...stages, ...endOf(verdict)]
}

function endOf(verdict: Verdict): readonly string[] {
  const { outcome, reason, account, stages, createdAt } = verdict
  if (outcome === null) return [STATES[verdict.state]]
  const after = `after ${(((stages.at(-1)?.at ?? createdAt) - createdAt) / 1000).toFixed(2)} s`
  // Nothing was done, so there is no effect to prove and no next step.
  if (account) return [`the account, read ${after}:`, ...alignRows(accountRows(account))]
  const because = reason === null ? undefined : REASONS[reason]
  const said: CodeExplanation = because ?? { ...OUTCOMES[outcome], ...insteadOf(verdict) }
  return [
    `${outcome}${reason === null ? '' : `: ${reason}`} ${after}: ${said.meaning}`,
    ...besideOf(verdict),
    ...nextOf(verdict, said).map(
      ({ nextStep, whoActs }) => `next: ${nextStep}${whoActs === 'nobody' ? '' : ` (${whoActs})`}`,
    ),
  ]
}

// The general words speak of a new password.
const NEXT_OF_UNLOCK: Partial<Record<OutcomeName, string>> = {
  applied: 'the user can sign in again with the password there is',
  unknown: 'ask again',
  superseded: 'none; a newer request counts',
}

function insteadOf({ operation, outcome }: Verdict): { readonly nextStep?: string } {
  const nextStep = operation === 'unlock' && outcome !== null ? NEXT_OF_UNLOCK[outcome] : undefined
  return nextStep === undefined ? {} : { nextStep }
}

// Where somebody has to act on a notice first, the user cannot simply go on.
function nextOf({ outcome, notices }: Verdict, said: CodeExplanation): readonly CodeExplanation[] {
  const told = notices.map((notice): CodeExplanation => NOTICES[notice])
  const pressing = outcome === 'applied' ? told.filter(({ whoActs }) => whoActs !== 'nobody') : []
  return pressing.length > 0 ? pressing : [said]
}

function besideOf({ rule, policy, detail, notices }: Verdict): readonly string[] {
  return [
    ...(rule === null ? [] : wrap(`accepted is: ${describeRule(rule)}`)),
    ...(detail === null ? [] : [`detail: ${detail}`]),
    ...(policy === null ? [] : ['the password policy of the account:', ...alignRows(policyRows(policy))]),
    ...notices.map((notice) => `note: ${NOTICES[notice].meaning}`),
  ]
}
