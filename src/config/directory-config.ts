// One directory of the agent's configuration: where it is, who writes there, whom it may write, and how much.
import { z } from 'zod'
import { discoverSchema, findDiscoverFaults } from './discover-config.ts'
import type { RuleFault } from './read-config.ts'
import { count, isRecord, seconds, text } from './value-schemas.ts'

const ldapsUrl = z
  .string()
  .regex(
    /^ldaps:\/\/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?\/?$/,
    'must look like ldaps://dc1.example.com or ldaps://dc1.example.com:636',
  )

const tlsSchema = z.strictObject({
  caFile: text
    .optional()
    .describe('PEM file with the certificate authorities to trust instead of the system’s'),
  serverName: text.optional().describe('name expected in the certificate when the URL holds an address'),
  pinSha256: z
    .string()
    .regex(/^[A-Za-z0-9+/]{43}=$/, 'must be the base64 of a SHA-256 digest')
    .optional()
    .describe(
      'SHA-256 of the controller’s public key (SubjectPublicKeyInfo), base64; checked beside the authority',
    ),
})

const bindSchema = z.strictObject({
  name: text.describe('service account: a DN, user@realm, or DOMAIN\\user'),
  passwordFile: text.describe('file with the password of the service account, mode 0600'),
})

const passwordsSchema = z.strictObject({
  blocklistFile: text
    .optional()
    .describe('file with forbidden passwords: words, or SHA-1 or SHA-256 hashes in hex, one a line'),
  refuseNames: z
    .boolean()
    .default(false)
    .describe('refuse passwords that contain the account or display name, even where the directory does not'),
})

const limitsSchema = z.strictObject({
  perAccountAndHour: count(1, 1000)
    .default(10)
    .describe('writes to one account within an hour; more are refused'),
  perMinute: count(1, 100_000).default(300).describe('writes within a minute; more wait'),
  burst: count(1, 1_000_000)
    .default(1000)
    .describe('writes within burstMinutes that open the breaker: writing stops until a person closes it'),
  burstMinutes: count(1, 1440).default(10).describe('the window of burst'),
})

const names = z.array(text).min(1).max(256)

const dn = z
  .string()
  .max(1024)
  .regex(/^[A-Za-z0-9.-]+ *=/, 'must be a DN')
const attributeName = z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/)

const scopeSchema = z
  .strictObject({
    units: names.optional().describe('only accounts below one of these DNs; all lie within baseDn'),
    groups: names
      .optional()
      .describe(
        'and only members of one of these groups, direct or nested; DNs, on Active Directory SIDs too',
      ),
  })
  .prefault({})

const probeSchema = z.strictObject({
  account: z
    .string()
    .regex(
      /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
      'must be an anchor: a GUID in lower case, with dashes',
    )
    .describe('anchor of the account that the reset store probes, as the store knows it'),
  expectEveryMinutes: count(5, 1440)
    .default(60)
    .describe(
      'how often the store is told to; after twice as long without a probe that was applied the agent says so',
    ),
})

/** What every kind of directory has. */
const shared = {
  baseDn: text.describe('only accounts below this DN are written'),
  scope: scopeSchema,
  tls: tlsSchema
    .prefault({})
    .describe('how the servers’ certificates are checked; checking cannot be switched off'),
  withoutMarker: z
    .enum(['refuse', 'version'])
    .default('refuse')
    .describe(
      'where the service account may not write the marker: refuse: nothing is written; version: written without it, and a lost answer is settled by the version of the password alone, after minutes or not at all',
    ),
  passwords: passwordsSchema.prefault({}).describe('what the agent itself asks of passwords'),
  limits: limitsSchema.prefault({}).describe('how many writes are let through'),
  probe: probeSchema
    .optional()
    .describe('watches the resets of one account that the store asks for on a clock; default: none'),
  connections: z
    .int()
    .min(1)
    .max(32)
    .default(4)
    .describe('connections for writing, and requests carried out at once'),
  connectTimeoutSeconds: seconds(0.1, 120).default(5).describe('longest time for connecting and for TLS'),
  operationTimeoutSeconds: seconds(0.1, 120).default(15).describe('longest time for one bind, read or write'),
}

const activeDirectorySchema = z.strictObject({
  type: z.literal('active-directory').describe('kind of directory'),
  controllers: z
    .array(ldapsUrl)
    .min(1)
    .max(32)
    .optional()
    .describe('writable domain controllers, as ldaps URLs; this or discover is required'),
  discover: discoverSchema.optional().describe('looks for the controllers in DNS instead; docs/discovery.md'),
  writer: z
    .union([z.literal('pdc-emulator'), ldapsUrl])
    .default('pdc-emulator')
    .describe('the one controller that is written: the PDC emulator, or one URL of the list'),
  bind: bindSchema,
  protection: z
    .strictObject({
      groups: names
        .optional()
        .describe(
          'members of these security groups are never written, beside the well-known protected ones; DNs or SIDs',
        ),
    })
    .prefault({}),
  anchor: z
    .enum(['objectGUID', 'mS-DS-ConsistencyGuid'])
    .default('objectGUID')
    .describe(
      'attribute that the store knows the accounts by; an account by mS-DS-ConsistencyGuid is inspected once before the first write, which pins its entry',
    ),
  markerAttribute: attributeName
    .default('adminDisplayName')
    .describe('attribute that holds the marker; single-valued, and not writable by the user'),
  history: z
    .enum(['required', 'preferred'])
    .optional()
    .describe(
      'required: no reset where the directory cannot check password history on a reset; preferred: reset and say so; default: required, but preferred where the domain controller is Samba, which never can',
    ),
  ...shared,
})

