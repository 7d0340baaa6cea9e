// One message for a syslog collector: RFC 5424, framed with its length as RFC 5425 asks.

/** A message before it has its form. */
export interface SyslogMessage {
  /** ISO 8601, UTC. */
  readonly time: string
  /** At most 32 printable ASCII characters: what kind of message it is. */
  readonly kind: string
  readonly severity: 'warning' | 'notice' | 'info'
  readonly text: string
}

/** Who speaks. */
export interface SyslogSource {
  readonly host: string
  readonly program: string
  readonly processId: number
}

const FACILITY_LOG_AUDIT = 13
const SEVERITIES = { warning: 4, notice: 5, info: 6 } as const

const printable = (text: string, longest: number): string =>
  text.replaceAll(/[^\x21-\x7e]/g, '').slice(0, longest) || '-'

/** The bytes of one message. Its text is UTF-8, without a byte order mark: JSON needs none. */
export function frameSyslog(message: SyslogMessage, source: SyslogSource): Buffer {
  const priority = FACILITY_LOG_AUDIT * 8 + SEVERITIES[message.severity]
  const head = [
    `<${priority}>1`,
    message.time,
    printable(source.host, 255),
    printable(source.program, 48),
    String(source.processId),
    printable(message.kind, 32),
    '-',
  ]
  const body = Buffer.from(`${head.join(' ')} ${message.text}`)
  return Buffer.concat([Buffer.from(`${body.length} `), body])
}
