// Turns the configured scope and protection into what the directory itself says: units in its own spelling, groups by
// SID. A rule that names nothing is no rule, so whatever cannot be found keeps the session from opening.
import type { Entry } from 'ldapts'
import { WritebackError } from '../../../errors/writeback-error.ts'
import type { AccountRules } from '../../decisions/account-rules.ts'
import { isWithin } from '../../decisions/distinguished-name.ts'
import { bytesOf, textOf, textsOf } from '../entry-values.ts'
import type { ReadClient } from '../read-client.ts'
import { unsuitable } from '../unsuitable.ts'
import { largeInteger } from './file-time.ts'
import { sidText } from './sid.ts'

/** Scope and protection as configured. */
export interface ConfiguredRules {
  readonly baseDn: string
  /** DNs within `baseDn`; default: `baseDn` itself. */
  readonly units?: readonly string[] | undefined
  /** DNs or SIDs of security groups. */
  readonly groups?: readonly string[] | undefined
  /** DNs or SIDs of security groups. */
  readonly protectedGroups?: readonly string[] | undefined
}

/** What of the rules the configuration decides. */
export type ResolvedRules = Omit<AccountRules, 'serviceAccount'>

/**
 * Looks every configured unit and group up. Throws ERR_DIRECTORY_UNSUITABLE (later) with the key and the next step for
 * one that is not there, a unit outside the base DN, or a group that is no security group; and what a read throws.
 */
export async function resolveRules(
  client: ReadClient,
  url: string,
  configured: ConfiguredRules,
): Promise<ResolvedRules> {
  const refuse: Refuse = (key, name, why, cause) => unsuitable(url, `${key} names ${name}: ${why}`, cause)
  const base = await resolveUnit(client, configured.baseDn, 'baseDn', refuse)
  const units: string[] = []
  for (const name of configured.units ?? []) {
    const unit = await resolveUnit(client, name, 'scope.units', refuse)
    if (!isWithin(unit, base)) throw refuse('scope.units', name, `it lies outside the baseDn ${base}`)
    units.push(unit)
  }
  const resolveGroups = async (names: readonly string[] | undefined, key: string) => {
    const sids: string[] = []
    for (const name of names ?? []) sids.push(await resolveGroup(client, name, key, refuse))
    return sids
  }
  return {
    units: configured.units === undefined ? [base] : units,
    groups: await resolveGroups(configured.groups, 'scope.groups'),
    protectedGroups: await resolveGroups(configured.protectedGroups, 'protection.groups'),
  }
}

type Refuse = (key: string, name: string, why: string, cause?: unknown) => WritebackError

async function resolveUnit(client: ReadClient, name: string, key: string, refuse: Refuse): Promise<string> {
  return (await readNamed(client, name, key, refuse)).dn
}

const SID = /^S-1(-\d{1,15}){2,16}$/
/** GROUP_TYPE_SECURITY_ENABLED (MS-ADTS §2.2.12): the sign bit of a 32-bit number. */
const SECURITY_ENABLED = 0x80000000n

async function resolveGroup(client: ReadClient, name: string, key: string, refuse: Refuse): Promise<string> {
  const entry = await readNamed(client, name, key, refuse)
  const sid = sidText(bytesOf(entry, 'objectSid') ?? Buffer.alloc(0))
  if (!textsOf(entry, 'objectClass').includes('group') || sid === undefined)
    throw refuse(key, name, 'it is no group; name a security group')
  // A distribution group is in nobody's token, so a rule about it would never hold.
  if (((largeInteger(textOf(entry, 'groupType')) ?? 0n) & SECURITY_ENABLED) === 0n)
    throw refuse(key, name, 'it is a distribution group; make it a security group, or name another')
  return sid
}

async function readNamed(client: ReadClient, name: string, key: string, refuse: Refuse): Promise<Entry> {
  // The empty name is the root entry, which is in no directory.
  if (name.trim() === '') throw refuse(key, 'nothing', 'an empty name; correct the configuration')
  const [entry] = await readBase(client, SID.test(name) ? `<SID=${name}>` : name).catch((cause) => {
    if (!(cause instanceof WritebackError) || cause.code !== 'ERR_DIRECTORY_REFUSED') throw cause
    throw refuse(key, name, 'the directory does not take this name; correct the configuration', cause)
  })
  // What the service account may not read looks as if it had no attributes.
  if (entry === undefined || textsOf(entry, 'objectClass').length === 0) {
    throw refuse(
      key,
      name,
      'no such entry, or it cannot be read; correct the configuration or grant read access',
    )
  }
  return entry
}

function readBase(client: ReadClient, base: string): Promise<Entry[]> {
  const attributes = ['objectClass', 'groupType', 'objectSid']
  return client.search(base, { scope: 'base', attributes, explicitBufferAttributes: ['objectSid'] })
}
