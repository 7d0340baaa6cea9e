// The audit record's way to a syslog collector: each line as it stands in the file, so that the chain can be checked there, too.
import { hostname } from 'node:os'
import type { Clock } from '../clock/clock.ts'
import type { AgentConfig } from '../config/agent-config.ts'
import { readCertificates } from '../config/pem-file.ts'
import type { Conditions } from '../telemetry/conditions.ts'
import { createSyslog } from '../telemetry/create-syslog.ts'

/** Where written lines go. */
export interface AuditForwarder {
  readonly written: (lines: readonly string[]) => void
  readonly stop: () => Promise<void>
}

const MOST_KEPT = 10_000

/** Makes the forwarder; without a collector in the configuration it does nothing. Throws ERR_CONFIG_UNREADABLE, ERR_CONFIG_INVALID. */
export function createAuditForwarder(
  { syslog }: AgentConfig['audit'],
  { conditions, clock }: { readonly conditions: Conditions; readonly clock: Clock },
): AuditForwarder {
  if (!syslog) return { written: () => {}, stop: async () => {} }
  const { host, port, serverName } = syslog
  const way = createSyslog({
    ...{ host, port, serverName, clock, mostKept: MOST_KEPT },
    ca: syslog.caFile === undefined ? undefined : readCertificates(syslog.caFile),
    source: { host: hostname(), program: 'writeback', processId: process.pid },
    told: (failure) => {
      if (failure === undefined) conditions.clear('audit_not_forwarded', '')
      else conditions.raise('audit_not_forwarded', '', `${host}:${port}: ${failure}`)
    },
  })
  return {
    written: (lines) => {
      for (const text of lines) way.send({ ...headOf(text), text })
    },
    stop: way.stop,
  }
}

function headOf(text: string) {
  const { time, kind, outcome } = JSON.parse(text)
  const isBad = outcome === 'unknown' || outcome === 'failed'
  return { time, kind, severity: isBad ? 'warning' : 'info' } as const
}
