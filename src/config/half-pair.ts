// A certificate goes with its key: a rule of both configurations.
import type { RuleFault } from './read-config.ts'
import { isRecord } from './value-schemas.ts'

/** The fault of a section that names one of clientCertificateFile and clientKeyFile alone. */
export function findHalfPair(value: unknown, section: string): readonly RuleFault[] {
  const part = isRecord(value) ? value[section] : undefined
  if (!isRecord(part)) return []
  const { clientCertificateFile, clientKeyFile } = part
  if ((clientCertificateFile === undefined) === (clientKeyFile === undefined)) return []
  const missing = clientKeyFile === undefined ? 'clientKeyFile' : 'clientCertificateFile'
  return [{ path: [section, missing], message: 'is missing: a certificate goes with its key' }]
}
