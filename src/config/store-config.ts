// The reset store's configuration.
import { z } from 'zod'
import { findHalfPair } from './half-pair.ts'
import { fileIn, type RuleFault, readConfig } from './read-config.ts'
import { count, isRecord, text } from './value-schemas.ts'

const probeSchema = z.strictObject({
  user: text
    .max(256)
    .describe('name of a user of the store, linked to an account that is there for nothing else'),
  everyMinutes: count(10, 1440).default(60).describe('how often the password of that account is reset'),
})

/** The schema of the store's file; its descriptions are the reference in the README. */
export const storeConfigSchema = z.strictObject({
  listen: z
    .strictObject({
      host: text.default('127.0.0.1').describe('address to listen on'),
      port: z.int().min(0).max(65_535).default(8443).describe('port to listen on; 0 takes a free one'),
    })
    .prefault({}),
  publicUrl: z
    .string()
    .regex(/^https:\/\/[^/?#@\s]+\/?$/, 'must look like https://reset.example.com')
    .describe('where agents and administrators reach the store'),
  tls: z.strictObject({
    certificateFile: text.describe('PEM file with the store’s certificate and its chain'),
    keyFile: text.describe('PEM file with the private key, mode 0600'),
    caFile: text
      .optional()
      .describe('PEM file with the authority of the certificate, for commands on this host'),
    clientCaFile: text
      .optional()
      .describe(
        'PEM file with the authorities of clients: whoever shows no certificate of one of them gets no connection, agents and administrators alike',
      ),
    clientCertificateFile: text
      .optional()
      .describe('PEM file with the certificate that commands on this host show'),
    clientKeyFile: text.optional().describe('PEM file with its private key, mode 0600'),
  }),
  dataDirectory: text.describe(
    'directory for the database, the signing key and the administrator’s token; mode 0700',
  ),
  tenant: text.default('default').describe('name of the tenant, shown in every request document'),
  requestLifetimeSeconds: z
    .number()
    .min(10)
    .max(3600)
    .default(300)
    .describe('how long a request may wait before it expires'),
  probes: z
    .array(probeSchema)
    .max(16)
    .optional()
    .describe(
      'resets these accounts on a clock, the whole way, with random passwords that nobody learns, so that a broken way is known before a user finds it; default: none',
    ),
  log: z
    .strictObject({
      level: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('how much is logged'),
      format: z.enum(['json', 'text']).default('json').describe('json for machines, text for people'),
    })
    .prefault({}),
})

/** What the schema's single parts cannot see. */
export const findStoreConfigFaults = (value: unknown): readonly RuleFault[] => [
  ...findHalfPair(value, 'tls'),
  ...findRepeatedProbes(value),
]

function findRepeatedProbes(value: unknown): readonly RuleFault[] {
  const probes = isRecord(value) && Array.isArray(value['probes']) ? value['probes'] : []
  const users = probes.map((probe: unknown) => (isRecord(probe) ? probe['user'] : undefined))
  return users.flatMap((user, index) =>
    user !== undefined && users.indexOf(user) < index
      ? [{ path: ['probes', String(index), 'user'], message: 'is named twice: a user has one interval' }]
      : [],
  )
}

/** File of the first administrator's token, in the data directory. */
export const ADMIN_TOKEN_FILE = 'admin-token'

/** The complete configuration of a store, all defaults filled in. */
export type StoreConfig = z.output<typeof storeConfigSchema>

/**
 * Reads the store's configuration; relative paths in it begin at the file's own directory. Throws
 * ERR_CONFIG_UNREADABLE or ConfigError.
 */
export function readStoreConfig(file: string): StoreConfig {
  const config = readConfig(file, storeConfigSchema, findStoreConfigFaults)
  const { certificateFile, keyFile, caFile, clientCaFile, clientCertificateFile, clientKeyFile } = config.tls
  const optional = <K extends string>(key: K, path: string | undefined) =>
    path === undefined ? {} : { [key]: fileIn(file, path) }
  const tls = {
    certificateFile: fileIn(file, certificateFile),
    keyFile: fileIn(file, keyFile),
    ...optional('caFile', caFile),
    ...optional('clientCaFile', clientCaFile),
    ...optional('clientCertificateFile', clientCertificateFile),
    ...optional('clientKeyFile', clientKeyFile),
  }
  return { ...config, tls, dataDirectory: fileIn(file, config.dataDirectory) }
}
