// A password policy out of the entry that holds it: the domain's root or a fine-grained policy. Intervals are negative
// 100-nanosecond steps that pass 2^53, and "never" has a spelling of its own in each attribute.
import type { Entry } from 'ldapts'
import type { EffectivePolicy } from '../../../protocol/account-state.ts'
import { textOf } from '../entry-values.ts'
import { largeInteger } from './file-time.ts'

/** The policy, or the attributes that are absent or hold no such value. */
export type PolicyValues =
  | { readonly kind: 'read'; readonly policy: EffectivePolicy }
  | { readonly kind: 'faulty'; readonly absent: readonly string[]; readonly wrong: readonly string[] }

/** Where a policy comes from, as the contract names it. */
export type PolicySource = EffectivePolicy['source']

type Part =
  | 'minimumLength'
  | 'complexity'
  | 'historyLength'
  | 'minimumAge'
  | 'maximumAge'
  | 'lockoutThreshold'
  | 'lockoutDuration'
  | 'lockoutWindow'

const DOMAIN: Readonly<Record<Part, string>> = {
  minimumLength: 'minPwdLength',
  complexity: 'pwdProperties',
  historyLength: 'pwdHistoryLength',
  minimumAge: 'minPwdAge',
  maximumAge: 'maxPwdAge',
  lockoutThreshold: 'lockoutThreshold',
  lockoutDuration: 'lockoutDuration',
  lockoutWindow: 'lockOutObservationWindow',
}

const FINE_GRAINED: Readonly<Record<Part, string>> = {
  minimumLength: 'msDS-MinimumPasswordLength',
  complexity: 'msDS-PasswordComplexityEnabled',
  historyLength: 'msDS-PasswordHistoryLength',
  minimumAge: 'msDS-MinimumPasswordAge',
  maximumAge: 'msDS-MaximumPasswordAge',
  lockoutThreshold: 'msDS-LockoutThreshold',
  lockoutDuration: 'msDS-LockoutDuration',
  lockoutWindow: 'msDS-LockoutObservationWindow',
}

const NAMES: Readonly<Record<PolicySource, Readonly<Record<Part, string>>>> = {
  domain: DOMAIN,
  fine_grained: FINE_GRAINED,
}

/** What a read of a policy asks for. */
export const policyAttributes = (source: PolicySource): string[] => Object.values(NAMES[source])

/** `refusesNames`: this directory's complexity also forbids names inside a password. */
export interface PolicyForm {
  readonly name: string
  readonly source: PolicySource
  readonly refusesNames: boolean
}

/** Reads a policy. Never gives a number that the entry does not hold. */
export function readPolicyValues(entry: Entry, { name, source, refusesNames }: PolicyForm): PolicyValues {
  const absent: string[] = []
  const wrong: string[] = []
  const value = <T>(part: Part, parse: (text: string) => T | undefined, otherwise: T): T => {
    const attribute = NAMES[source][part]
    const text = textOf(entry, attribute)
    const parsed = text === undefined ? undefined : parse(text)
    if (parsed === undefined) (text === undefined ? absent : wrong).push(attribute)
    return parsed ?? otherwise
  }
  const complexity = value('complexity', source === 'domain' ? complexityOfFlags : complexityOfWord, false)
  const policy: EffectivePolicy = {
    name,
    source,
    minimumLength: value('minimumLength', count, 0),
    complexity,
    refusesNames: complexity && refusesNames,
    historyLength: value('historyLength', count, 0),
    minimumAgeMs: value('minimumAge', finiteInterval, 0),
    maximumAgeMs: value('maximumAge', intervalOrNever, NEVER).ms,
    lockoutThreshold: value('lockoutThreshold', count, 0),
    lockoutDurationMs: value('lockoutDuration', intervalOrNever, NEVER).ms,
    lockoutWindowMs: value('lockoutWindow', finiteInterval, 0),
  }
  return absent.length + wrong.length === 0 ? { kind: 'read', policy } : { kind: 'faulty', absent, wrong }
}

const LARGEST_COUNT = 0x7fff_ffffn

function count(text: string): number | undefined {
  const value = largeInteger(text)
  return value !== undefined && value >= 0n && value <= LARGEST_COUNT ? Number(value) : undefined
}

const FOREVER = -(2n ** 63n)
const TICKS_A_MILLISECOND = 10_000n

// Rounded up: an interval that is not zero must not become "none".
function finiteInterval(text: string): number | undefined {
  const ticks = largeInteger(text)
  if (ticks === undefined || ticks > 0n || ticks <= FOREVER) return undefined
  return Number((-ticks + TICKS_A_MILLISECOND - 1n) / TICKS_A_MILLISECOND)
}

const NEVER: { readonly ms: number | null } = { ms: null }

// Both spellings mean that it never ends: a password that never expires, a lockout until somebody unlocks.
function intervalOrNever(text: string): { readonly ms: number | null } | undefined {
  const ticks = largeInteger(text)
  if (ticks === 0n || ticks === FOREVER) return NEVER
  const ms = finiteInterval(text)
  return ms === undefined ? undefined : { ms }
}

/** DOMAIN_PASSWORD_COMPLEX (MS-SAMR, DOMAIN_PASSWORD_INFORMATION). */
const COMPLEX = 1n

function complexityOfFlags(text: string): boolean | undefined {
  const flags = largeInteger(text)
  return flags === undefined ? undefined : (flags & COMPLEX) !== 0n
}

const complexityOfWord = (text: string): boolean | undefined =>
  text === 'TRUE' ? true : text === 'FALSE' ? false : undefined
