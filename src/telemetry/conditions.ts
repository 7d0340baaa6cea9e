// Health as a list of conditions: what is wrong now, since when, and what to do about it.
import type { Clock } from '../clock/clock.ts'
import type { Logger } from './logger.ts'
import { orderByCause } from './order-by-cause.ts'

/** What the table says of one condition. `dependsOn`: while one of these holds, it follows from that, and is no cause. */
export interface ConditionRule {
  readonly severity: 'warning' | 'error'
  readonly remedy: string
  readonly dependsOn?: readonly string[]
}

// Of a directory that cannot be had, the rest is only what was seen there last.
const SEEN_THERE = ['directory_unreachable'] as const
const NO_STORE = ['store_unreachable', 'store_refuses_agent'] as const
// With one of these nothing is written in time, to whatever account.
const NO_WRITE = [
  ...NO_STORE,
  ...SEEN_THERE,
  'queue_unreachable',
  'queue_stuck',
  'journal_unusable',
  'audit_not_writable',
  'clock_skew',
  'store_time_unknown',
  'paused',
  'breaker_open',
  'server_declared_gone',
] as const

/** What can be wrong. `error`: the agent is not ready. `warning`: it works, somebody should look. */
export const CONDITIONS = {
  store_unreachable: {
    severity: 'error',
    remedy: 'check the reset store, the proxy and the firewall between',
  },
  store_refuses_agent: {
    severity: 'error',
    remedy: 'look whether the agent was revoked; enrol it again if that is wanted',
  },
  directory_unreachable: {
    severity: 'error',
    remedy: 'check the directory server, its certificate and the service account',
    dependsOn: ['controllers_not_found'],
  },
  controllers_not_found: {
    severity: 'warning',
    remedy:
      'check the SRV records of the domain and the way to its DNS servers; the controllers that are known stay in use meanwhile',
  },
  controllers_doubtful: {
    severity: 'warning',
    remedy:
      'find out who changed the records of the domain in DNS; if the detail is right, correct discover in the configuration',
  },
  queue_unreachable: {
    severity: 'error',
    remedy: 'check Redis; requests wait in the journal meanwhile',
    dependsOn: ['disk_full'],
  },
  queue_stuck: {
    severity: 'error',
    remedy:
      'nothing at first: the worker is made anew, and if that does not help the agent ends with status 7 and the service manager starts it again; look at Redis and the log when it comes back',
    dependsOn: ['queue_unreachable'],
  },
  queue_at_risk: {
    severity: 'warning',
    remedy: 'set Redis as the detail says; a job that it drops is put back from the journal within seconds',
    dependsOn: ['queue_unreachable'],
  },
  journal_unusable: {
    severity: 'error',
    remedy: 'check the state directory: disk space and rights; nothing is written to the directory meanwhile',
    dependsOn: ['disk_full'],
  },
  audit_not_writable: {
    severity: 'error',
    remedy:
      'make room on the disk of the state directory, or mend it; nothing is written to the directory meanwhile, and no record is lost',
    dependsOn: ['disk_full'],
  },
  audit_changed: {
    severity: 'warning',
    remedy:
      'find out who changed the audit record, or put an older state directory back; see: writeback audit verify',
  },
  audit_not_forwarded: {
    severity: 'warning',
    remedy:
      'check the syslog collector, its certificate and the firewall between; the audit file holds every record',
  },
  clock_skew: {
    severity: 'error',
    remedy: 'synchronise the clocks of this host, the store and the domain controllers',
  },
  store_time_unknown: {
    severity: 'error',
    remedy:
      'nothing was heard of the store since the start, or since this host’s clock was set: see why it does not answer quickly',
    dependsOn: NO_STORE,
  },
  disk_full: {
    severity: 'error',
    remedy:
      'make room on the disk of the state directory; nothing is written to the directory that cannot be recorded first',
  },
  disk_low: {
    severity: 'warning',
    remedy: 'make room on the disk of the state directory before it is full',
  },
  requests_waiting: {
    severity: 'warning',
    remedy:
      'look what else is wrong; if nothing is, look at the load of this host and of the domain controller',
    dependsOn: NO_WRITE,
  },
  outcomes_waiting: {
    severity: 'warning',
    remedy:
      'see why the store does not confirm what is reported; nothing is lost, users see no verdict meanwhile',
    dependsOn: [...NO_STORE, 'outcome_not_delivered', 'journal_unusable'],
  },
  probe_failed: {
    severity: 'warning',
    remedy:
      'read the detail: users fare like this account, or something is wrong with the account alone; then: writeback store probe run',
    dependsOn: [
      ...NO_WRITE,
      'marker_not_writable',
      'missing_right',
      'history_not_enforceable',
      'policy_unreadable',
    ],
  },
  probe_late: {
    severity: 'warning',
    remedy:
      'look at the reset store what became of its probes: writeback store probe list; users’ requests may not arrive either',
    dependsOn: [...NO_WRITE, 'probe_failed', 'requests_waiting'],
  },
  paused: {
    severity: 'warning',
    remedy:
      'when the reason is gone, resume writing where it was paused: at the reset store, or with: writeback queue resume',
  },
  breaker_open: {
    severity: 'error',
    remedy: 'find out who asked for so many writes; then close the breaker with: writeback breaker close',
  },
  missing_right: {
    severity: 'warning',
    remedy: 'grant the service account the rights that docs/rights.md lists',
    dependsOn: SEEN_THERE,
  },
  sealing_key_old: {
    severity: 'warning',
    remedy:
      'read the detail: the store does not accept a new key, or the key file cannot be written; then: writeback keys rotate',
    dependsOn: [...NO_STORE, 'disk_full'],
  },
  certificate_expiring: {
    severity: 'warning',
    remedy:
      'renew the certificate that is named; when it ends nothing is written, because no certificate is taken unchecked',
  },
  client_certificate_unusable: {
    severity: 'warning',
    remedy:
      'look at the two files: the agent goes on with the pair before until they hold a certificate with its key, of mode 0600',
  },
  unsafe_runtime: {
    severity: 'warning',
    remedy: 'end the debugging, and start the agent without --allow-debug',
  },
  marker_not_writable: {
    severity: 'warning',
    remedy:
      'give the service account the grant that is named; until then the accounts there are not written, or without the proof that a marker gives, as withoutMarker of the directory says',
    dependsOn: SEEN_THERE,
  },
  marker_implausible: {
    severity: 'warning',
    remedy:
      'look at the marker attribute of the account named in the log, and clear it if nobody else needs it',
    dependsOn: SEEN_THERE,
  },
  history_not_enforced: {
    severity: 'warning',
    remedy: 'know it: this directory cannot check password history on a reset',
    dependsOn: SEEN_THERE,
  },
  history_not_enforceable: {
    severity: 'error',
    remedy:
      'mend what the detail names: a domain controller without the policy hints control, or an OpenLDAP that holds the service account to no policy; or set history: preferred for this directory; no reset is written meanwhile',
    dependsOn: SEEN_THERE,
  },
  policy_unreadable: {
    severity: 'warning',
    remedy:
      'grant the service account read access on the policy that is named, as the README of install/ for this kind of directory shows',
    dependsOn: SEEN_THERE,
  },
  server_declared_gone: {
    severity: 'error',
    remedy:
      'a domain controller that was declared gone is the writer: take the declaration back with writeback store server back, or configure another writer',
  },
  outcome_not_delivered: {
    severity: 'warning',
    remedy: 'read the log: the store refuses the signature or the form of an outcome',
    dependsOn: ['store_refuses_agent'],
  },
} as const satisfies Record<string, ConditionRule>
export type ConditionCode = keyof typeof CONDITIONS

