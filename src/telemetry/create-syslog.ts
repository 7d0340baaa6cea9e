// Forwards records to a syslog collector: a winston logger whose one transport ends in the connection.
import { Writable } from 'node:stream'
import winston from 'winston'
import { SyslogConnection, type SyslogOptions } from './syslog-connection.ts'
import { frameSyslog, type SyslogMessage } from './syslog-frame.ts'

/** A way to a collector. */
export interface Syslog {
  /** Never waits and never throws. */
  readonly send: (message: SyslogMessage) => void
  /** Gives what waits a short time to leave. */
  readonly stop: () => Promise<void>
}

/** Opens the way at the first message. */
export function createSyslog(options: SyslogOptions): Syslog {
  const connection = new SyslogConnection(options)
  const stream = new Writable({
    write: (frame: Buffer, _encoding, next) => {
      connection.take(frame)
      next()
    },
  })
  const asFrame = winston.format.printf(({ syslog }) =>
    frameSyslog(syslog as SyslogMessage, options.source).toString(),
  )
  const transports = [new winston.transports.Stream({ stream, eol: '' })]
  const logger = winston.createLogger({ level: 'info', format: asFrame, transports })
  return {
    send: (syslog) => void logger.log({ level: 'info', message: '', syslog }),
    stop: () => connection.leave(),
  }
}
