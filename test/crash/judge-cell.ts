// What must be true of one request whatever happened to its agent, by the directory, by the wire and by the store; never
// by the agent's own words.

import { parseMarker } from '../../src/protocol/marker.ts'
import type { Verdict } from '../../src/protocol/sealer-calls.ts'
import { boundNames } from '../e2e/password-writes.ts'
import { acceptedAt, type CrashWorld, LOCKOUT_THRESHOLD, type Subject, validPassword } from './crash-world.ts'
import { type EffectCounts, readEffects } from './read-effects.ts'

/** One judged request. `faults`: what is not as it must be, one sentence each. */
export interface Judgement {
  readonly request: string
  readonly operation: string
  readonly outcome: string | null
  readonly reason: string | null
  /** On the account, at the end. */
  readonly marker: string | undefined
  readonly faults: readonly string[]
}

/** What a judgement looks for beside the truth. `outcomes`: how the request may end; default: only applied. */
export interface Expectation {
  readonly outcomes?: readonly string[]
  readonly withinMs?: number
}

/** Waits for the verdict and judges it. */
export async function judge(
  crash: CrashWorld,
  subject: Subject,
  request: string,
  { outcomes = ['applied'], withinMs = 60_000 }: Expectation = {},
): Promise<Judgement> {
  const verdict = await crash.world.verdict(request, withinMs)
  const after = await readEffects(crash.world.domain, subject.user.dn)
  const faults = [
    ...findEnd(verdict, outcomes),
    ...findUntruth(crash, subject, request, verdict, after),
    ...findWrongDoor(crash),
    ...(await findWrongPassword(crash, subject, verdict)),
  ]
  const { operation } = subject
  return {
    request,
    operation,
    outcome: verdict.outcome,
    reason: verdict.reason,
    marker: after.marker,
    faults,
  }
}

function findEnd({ state, outcome, reason }: Verdict, outcomes: readonly string[]): readonly string[] {
  if (state !== 'closed' || outcome === null) return ['it has no verdict in time']
  const ended = reason === null ? outcome : `${outcome}/${reason}`
  return outcomes.includes(ended) ? [] : [`it ended ${ended}`]
}

function findUntruth(
  { proxies }: CrashWorld,
  { operation, user, before }: Subject,
  request: string,
  { outcome }: Verdict,
  after: EffectCounts,
): readonly string[] {
  const isApplied = outcome === 'applied'
  const effects =
    operation === 'unlock'
      ? after.lockoutWrites - before.lockoutWrites
      : after.passwordWrites - before.passwordWrites
  const accepted = proxies.flatMap((proxy) => acceptedAt(proxy, user)).length
  const marker = parseMarker(after.marker ?? '')
  const isMarked = marker?.requestId === request && marker.flag === 'applied'
  const isLocked = operation === 'unlock' && !isApplied
  return [
    ...(effects === (isApplied ? 1 : 0) ? [] : [`the directory counts ${effects} effects of ${outcome}`]),
    ...(accepted <= 1 ? [] : [`${accepted} writes were accepted`]),
    ...(isMarked === isApplied ? [] : [`the marker says ${after.marker} of ${outcome}`]),
    ...(after.isLocked === isLocked ? [] : [`the account is ${after.isLocked ? '' : 'not '}locked`]),
    ...(isLocked || after.badPasswordCount === 0
      ? []
      : [`${after.badPasswordCount} of ${LOCKOUT_THRESHOLD} wrong passwords are counted`]),
  ]
}

function findWrongDoor({ proxies, world }: CrashWorld): readonly string[] {
  const names = new Set(proxies.flatMap((proxy) => [...boundNames(proxy)]))
  names.delete(world.domain.serviceAccountName)
  return [...names].map((name) => `the agent tried to bind as ${name}`)
}

async function findWrongPassword(
  { world }: CrashWorld,
  { user, operation }: Subject,
  { outcome }: Verdict,
): Promise<readonly string[]> {
  // A locked account refuses every password; that it is locked was looked at.
  if (operation === 'unlock' && outcome !== 'applied') return []
  const isValid = await world.domain.canBind(user.principal, validPassword(operation, outcome === 'applied'))
  return isValid ? [] : [`the password that ${outcome} tells of does not sign in`]
}
