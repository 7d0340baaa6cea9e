// The agent's configuration: what it may be told, and nothing else. The on-premises file has the last word.
import { z } from 'zod'
import { findHalfPair } from './half-pair.ts'
import { fileIn, type RuleFault, readConfig } from './read-config.ts'

const text = z.string().min(1).max(1024)
const seconds = (lowest: number, highest: number) => z.number().min(lowest).max(highest)

const ldapsUrl = z
  .string()
  .regex(
    /^ldaps:\/\/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?\/?$/,
    'must look like ldaps://dc1.example.com or ldaps://dc1.example.com:636',
  )

const storeSchema = z.strictObject({
  url: z
    .string()
    .regex(/^https:\/\/[^/?#@\s]+\/?$/, 'must look like https://reset.example.com')
    .describe('where the reset store is'),
  caFile: text
    .optional()
    .describe('PEM file with the certificate authorities to trust instead of the system’s'),
  clientCertificateFile: text
    .optional()
    .describe(
      'PEM file with a certificate of this agent, for a store that asks for one; read again when renewed',
    ),
  clientKeyFile: text.optional().describe('PEM file with its private key, mode 0600'),
})

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

const count = (lowest: number, highest: number) => z.int().min(lowest).max(highest)

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
  controllers: z.array(ldapsUrl).min(1).max(32).describe('writable domain controllers, as ldaps URLs'),
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

const directorySchema = z.discriminatedUnion('type', [activeDirectorySchema, openLdapSchema])

const queueSchema = z.strictObject({
  redis: z
    .union([
      z.literal('private'),
      z
        .string()
        .regex(
          /^(redis|rediss|unix):\/\/(?!\S*:\S*@)\S+$/,
          'must be private, or a redis://, rediss:// or unix:// URL without a password',
        ),
    ])
    .default('private')
    .describe('private: the agent starts a redis-server of its own on a unix socket; or the URL of one'),
  passwordFile: text.optional().describe('file with the password for the URL'),
  caFile: text.optional().describe('PEM file with the authorities for rediss://'),
  heartbeatSeconds: seconds(0.1, 3600)
    .default(30)
    .describe(
      'how often a heartbeat job passes through each queue; after two periods in vain the worker is made anew, then the agent ends',
    ),
})

const boardSchema = z.strictObject({
  port: z.int().min(1).max(65_535).describe('port of 127.0.0.1 that serves the queue board'),
  tokenHash: z
    .string()
    .regex(
      /^\$argon2id\$v=19\$[a-z0-9=,]{1,40}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,172}$/,
      'must be the argon2id hash that writeback board token prints',
    )
    .describe('argon2id hash of the operators’ token, made by: writeback board token'),
})

const logSchema = z.strictObject({
  level: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('how much is logged'),
  format: z.enum(['json', 'text']).default('json').describe('json for machines, text for people'),
})

const syslogSchema = z.strictObject({
  host: text.describe('name or address of a syslog collector that takes RFC 5424 over TLS'),
  port: z.int().min(1).max(65_535).default(6514).describe('its port'),
  caFile: text
    .optional()
    .describe('PEM file with the certificate authorities to trust instead of the system’s'),
  serverName: text.optional().describe('name expected in the certificate when host is an address'),
})

const auditSchema = z.strictObject({
  fileMegabytes: z.number().min(0.01).max(64).default(16).describe('size at which a new audit file is begun'),
  fileDays: z.number().min(0.01).max(366).default(31).describe('age at which a new audit file is begun'),
  keepDays: z
    .number()
    .min(1)
    .max(36_500)
    .default(400)
    .describe('how long a record is kept; the oldest files are deleted, and the record says so'),
  keepMegabytes: z
    .number()
    .min(1)
    .max(1_000_000)
    .default(1024)
    .describe('size of all audit files together; beyond it the oldest ones are deleted'),
  syslog: syslogSchema.optional().describe('forwards each record to a collector; the file stays the truth'),
})

/** The schema of the agent's file; its descriptions are the reference in the README. */
export const agentConfigSchema = z.strictObject({
  store: storeSchema,
  stateDirectory: text.describe(
    'directory for journal, keys, enrolment and the private Redis; mode 0700, one agent each',
  ),
  keys: z
    .strictObject({
      passphraseFile: text
        .optional()
        .describe('file with the passphrase that protects the private keys at rest'),
      rotateDays: z
        .number()
        .min(1)
        .max(30)
        .default(28)
        .describe('age in days at which the agent changes to a new sealing key'),
    })
    .prefault({}),
  queue: queueSchema.prefault({}),
  directories: z
    .record(z.string(), directorySchema)
    .refine((all) => Object.keys(all).length > 0, 'name at least one directory')
    .refine((all) => Object.keys(all).length <= 64, 'name at most 64 directories')
    .describe('the directories this agent serves, by the name the store knows'),
  ops: z
    .strictObject({
      socket: text
        .optional()
        .describe(
          'unix socket for /livez, /readyz, /status and /metrics, and for commands; default: ops.sock in the state directory',
        ),
      port: z
        .int()
        .min(1)
        .max(65_535)
        .optional()
        .describe('port of 127.0.0.1 that answers the same questions, for Prometheus; default: none'),
      board: boardSchema.optional().describe('shows the queues in a browser, read only; default: not at all'),
    })
    .prefault({}),
  audit: auditSchema.prefault({}).describe('the audit record in the state directory'),
  reports: z
    .strictObject({
      expiringWithinDays: count(1, 90).default(14).describe('passwords that expire within so many days'),
      everyHours: count(1, 168).default(24).describe('how often a report is written'),
      mostAccounts: count(1, 10_000)
        .default(1000)
        .describe('so many accounts are looked at for one report; more are left out, and it says so'),
    })
    .optional()
    .describe(
      'writes a report of locked accounts and of passwords about to expire into the state directory; default: none',
    ),
  shutdownTimeoutSeconds: seconds(1, 300).default(20).describe('longest time to finish work at a stop'),
  log: logSchema.prefault({}),
})

/** What the schema's single parts cannot see; told beside their faults, so the value may be of any form. */
export function findAgentConfigFaults(value: unknown): readonly RuleFault[] {
  const directories =
    isRecord(value) && isRecord(value['directories']) ? Object.entries(value['directories']) : []
  return [
    ...findHalfPair(value, 'store'),
    ...directories.flatMap(([name, directory]) => [
      ...(DIRECTORY_NAME.test(name) ? [] : [{ path: ['directories', name], message: NAME_FAULT }]),
      ...(hasStrayWriter(directory)
        ? [{ path: ['directories', name, 'writer'], message: writerFaultOf(directory) }]
        : []),
      ...(lacksWriter(directory) ? [{ path: ['directories', name, 'servers'], message: SEVERAL_FAULT }] : []),
    ]),
  ]
}

const DIRECTORY_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/
const NAME_FAULT = 'a name holds lower case letters, digits and dashes'
const WRITER_FAULT = 'must be pdc-emulator or one of the controllers'
const OPENLDAP_WRITER_FAULT = 'must be one of the servers'
const SEVERAL_FAULT =
  'several servers: name the one that is written as writer; each would take a write of its own'

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

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

/** The complete configuration of an agent, all defaults filled in. */
export type AgentConfig = z.output<typeof agentConfigSchema>
export type DirectoryConfig = AgentConfig['directories'][string]

/**
 * Reads the agent's configuration; relative paths in it begin at the file's own directory. Throws
 * ERR_CONFIG_UNREADABLE or ConfigError.
 */
export function readAgentConfig(file: string): AgentConfig {
  const config = readConfig(file, agentConfigSchema, findAgentConfigFaults)
  const at = (path: string) => fileIn(file, path)
  const optional = <K extends string>(key: K, path: string | undefined) =>
    path === undefined ? {} : { [key]: at(path) }
  const directories = Object.entries(config.directories).map(([name, directory]) => [
    name,
    {
      ...directory,
      bind: { ...directory.bind, passwordFile: at(directory.bind.passwordFile) },
      tls: { ...directory.tls, ...optional('caFile', directory.tls.caFile) },
      passwords: {
        ...directory.passwords,
        ...optional('blocklistFile', directory.passwords.blocklistFile),
      },
    },
  ])
  return {
    ...config,
    store: {
      ...config.store,
      ...optional('caFile', config.store.caFile),
      ...optional('clientCertificateFile', config.store.clientCertificateFile),
      ...optional('clientKeyFile', config.store.clientKeyFile),
    },
    stateDirectory: at(config.stateDirectory),
    keys: { ...config.keys, ...optional('passphraseFile', config.keys.passphraseFile) },
    queue: {
      ...config.queue,
      ...optional('passwordFile', config.queue.passwordFile),
      ...optional('caFile', config.queue.caFile),
    },
    ops: { ...config.ops, ...optional('socket', config.ops.socket) },
    audit: {
      ...config.audit,
      ...(config.audit.syslog
        ? { syslog: { ...config.audit.syslog, ...optional('caFile', config.audit.syslog.caFile) } }
        : {}),
    },
    directories: Object.fromEntries(directories),
  }
}
