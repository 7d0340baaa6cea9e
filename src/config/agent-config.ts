// The agent's configuration: what it may be told, and nothing else. The on-premises file has the last word.
import { z } from 'zod'
import { directorySchema, findDirectoryFaults } from './directory-config.ts'
import { findHalfPair } from './half-pair.ts'
import { fileIn, type RuleFault, readConfig } from './read-config.ts'
import { count, isRecord, seconds, text } from './value-schemas.ts'

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
    ...directories.flatMap(([name, directory]) => findDirectoryFaults(name, directory)),
  ]
}

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
