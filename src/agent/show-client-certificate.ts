// The agent's own certificate as the configuration names it.
import type { Clock } from '../clock/clock.ts'
import type { AgentConfig } from '../config/agent-config.ts'
import type { Conditions } from '../telemetry/conditions.ts'
import { type ClientCertificateWatch, watchClientCertificate } from './store-client/client-certificate.ts'

/** The watched pair; undefined: none is configured. Throws ERR_CONFIG_UNREADABLE, ERR_CONFIG_INVALID. */
export function clientCertificateOf(
  { clientCertificateFile, clientKeyFile }: AgentConfig['store'],
  parts: { readonly clock: Clock; readonly conditions?: Pick<Conditions, 'raise' | 'clear'> },
): ClientCertificateWatch | undefined {
  if (clientCertificateFile === undefined || clientKeyFile === undefined) return undefined
  return watchClientCertificate(
    { certificateFile: clientCertificateFile, keyFile: clientKeyFile },
    {
      clock: parts.clock,
      told: (problem) => {
        if (problem === undefined) parts.conditions?.clear('client_certificate_unusable', '')
        else parts.conditions?.raise('client_certificate_unusable', '', problem)
      },
    },
  )
}
