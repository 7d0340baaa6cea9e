// What happened against what was said: I2 at most one effect, I3 truthful success, I4 truthful refusal, I11 no lockouts.
import { truthfulDrops } from './drop-rules.ts'
import type { AccountTrack, History, RequestTrack, StoreSaid } from './index-history.ts'
import type { Judge, Rules } from './judge.ts'
import { isPromiseLost } from './lost-promise.ts'
import { attemptOf, isEffect, type Modify, nameOf } from './modify.ts'

const landedEffects = ({ modifies }: { readonly modifies: readonly Modify[] }): readonly Modify[] =>
  modifies.filter((modify) => modify.effect === 'landed' && isEffect(modify))

/**
 * Of each request at most one effect reaches the directory. Excused: one on each of two servers, the second handed out by a
 * store that was restored and had lost the receipt of the first.
 */
function atMostOnce(history: History, judge: Judge): void {
  for (const track of history.requests.values()) {
    if (!track.modifies.some(isEffect)) continue
    judge.decide()
    const landed = landedEffects(track)
    const second = landed.find((modify, index) =>
      landed.slice(0, index).some((one) => !isUnknowable(history, one, modify)),
    )
    if (second) judge.violate(second.seen.at, `a second effect: ${nameOf(second)}`)
    else if (landed.length > 1) judge.excuse()
  }
}

// The one that was sent first may land last.
const isUnknowable = (history: History, a: Modify, b: Modify): boolean =>
  isPromiseLost(history, attemptOf(a), attemptOf(b)) || isPromiseLost(history, attemptOf(b), attemptOf(a))

/** `applied` is said after the effect, and the end state is what the effects and others' changes leave. */
function truthfulSuccess(history: History, judge: Judge): void {
  for (const track of history.requests.values()) judgeApplied(history, judge, track)
  for (const account of history.accounts.values()) judgeEnd(judge, account)
}

function judgeApplied({ run }: History, judge: Judge, track: RequestTrack): void {
  const { asked, id } = track
  if (!asked || asked.operation === 'inspect') return
  const said = appliedAt(track)
  if (said === undefined || track.modifies.some((modify) => modify.effect === 'open' && isEffect(modify)))
    return
  judge.decide()
  const effect = landedEffects(track).find((modify) => isAskedFor(asked, modify))
  if (!effect) judge.violate(said, `request ${id} is said to be applied, and no write of it landed`)
  else if (effect.seen.at > said + (run.stampErrorMs ?? 0))
    judge.violate(said, `request ${id} was said to be applied before its write landed`)
}

function appliedAt({ reported, verdict }: RequestTrack): number | undefined {
  const report = reported.find(({ outcome }) => outcome === 'applied')
  return report?.at ?? (verdict?.outcome === 'applied' ? verdict.at : undefined)
}

/** True for the effect that the request asks for: its own password, or a lockout cleared. */
const isAskedFor = (asked: StoreSaid<'requested'>, modify: Modify): boolean =>
  asked.operation === 'unlock' ? modify.clearsLockout : modify.password === `new:${asked.request}`

function judgeEnd(judge: Judge, account: AccountTrack): void {
  const { end, foreign, name } = account
  if (!end || foreign.some(({ what }) => what === 'deleted' || what === 'recreated')) return
  const passwords = possiblePasswords(account)
  // A locked account answers no bind, whatever its password is.
  if (!(end.isLocked && end.password === null) && !passwords.has(null)) {
    judge.decide()
    if (!passwords.has(end.password))
      judge.violate(
        end.at,
        `account ${name} has password ${end.password}, not ${[...passwords].join(' or ')}`,
      )
  }
  if (foreign.some(({ what }) => what === 'marker')) return
  const markers = possibleMarkers(account)
  if (markers.size === 0) return
  judge.decide()
  if (!markers.has(end.marker?.toLowerCase()))
    judge.violate(end.at, `account ${name} has marker ${end.marker}, not ${[...markers].join(' or ')}`)
}

interface Step {
  /** It took effect somewhere between. */
  readonly from: number
  readonly to: number
  readonly server: string | null
  readonly value: string | null
  readonly isCertain: boolean
}

/** The passwords that may bind at the end; null among them: one whose name is not known. */
function possiblePasswords({ modifies, foreign, name }: AccountTrack): ReadonlySet<string | null> {
  const ours = modifies.flatMap((modify) =>
    modify.password === undefined ? [] : stepsOf(modify, modify.password),
  )
  const others = foreign.flatMap(({ what, at, since, server, secret }) =>
    what === 'password'
      ? [{ from: since ?? at, to: at, server, value: secret ?? null, isCertain: true }]
      : [],
  )
  return lastValues([...ours, ...others], `first:${name}`)
}

/** The markers that may stand at the end; empty when nothing was seen to move it. */
function possibleMarkers({ modifies }: AccountTrack): ReadonlySet<string | null | undefined> {
  const steps = modifies.flatMap((modify) =>
    modify.markerAfter === undefined ? [] : stepsOf(modify, modify.markerAfter),
  )
  return steps.some(({ isCertain }) => isCertain) ? lastValues(steps, null) : new Set()
}

const stepsOf = ({ seen, effect, answeredAt }: Modify, value: string): Step[] =>
  effect === 'refused'
    ? []
    : [
        {
          from: seen.at,
          to: answeredAt ?? seen.at,
          server: seen.server,
          value,
          isCertain: effect === 'landed',
        },
      ]

/**
 * What may stand last. Of each server the last certain value, what overlaps with it, and the open ones after it: which
 * of two servers wins is up to their replication.
 */
