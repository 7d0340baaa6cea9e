// Who this agent is: its enrolment and its keys, read at start.
import type { CryptoKey } from 'jose'
import type { AgentConfig } from '../config/agent-config.ts'
import { readSecretFile } from '../config/secret-file.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { importPublicKey } from '../protocol/signed-message.ts'
import { type Enrolment, readEnrolment } from './keys/enrolment-file.ts'
import { readKeyFile } from './keys/key-file.ts'
import { type Keys, openKeys } from './keys/open-keys.ts'

/** The enrolled agent. */
export interface Identity {
  readonly enrolment: Enrolment
  readonly keys: Keys
  /** The store's signing keys by `kid`. */
  readonly storeKeys: ReadonlyMap<string, CryptoKey>
}

/** Reads the configured passphrase; the caller wipes it. undefined: none is configured. */
export const readPassphrase = async (config: AgentConfig): Promise<Buffer | undefined> =>
  config.keys.passphraseFile === undefined ? undefined : readSecretFile(config.keys.passphraseFile)

/**
 * Opens enrolment and keys. Throws ERR_ENROLMENT_MISSING, ERR_KEYS_UNUSABLE, ERR_KEYS_PASSPHRASE, or ERR_CONFIG_INVALID
 * when the configuration names a directory or a store that the enrolment does not.
 */
export async function openIdentity(config: AgentConfig): Promise<Identity> {
  const enrolment = await readEnrolment(config.stateDirectory)
  if (!enrolment)
    throw new WritebackError('ERR_ENROLMENT_MISSING', `no enrolment in ${config.stateDirectory}`)
  requireEnrolled(config, enrolment)
  const passphrase = await readPassphrase(config)
  try {
    const set = await readKeyFile(config.stateDirectory, passphrase)
    if (!set) throw new WritebackError('ERR_KEYS_UNUSABLE', `no key file in ${config.stateDirectory}`)
    const storeKeys = new Map<string, CryptoKey>()
    for (const key of enrolment.enrolled.keys) storeKeys.set(key.kid, await importPublicKey(key))
    return { enrolment, keys: await openKeys(set), storeKeys }
  } finally {
    passphrase?.fill(0)
  }
}

// The store hands an agent requests of every directory it is enrolled for, so the two lists must be the same.
function requireEnrolled(config: AgentConfig, enrolment: Enrolment): void {
  const configured = new Set(Object.keys(config.directories))
  const enrolled = new Set(enrolment.enrolled.directories)
  const strangers = [...configured.difference(enrolled)]
  const missing = [...enrolled.difference(configured)]
  if (strangers.length > 0)
    throw new WritebackError(
      'ERR_CONFIG_INVALID',
      `directories ${strangers.join(', ')} are configured, but this agent is not enrolled for them`,
    )
  if (missing.length > 0)
    throw new WritebackError(
      'ERR_CONFIG_INVALID',
      `this agent is enrolled for directories ${missing.join(', ')}, which are not configured`,
    )
  if (new URL(config.store.url).origin !== new URL(enrolment.storeUrl).origin)
    throw new WritebackError(
      'ERR_CONFIG_INVALID',
      `this agent is enrolled at ${enrolment.storeUrl}, not at the configured store`,
    )
}
