// The writes of a session: one modify each, with the controls the server has, and what its answer means.
import type { Clock } from '../../../clock/clock.ts'
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { LdapResult } from '../../../ldap-wire/decode-response.ts'
import type { RequestControl } from '../../../ldap-wire/encode-request.ts'
import type { Account } from '../../decisions/account.ts'
import { isWithoutEffect, type WriteAnswer } from '../../decisions/write-answer.ts'
import type { Effect, Fence, WriterSession } from '../directory.ts'
import type { ServerPools } from '../server-pools.ts'
import { assertionRequest } from './assertion-control.ts'
import { classifySlapdRefusal, reliable } from './classify-refusal.ts'
import { checkPasswordBytes } from './clear-password.ts'
import type { MarkerNames } from './marker-schema.ts'
import { effectChanges, markerChanges } from './password-modify.ts'
import type { SlapdPolicyReader } from './policy-reader.ts'
import { postReadRequest, writtenEntryOf } from './post-read-control.ts'
import { ppolicyRequest } from './ppolicy-control.ts'
import type { SeenEntry } from './seen-entry.ts'
import type { ServerTime } from './server-time.ts'

/** How a write went past the password policy. */
export interface PolicyBypass {
  readonly problem: string
  /** The server kept the password as it was sent: no more may be written, whatever the configuration takes. */
  readonly isInClear: boolean
}

/** What writing needs of its session. */
export interface AccountWriterParts {
  readonly marker: MarkerNames
  /** What the server offers. */
  readonly controls: ReadonlySet<string>
  readonly pools: Pick<ServerPools, 'modify'>
  readonly policies: SlapdPolicyReader
  readonly time: ServerTime
  readonly clock: Clock
  /** The entry behind an account that this session read; undefined: it did not. */
  readonly seenOf: (account: Account | undefined) => SeenEntry | undefined
  /** True when the name of the entry still leads to it. Throws what a read throws. */
  readonly isStillThere: (seen: SeenEntry) => Promise<boolean>
  /** Told when a write proved that no policy held for it. */
  readonly policyBypassed: (bypass: PolicyBypass) => void
}

/** Makes the writes. */
export function createAccountWriter(parts: AccountWriterParts): Pick<WriterSession, 'write' | 'fence'> {
  return {
    fence: (fence) => send(parts, fence, undefined, false),
    write: async (write) => {
      checkPasswordBytes(write.effect)
      return send(parts, write, write.effect, write.withoutMarker === true)
    },
  }
}

async function send(
  parts: AccountWriterParts,
  fence: Fence,
  effect: Effect | undefined,
  withoutMarker: boolean,
): Promise<WriteAnswer> {
  const { marker, pools, clock } = parts
  const { markerBefore: before, markerAfter: after } = fence
  const seen = parts.seenOf(fence.account)
  if (seen === undefined)
    throw new WritebackError('ERR_INTERNAL', 'a write of an account that this session has not read')
  const move = withoutMarker
    ? []
    : markerChanges({ attribute: marker.attribute, before, after }, marker.auxiliaryClass, seen)
  const sent = {
    effect: effect?.kind ?? ('fence' as const),
    hadMarker: !withoutMarker && before !== undefined,
    markerAttribute: marker.attribute,
  }
  let sentMs = 0
  const answer = await pools.modify({
    dn: seen.dn,
    changes: [...move, ...(effect === undefined ? [] : effectChanges(effect, seen))],
    controls: controlsFor(parts, seen, effect),
    mayStart: () => {
      sentMs = clock.monotonicMs()
      return fence.mayStart()
    },
    classify: (result) => classifySlapdRefusal(result, sent),
    onAccepted: (result) => learn(parts, result, sentMs, effect),
  })
  return explainSafeModify(parts, fence.account, effect, await ofThisEntry(parts, seen, reliable(answer)))
}

/**
 * The overlay looks at passwords before slapd looks at the assertion (measured, 2.5): what it refuses may be about another entry,
 * which has the name by now. Then the refusal says nothing, and the account is read again. Where that cannot be looked at, the
 * refusal is believed: a rename and a failed read at once are rarer, and a wrong password that is not counted is sent again.
 */
async function ofThisEntry(
  { isStillThere }: AccountWriterParts,
  seen: SeenEntry,
  answer: WriteAnswer,
): Promise<WriteAnswer> {
  if (answer.kind !== 'refused' || isWithoutEffect(answer)) return answer
  const isOfOther = await isStillThere(seen).then(
    (isThere) => !isThere,
    () => false,
  )
  return isOfOther ? { ...answer, refusal: { ...answer.refusal, kind: 'busy' } } : answer
}

/** Those of the controls that the server has: an unknown critical one would refuse every write. */
function controlsFor({ controls }: AccountWriterParts, seen: SeenEntry, effect: Effect | undefined) {
  const wanted: readonly RequestControl[] = [
    ...(effect === undefined ? [] : [ppolicyRequest]),
    assertionRequest(seen, effect),
    postReadRequest,
  ]
  return wanted.filter(({ oid }) => controls.has(oid))
}

function learn(
  { time, clock, policyBypassed }: AccountWriterParts,
  result: LdapResult,
  sentMs: number,
  effect: Effect | undefined,
): void {
  const { writtenAtMs, changedAtMs, mustChange } = writtenEntryOf(result)
  if (writtenAtMs !== undefined) time.learn({ writtenAtMs, sentMs, answeredMs: clock.monotonicMs() })
  // The overlay sets pwdReset by itself only for an administrator, whom it holds to no policy.
  if (effect?.kind === 'reset' && !effect.mustChange && mustChange) policyBypassed(BYPASSED)
  const isPassword = effect?.kind === 'reset' || effect?.kind === 'change'
  const isDated = changedAtMs !== undefined && writtenAtMs !== undefined
  // Both are of one clock and one write, where the overlay dates passwords at all.
  if (isPassword && isDated && writtenAtMs - changedAtMs > LONGEST_WRITE_MS) policyBypassed(NOT_DATED)
}

const LONGEST_WRITE_MS = 60_000
const BYPASSED: PolicyBypass = {
  problem:
    'the service account goes past the password policy, as the rootdn and accounts with manage do: give it the rules of install/openldap instead',
  isInClear: false,
}
const NOT_DATED: PolicyBypass = {
  problem:
    'the server did not date a password that was written (pwdChangedTime): the database of the accounts has no ppolicy overlay, and keeps passwords in clear; add the overlay ppolicy to it with olcPPolicyHashCleartext TRUE, and have the passwords changed that were written meanwhile',
  isInClear: true,
}

const OLD_PASSWORD_WANTED = /old password/i

/** pwdSafeModify makes resets impossible for every service account: the words say what to change. */
async function explainSafeModify(
  { policies }: AccountWriterParts,
  account: Account | undefined,
  effect: Effect | undefined,
  answer: WriteAnswer,
): Promise<WriteAnswer> {
  const isSafeModify =
    effect?.kind === 'reset' &&
    answer.kind === 'refused' &&
    answer.refusal.kind === 'missing_right' &&
    OLD_PASSWORD_WANTED.test(answer.refusal.diagnostic)
  if (!isSafeModify) return answer
  const reading = await policies.read(account?.policyDn, true).catch(() => undefined)
  const where = reading?.kind === 'read' ? `policy ${reading.policy.name}` : 'its password policy'
  const diagnostic = `${where} has pwdSafeModify TRUE, which keeps everybody but the user from setting a password: set it to FALSE`
  return { ...answer, refusal: { ...answer.refusal, diagnostic } }
}
