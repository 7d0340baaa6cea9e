// One record of the audit as one line for people.
import type { AuditLine } from '../agent/audit/audit-line.ts'

// Whoever may name an account must not write on an operator's terminal: control and direction characters, line separators.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Sequence, time and kind, then what it tells. */
export function describeRecord({ sequence, time, kind, fields }: AuditLine): string {
  return `${String(sequence).padStart(6)}  ${time}  ${kind.padEnd(10)}  ${tell(kind, fields)}`.replaceAll(
    UNSEEN,
    '\ufffd',
  )
}

function tell(kind: string, fields: AuditLine['fields']): string {
  const text = (name: string) => String(fields[name] ?? '-')
  const part = (of: string, name: string) =>
    String((fields[of] as Record<string, unknown> | undefined)?.[name])
  const attempt = `${text('action')} ${text('request')} attempt ${text('attempt')}`
  if (kind === 'intent')
    return `${attempt}  ${part('account', 'name')} by ${part('actor', 'kind')} ${part('actor', 'name')} on ${text('url')}`
  if (kind === 'result') return `${attempt}  ${text('answer')}`
  if (kind === 'outcome')
    return `${text('request')}  ${text('outcome')}${fields['reason'] ? ` ${text('reason')}` : ''}`
  if (kind === 'operator')
    return `${text('action')}${fields['request'] ? ` ${text('request')}` : ''}  by ${part('actor', 'name')}`
  return text('reason')
}