/** One condition that holds now. `subject` says of what: a directory's name, or empty. */
export interface Condition {
  readonly code: ConditionCode
  readonly subject: string
  readonly severity: 'warning' | 'error'
  /** Wall time, milliseconds since 1970. */
  readonly since: number
  readonly detail: string
  readonly remedy: string
  /** What it follows from, of the conditions that hold now; none: it is a cause. */
  readonly dependsOn: readonly ConditionCode[]
}

/** The conditions of one process. Raising and clearing are idempotent; only changes are logged. */
export interface Conditions {
  readonly raise: (code: ConditionCode, subject: string, detail: string) => void
  readonly clear: (code: ConditionCode, subject: string) => void
  /** Causes first, then errors, then what has lasted longest. */
  readonly list: () => readonly Condition[]
}

const causesOf = (code: ConditionCode): readonly string[] => {
  const rule: ConditionRule = CONDITIONS[code]
  return rule.dependsOn ?? []
}

/** Makes an empty list. */
export function createConditions(options: { readonly clock: Clock; readonly log: Logger }): Conditions {
  const held = new Map<string, Omit<Condition, 'dependsOn'>>()
  return {
    raise: (code, subject, detail) => {
      const key = `${code} ${subject}`
      const { severity, remedy } = CONDITIONS[code]
      const known = held.get(key)
      held.set(key, {
        code,
        subject,
        severity,
        remedy,
        detail,
        since: known?.since ?? options.clock.wallMs(),
      })
      if (!known)
        options.log[severity === 'error' ? 'error' : 'warn']('condition raised', {
          condition: code,
          subject,
          detail,
          remedy,
        })
    },
    clear: (code, subject) => {
      if (held.delete(`${code} ${subject}`))
        options.log.info('condition cleared', { condition: code, subject })
    },
    list: () => orderByCause([...held.values()], causesOf),
  }
}

/** True when nothing stands against doing the work. Pure, for the readiness answer. */
export const isReady = (conditions: readonly Condition[]): boolean =>
  conditions.every(({ severity }) => severity !== 'error')
