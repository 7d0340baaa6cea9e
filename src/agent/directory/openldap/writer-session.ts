// A session with the slapd that takes the writes: pools of connections to that one server, and what they are asked.
import type { Clock } from '../../../clock/clock.ts'
import type { Account } from '../../decisions/account.ts'
import type { AccountRules } from '../../decisions/account-rules.ts'
import { needsClock } from '../../decisions/judge-lockout.ts'
import { findExclusion } from '../../decisions/judge-protection.ts'
import type { ConnectionSettings } from '../bound-channel.ts'
import type { AccountReading, WriterSession } from '../directory.ts'
import { textsOf } from '../entry-values.ts'
import { maximumAges } from '../maximum-ages.ts'
import type { OwnedSession } from '../owned-session.ts'
import { openReadClient, type ReadClient } from '../read-client.ts'
import { createServerPools, type ServerPools } from '../server-pools.ts'
import { unsuitable } from '../unsuitable.ts'
import { openWriteConnection } from '../write-connection.ts'
import { createAccountWriter, type PolicyBypass } from './account-writer.ts'
import { isWithoutPolicy } from './bind-answer.ts'
import { classifySlapdRefusal } from './classify-refusal.ts'
import { serverOf } from './expected-server.ts'
import { findNoteworthySlapd } from './find-noteworthy.ts'
import type { FoundServer } from './find-writer.ts'
import { findGroups, type Membership } from './group-membership.ts'
import { readProbe, rightProbe, slapdMarkerGrant } from './marker-right.ts'
import { checkMarkerSchema, type MarkerNames } from './marker-schema.ts'
import { createSlapdPolicyReader, type SlapdPolicyReader } from './policy-reader.ts'
import { PPOLICY_CONTROL } from './ppolicy-control.ts'
import { accountOf, entryUuidOf, findEntries, isNamedSo, policyDnOf, seenEntryOf } from './read-account.ts'
import { type ConfiguredRules, resolveSlapdRules } from './resolve-rules.ts'
import { readSlapdRoot } from './root-dse.ts'
import type { SeenEntry } from './seen-entry.ts'
import { createServerTime, type ServerTime } from './server-time.ts'
import { readServiceEntry } from './service-account.ts'

/** What a session is made of. */
export interface SlapdSessionOptions {
  readonly found: FoundServer
  readonly settings: ConnectionSettings
  readonly rules: ConfiguredRules
  readonly marker: MarkerNames
  /** The overlay's default policy. */
  readonly policyDn: string | undefined
  readonly history: 'required' | 'preferred'
  readonly connections: number
  readonly clock: Clock
}

/** Opens a session on a found server. Throws what its reads throw; the found connection is closed then. */
export async function openSlapdSession(options: SlapdSessionOptions): Promise<OwnedSession> {
  const { found, clock } = options
  const time = createServerTime(clock, found.root.monitorDn)
  let rules = await introduce(options, time)
  let sound = true
  let bypass: PolicyBypass | undefined
  const pools = createPools(options, () => {
    sound = false
  })
  const use = <T>(read: (client: ReadClient) => Promise<T>) => pools.readers.use(read)
  const policies = createSlapdPolicyReader({
    ...{ defaultDn: options.policyDn, suffix: found.root.suffix, use, clock },
  })
  await learnLockout(options, policies, use)
  const seen = new WeakMap<Account, SeenEntry>()
  return {
    server: found.server,
    url: found.endpoint.url,
    get rules() {
      return rules
    },
    get history() {
      if (bypass === undefined) return 'enforced'
      const mustHold = options.history === 'required' || bypass.isInClear
      return mustHold ? 'not_enforceable' : 'not_enforced'
    },
    get historyProblem() {
      return bypass?.problem ?? ''
    },
    directoryNowMs: time.nowMs,
    directoryDoubtMs: time.doubtMs,
    clockOffsetMs: () => time.nowMs() - clock.wallMs(),
    isSound: () => sound,
    refresh: async () => {
      if (!time.isOld()) return
      try {
        rules = { ...rules, ...(await use((client) => readAgain(client, options, time))) }
      } catch {
        sound = false
      }
    },
    ...{ retire: pools.retire, stop: pools.stop },
    readPolicy: async ({ policyDn }, { isFresh = false } = {}) => {
      const reading = await policies.read(policyDn, isFresh)
      return reading.kind === 'read' ? { kind: 'read', policy: reading.policy, countsBytes: true } : reading
    },
    readPolicies: policies.readAll,
    findNoteworthy: async (wish) => {
      const maximumAgesMs = await maximumAges({ readPolicies: policies.readAll })
      return use((client) => findNoteworthySlapd(client, wish, { units: rules.units, maximumAgesMs }))
    },
    readAccount: createAccountReader({ options, pools, policies, time, seen, rules: () => rules }),
    ...createAccountWriter({
      ...{ marker: options.marker, controls: found.root.supportedControls, pools, time, clock, policies },
      seenOf: (account) => account && seen.get(account),
      isStillThere: (entry) => pools.readers.use((client) => isNamedSo(client, entry)),
      policyBypassed: (proven) => {
        bypass = proven
      },
    }),
  }
}

const NO_OVERLAY =
  'it has no ppolicy overlay, so it would keep the passwords that are written in clear; load the overlay ppolicy with olcPPolicyHashCleartext TRUE, and let the root entry show supportedControl'
const NO_POLICY =
  'the bind of the service account was answered without the password policy: either its database, which is that of the accounts, has no ppolicy overlay, and would keep the passwords that are written in clear (add the overlay ppolicy to it with olcPPolicyHashCleartext TRUE), or the account is the rootdn (use a service account, because a rootdn goes past the password policy)'