const openLdapSchema = z.strictObject({
  type: z.literal('openldap').describe('kind of directory'),
  servers: z.array(ldapsUrl).min(1).max(32).describe('OpenLDAP servers, as ldaps URLs'),
  writer: ldapsUrl
    .optional()
    .describe('the one server that is written, an URL of the list; required where the list has several'),
  bind: bindSchema.extend({
    name: dn.describe('service account: its DN; never the rootdn, which goes past the password policy'),
  }),
  policy: dn
    .optional()
    .describe('DN of the default policy of the ppolicy overlay, which the service account cannot read there'),
  protection: z
    .strictObject({
      groups: names.optional().describe('members of these groups are never written, direct or nested; DNs'),
      accounts: z
        .array(dn)
        .min(1)
        .max(256)
        .optional()
        .describe(
          'these entries are never written, for instance the one of the rootdn; DNs; one within scope.units must exist and be readable',
        ),
    })
    .prefault({}),
  anchor: z
    .literal('entryUUID')
    .default('entryUUID')
    .describe('attribute that the store knows the accounts by'),
  markerAttribute: attributeName
    .default('writebackMarker')
    .describe('attribute that holds the marker, of the schema in install/openldap'),
  markerClass: attributeName
    .default('writebackAccount')
    .describe('auxiliary class that allows the marker, added with the first one'),
  history: z
    .enum(['required', 'preferred'])
    .default('required')
    .describe(
      'required: no reset where the server holds the service account to no policy (rights to manage), and no start as the rootdn; preferred: reset and say so',
    ),
  ...shared,
})

/** One directory: what every kind has, and what its kind adds. */
export const directorySchema = z.discriminatedUnion('type', [activeDirectorySchema, openLdapSchema])

/** What the schema's single parts cannot see of one directory; the value may be of any form. */
export function findDirectoryFaults(name: string, directory: unknown): readonly RuleFault[] {
  return [
    ...(DIRECTORY_NAME.test(name) ? [] : [{ path: ['directories', name], message: NAME_FAULT }]),
    ...(hasStrayWriter(directory)
      ? [{ path: ['directories', name, 'writer'], message: writerFaultOf(directory) }]
      : []),
    ...(hasLimitedProbe(directory)
      ? [{ path: ['directories', name, 'probe', 'expectEveryMinutes'], message: PROBE_FAULT }]
      : []),
    ...findDiscoverFaults(name, directory),
    ...(lacksWriter(directory) ? [{ path: ['directories', name, 'servers'], message: SEVERAL_FAULT }] : []),
  ]
}

const DIRECTORY_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/
const NAME_FAULT = 'a name holds lower case letters, digits and dashes'
const WRITER_FAULT = 'must be pdc-emulator or one of the controllers'
const OPENLDAP_WRITER_FAULT = 'must be one of the servers'
const SEVERAL_FAULT =
  'several servers: name the one that is written as writer; each would take a write of its own'

const PROBE_FAULT = 'more probes within an hour than limits.perAccountAndHour lets through'

const writerFaultOf = (directory: unknown): string =>
  isRecord(directory) && directory['type'] === 'openldap' ? OPENLDAP_WRITER_FAULT : WRITER_FAULT

function hasStrayWriter(directory: unknown): boolean {
  if (!isRecord(directory) || typeof directory['writer'] !== 'string') return false
  const { writer, type } = directory
  const servers = directory[type === 'openldap' ? 'servers' : 'controllers']
  if (type !== 'openldap' && writer === 'pdc-emulator') return false
  return Array.isArray(servers) && !servers.includes(writer)
}

const lacksWriter = (directory: unknown): boolean =>
  isRecord(directory) &&
  directory['type'] === 'openldap' &&
  directory['writer'] === undefined &&
  Array.isArray(directory['servers']) &&
  directory['servers'].length > 1

const numberIn = (value: unknown, key: string, fallback: number): number =>
  isRecord(value) && typeof value[key] === 'number' ? value[key] : fallback

function hasLimitedProbe(directory: unknown): boolean {
  if (!isRecord(directory) || !isRecord(directory['probe'])) return false
  const everyMinutes = numberIn(directory['probe'], 'expectEveryMinutes', 60)
  return Math.ceil(60 / everyMinutes) > numberIn(directory['limits'], 'perAccountAndHour', 10)
}
