// Enrols this machine's agent at a store: makes keys, proves them, and keeps what the store promised.
import { systemClock } from '../clock/clock.ts'
import type { AgentConfig } from '../config/agent-config.ts'
import { makePrivateDirectory } from '../config/private-file.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { parseEnrolmentCode, proveIdentity, verifyEnrolled } from '../protocol/enrolment.ts'
import { stateSealingKey } from '../protocol/sealing-key.ts'
import { readPassphrase } from './agent-identity.ts'
import { type Enrolment, readEnrolment, writeEnrolment } from './keys/enrolment-file.ts'
import { generateKeySet, readKeyFile, writeKeyFile } from './keys/key-file.ts'
import { type Keys, openKeys } from './keys/open-keys.ts'
import { clientCertificateOf } from './show-client-certificate.ts'
import { callEnrol } from './store-client/create-store-client.ts'
import { createStoreTransport } from './store-client/store-transport.ts'

const TIMEOUT_MS = 15_000

/** What an enrolment needs beside the configuration. */
export interface EnrolOptions {
  readonly config: AgentConfig
  readonly code: string
  readonly name: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly nowMs: number
}

/**
 * Enrols. After a failure it can be called again with a new code; the keys stay. Throws ERR_USAGE for a malformed code,
 * ERR_ENROLMENT_REFUSED, ERR_SIGNATURE_INVALID when the store is not the one the code names, and the errors of the
 * store client and of the key file.
 */
export async function enrolAgent(options: EnrolOptions): Promise<Enrolment> {
  const { config, name } = options
  const code = parseEnrolmentCode(options.code)
  if (await readEnrolment(config.stateDirectory))
    throw new WritebackError(
      'ERR_ENROLMENT_REFUSED',
      `an agent is enrolled in ${config.stateDirectory} already; give a new one its own state directory`,
    )
  const keys = await provideKeys(config, options.nowMs)
  const { identity } = keys
  const newest = keys.sealingKeys.at(-1)
  if (!newest) throw new WritebackError('ERR_KEYS_UNUSABLE', 'the key file holds no sealing key')
  const answer = await callStore(options, {
    code: code.secret,
    name,
    identityKey: identity.publicKey,
    sealingKey: await stateSealingKey(newest.publicKey, identity, newest.createdAt),
    proof: await proveIdentity(code.secret, identity.publicKey, identity.signer, options.nowMs),
  })
  const enrolled = await verifyEnrolled(answer.enrolled, answer.keys, code, identity.publicKey)
  const enrolment: Enrolment = { version: 1, storeUrl: config.store.url, name, enrolled }
  await writeEnrolment(config.stateDirectory, enrolment)
  return enrolment
}

async function provideKeys(config: AgentConfig, nowMs: number): Promise<Keys> {
  await makePrivateDirectory(config.stateDirectory, 'ERR_KEYS_UNUSABLE')
  const passphrase = await readPassphrase(config)
  try {
    const known = await readKeyFile(config.stateDirectory, passphrase)
    const set = known ?? (await generateKeySet(nowMs))
    if (!known) await writeKeyFile(config.stateDirectory, set, passphrase)
    return await openKeys(set)
  } finally {
    passphrase?.fill(0)
  }
}

async function callStore(
  { config, env }: EnrolOptions,
  call: Parameters<typeof callEnrol>[1],
): ReturnType<typeof callEnrol> {
  const clientCertificate = clientCertificateOf(config.store, { clock: systemClock })
  const transport = createStoreTransport({ caFile: config.store.caFile, env, clientCertificate })
  try {
    return await callEnrol(
      { url: config.store.url, fetch: transport.fetch, timeoutMs: TIMEOUT_MS },
      call,
      AbortSignal.timeout(TIMEOUT_MS),
    )
  } catch (cause) {
    const isRefused = cause instanceof WritebackError && cause.code === 'ERR_STORE_REJECTED'
    throw isRefused
      ? new WritebackError('ERR_ENROLMENT_REFUSED', 'the store refused the enrolment', { cause })
      : cause
  } finally {
    await transport.close()
  }
}
