// How the service is, as systemd knows it.

import { UNIT } from './plan-service.ts'
import { runTool } from './run-tool.ts'

/** The service as systemd sees it. */
export interface ServiceStatus {
  readonly installed: boolean
  /** Started with the machine. */
  readonly enabled: boolean
  /** systemd's own words: `active`, `inactive`, `failed`, `activating`, `reloading`. */
  readonly state: string
  readonly pid: number | null
  /** The agent's own line. */
  readonly status: string
  /** How it ended last: `success`, `exit-code`, `watchdog`... */
  readonly result: string
  readonly restarts: number
}

const PROPERTIES = 'LoadState,ActiveState,UnitFileState,MainPID,StatusText,Result,NRestarts'

/** Asks systemd. Throws ERR_SERVICE_FAILED. */
export function readServiceStatus(): ServiceStatus {
  const lines = runTool(['systemctl', 'show', UNIT, `--property=${PROPERTIES}`]).split('\n')
  const values = new Map(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  const of = (name: string) => values.get(name) ?? ''
  const pid = Number(of('MainPID'))
  return {
    installed: of('LoadState') === 'loaded',
    enabled: of('UnitFileState') === 'enabled',
    state: of('ActiveState'),
    pid: pid > 0 ? pid : null,
    status: of('StatusText'),
    result: of('Result'),
    restarts: Number(of('NRestarts') || 0),
  }
}