function lastValues(steps: readonly Step[], first: string | null): ReadonlySet<string | null> {
  const last = new Map<string, Map<string | null, number>>()
  const servers = new Set(steps.flatMap(({ server }) => server ?? []))
  for (const server of servers.size === 0 ? ['any'] : servers) last.set(server, new Map())
  for (const step of steps.toSorted((a, b) => a.from - b.from))
    for (const [server, values] of last) {
      if (step.server !== null && step.server !== server) continue
      if (!step.isCertain && values.size === 0) values.set(first, step.from)
      if (step.isCertain) for (const [value, to] of values) if (to < step.from) values.delete(value)
      values.set(step.value, step.to)
    }
  const all = new Set([...last.values()].flatMap((values) => [...values.keys()]))
  return all.size === 0 ? new Set([first]) : all
}

const NOTHING_CHANGED = new Set(['refused', 'superseded', 'expired', 'failed'])

/** Whoever says that nothing was changed is right for ever: also a late write never lands. */
function truthfulRefusal(history: History, judge: Judge): void {
  truthfulDrops(history, judge)
  for (const track of history.requests.values()) {
    const said = nothingChanged(track)
    if (!said || history.forgotten.has(track.id)) continue
    judge.decide()
    const [effect] = landedEffects(track)
    if (effect)
      judge.violate(Math.max(effect.seen.at, said.at), `said to be ${said.outcome}: ${nameOf(effect)} landed`)
  }
}

function nothingChanged({
  verdict,
  reported,
}: RequestTrack): { readonly at: number; readonly outcome: string } | undefined {
  const outcome = verdict?.outcome ?? ''
  if (verdict && NOTHING_CHANGED.has(outcome)) return { at: verdict.at, outcome }
  return reported.find((report) => report.answer === 'accepted' && NOTHING_CHANGED.has(report.outcome))
}

/** No account comes to its lockout by an attempt of the agent, and the agent never tries a password by a bind. */
function noLockouts(history: History, judge: Judge): void {
  for (const bind of history.binds)
    if (bind.who === 'user') {
      judge.decide()
      judge.violate(bind.at, `agent ${bind.agent ?? '?'} tried a user's password by a bind`)
    }
  for (const account of history.accounts.values()) judgeLockout(judge, account, history.run.dialect)
}

type Attempt = { readonly at: number; readonly who: 'agent' | 'other' }

function judgeLockout(judge: Judge, account: AccountTrack, dialect: History['run']['dialect']): void {
  const threshold = account.known?.lockoutThreshold ?? 0
  if (threshold === 0) return
  const failed = account.modifies.filter((modify) => isWrongPassword(modify, dialect))
  if (failed.length === 0) return
  judge.decide(failed.length)
  // OpenLDAP does not count what the service account tries: a lockout must have another cause.
  const isCounted = dialect === 'active-directory'
  const attempts: Attempt[] = [
    ...(isCounted ? failed.map(({ seen }) => ({ at: seen.at, who: 'agent' as const })) : []),
    ...account.foreign
      .filter(({ what }) => what === 'bad_password')
      .map(({ at }) => ({ at, who: 'other' as const })),
  ].sort((a, b) => a.at - b.at)
  let count = 0
  let from = 0
  let wasFull = false
  for (const sample of samplesOf(account)) {
    const between = attempts.filter(({ at }) => at > from && at <= sample.at)
    // What others tried unseen may have brought the count up before.
    const atThreshold = between[threshold - count - 1] ?? between.at(-1)
    const isLockedByOther = account.foreign.some(
      ({ what, at }) => what === 'locked' && at <= sample.at && (at > from || isBelow(sample, threshold)),
    )
    const isFull = sample.isFull(threshold)
    // One that is locked already is not brought there again.
    const isByAgent =
      atThreshold?.who === 'agent' ||
      (!isCounted && !atThreshold && failed.some(({ seen }) => seen.at > from && seen.at <= sample.at))
    if (isFull && !wasFull && isByAgent && !isLockedByOther)
      judge.violate(sample.at, `account ${account.name} came to its lockout by an attempt of the agent`)
    count = sample.count ?? Math.min(count + between.length, threshold)
    from = sample.at
    wasFull = isFull
  }
}

/**
 * What locks by counting has counted up to it: a lock beside a lower count is an administrator's, which came late to the other
 * domain controller. What the end looks like is not counted.
 */
const isBelow = ({ count }: Sample, threshold: number): boolean => count !== undefined && count < threshold

/** A change that the directory refused for its old password. Without the hex digits every 19 of AD may be one. */
const isWrongPassword = ({ kind, code, hex }: Modify, dialect: History['run']['dialect']): boolean =>
  kind === 'change' &&
  (dialect === 'openldap' ? code === 53 : code === 19 && (hex === undefined || hex === '00000056'))

interface Sample {
  readonly at: number
  readonly count: number | undefined
  readonly isFull: (threshold: number) => boolean
}

function samplesOf({ samples, end }: AccountTrack): readonly Sample[] {
  const seen: Sample[] = samples.map(({ at, badPasswordCount, isLocked }) => ({
    at,
    count: badPasswordCount,
    isFull: (threshold) => isLocked || badPasswordCount >= threshold,
  }))
  if (end) seen.push({ at: end.at, count: undefined, isFull: () => end.isLocked })
  return seen
}

/** The rules of effects. */
export const effectRules: Rules = {
  I2: atMostOnce,
  I3: truthfulSuccess,
  I4: truthfulRefusal,
  I11: noLockouts,
}