function createPools(
  { found, settings, connections: size, rules }: SlapdSessionOptions,
  onDeath: () => void,
): ServerPools {
  const { endpoint, root, client } = found
  return createServerPools({
    ...{ size, onDeath, first: client },
    openReader: async () => {
      const reader = await openReadClient(endpoint, settings)
      try {
        await readSlapdRoot(reader, endpoint.url, rules.baseDn)
        return reader
      } catch (error) {
        reader.close()
        throw error
      }
    },
    openWriter: () => openWriteConnection(endpoint, settings, serverOf(root.suffix)),
  })
}

const UNASKED: Membership = { groups: [], unreadable: [] }

interface ReaderParts {
  readonly options: SlapdSessionOptions
  readonly pools: ServerPools
  readonly policies: SlapdPolicyReader
  readonly time: ServerTime
  readonly seen: WeakMap<Account, SeenEntry>
  readonly rules: () => AccountRules
}

function createAccountReader(parts: ReaderParts): WriterSession['readAccount'] {
  const { options, pools, policies, time, seen } = parts
  const { marker, settings, found } = options
  const { suffix } = found.root
  const place = { suffix, markerAttribute: marker.attribute, markerClass: marker.auxiliaryClass }
  const probe = async (entry: SeenEntry) =>
    readProbe(
      await pools.modify({
        ...rightProbe(marker.attribute, marker.auxiliaryClass, entry),
        classify: (result) =>
          classifySlapdRefusal(result, {
            effect: 'fence',
            hadMarker: true,
            markerAttribute: marker.attribute,
          }),
      }),
    )
  const read = async (client: ReadClient, entryUuid: string) => {
    const found = await findEntries(client, entryUuid, place)
    const [entry] = found
    if (entry === undefined || found.length > 1) return found
    const { groups, protectedGroups } = parts.rules()
    const isAsked = groups.length > 0 || protectedGroups.length > 0
    return { entry, membership: isAsked ? await findGroups(client, suffix, entry) : UNASKED }
  }
  return async (subject, operation, { markerRight = false } = {}): Promise<AccountReading> => {
    // The subject is checked before a connection is asked for: what is no UUID causes no byte on the wire.
    const entryUuid = entryUuidOf(subject, operation === 'inspect')
    const found = await pools.readers.use((client) => read(client, entryUuid))
    if (Array.isArray(found)) return found.length > 1 ? 'ambiguous' : undefined
    const { entry, membership } = found as Exclude<typeof found, readonly unknown[]>
    const policyDn = policyDnOf(entry) ?? options.policyDn
    const policy = await policies.read(policyDn, false)
    if (needsClock(operation, textsOf(entry, 'pwdFailureTime').length))
      await pools.readers.use((client) => time.refresh(client))
    const known = accountOf(entry, { place, policy, policyDn, membership, nowMs: time.nowMs() })
    const seenEntry = seenEntryOf(entry, place)
    // Not even a modify without an effect goes to an account that must not be written.
    const held =
      markerRight && findExclusion(known, parts.rules()) === undefined ? await probe(seenEntry) : undefined
    const grant = slapdMarkerGrant(marker.attribute, marker.auxiliaryClass, settings.bindName)
    const account = held === undefined ? known : { ...known, markerRight: { held, grant } }
    seen.set(account, seenEntry)
    return account
  }
}

// What must be known before the first write, read on the connection that found the server.
async function introduce(options: SlapdSessionOptions, time: ServerTime): Promise<AccountRules> {
  const { found, settings, marker, rules } = options
  const { client, endpoint, root } = found
  try {
    if (!root.supportedControls.has(PPOLICY_CONTROL)) throw unsuitable(endpoint.url, NO_OVERLAY)
    await checkMarkerSchema(client, endpoint.url, root.subschemaDn, marker)
    const own = await readServiceEntry(client, settings.bindName)
    // A rootdn needs no entry, and goes past every policy.
    if (own === undefined && options.history === 'required')
      throw unsuitable(
        endpoint.url,
        `${settings.bindName} does not find its own entry: grant it read access there; if it is the rootdn, use a service account, because a rootdn goes past the password policy`,
      )
    if (own !== undefined && isWithoutPolicy(settings.bindName, root.suffix, client))
      throw unsuitable(endpoint.url, NO_POLICY)
    await time.refresh(client)
    return {
      ...(await resolveSlapdRules(client, endpoint.url, rules)),
      serviceAccount: own?.entryUuid ?? '',
    }
  } catch (error) {
    client.close()
    throw error
  }
}

async function readAgain(
  client: ReadClient,
  { found, rules }: SlapdSessionOptions,
  time: ServerTime,
): Promise<Omit<AccountRules, 'serviceAccount'>> {
  await readSlapdRoot(client, found.endpoint.url, rules.baseDn)
  await time.refresh(client)
  return resolveSlapdRules(client, found.endpoint.url, rules)
}

// The gate then knows how many refused binds the service account can stand. Unread, it goes on being cautious.
async function learnLockout(
  { settings }: SlapdSessionOptions,
  policies: SlapdPolicyReader,
  use: <T>(read: (client: ReadClient) => Promise<T>) => Promise<T>,
): Promise<void> {
  const reading = await use((client) => readServiceEntry(client, settings.bindName))
    .then((own) => policies.read(own?.policyDn, false))
    .catch(() => undefined)
  if (reading?.kind !== 'read') return
  const { lockoutThreshold: threshold, lockoutWindowMs: windowMs } = reading.policy
  settings.gate.learn({ threshold, windowMs })
}
