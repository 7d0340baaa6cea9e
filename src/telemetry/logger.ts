// Log lines: a constant sentence and fields. JSON for machines, one readable line on a terminal.
import winston from 'winston'

/** Fields of one log line. Never a password, a sealed value, or a credential. */
export type LogFields = Readonly<Record<string, unknown>>

/** The logger that every room is handed. `child` binds fields once. */
export interface Logger {
  readonly debug: (sentence: string, fields?: LogFields) => void
  readonly info: (sentence: string, fields?: LogFields) => void
  readonly warn: (sentence: string, fields?: LogFields) => void
  readonly error: (sentence: string, fields?: LogFields) => void
  readonly child: (fields: LogFields) => Logger
}

/** Levels in the order of how much they say. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Where and how a logger writes. */
export interface LoggerOptions {
  readonly level: LogLevel
  readonly format: 'json' | 'text'
  readonly stream: NodeJS.WritableStream
}

// A net under the plan: a field with such a name never leaves the process, whatever put it there.
const SECRET_NAMES =
  /^(password|newPassword|oldPassword|secret|token|authorization|sealed|passphrase|privateKey)$/i

const redact = winston.format((line) => {
  for (const name of Object.keys(line)) if (SECRET_NAMES.test(name)) line[name] = '[secret]'
  return line
})

const text = winston.format.printf(({ timestamp, level, message, ...fields }) => {
  const tail = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return [String(timestamp), level.padEnd(5), String(message), ...tail].join(' ')
})

/** The logger of a process, whose level may change while it runs; its children follow. */
export interface RootLogger extends Logger {
  readonly setLevel: (level: LogLevel) => void
}

/** Makes the logger of one process. */
export function createLogger(options: LoggerOptions): RootLogger {
  const { combine, timestamp, json } = winston.format
  // A log that cannot be written, as on a full disk, must not end what it tells of.
  options.stream.on('error', () => {})
  const root = winston.createLogger({
    level: options.level,
    format: combine(timestamp(), redact(), options.format === 'json' ? json() : text),
    transports: [new winston.transports.Stream({ stream: options.stream })],
  })
  let said = upTo(options.level)
  return {
    ...wrap(root, (level) => said.includes(level)),
    setLevel: (level) => {
      root.level = level
      said = upTo(level)
    },
  }
}

/** A logger that says nothing, for commands that print their own result. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
}

const upTo = (level: LogLevel): readonly LogLevel[] => LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(level) + 1)

function wrap(logger: winston.Logger, isSaid: (level: LogLevel) => boolean): Logger {
  const at =
    (level: LogLevel) =>
    (sentence: string, fields: LogFields = {}) => {
      // winston would format the line first and look at the level then.
      if (isSaid(level)) logger.log({ level, message: sentence, ...fields })
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(logger.child(fields), isSaid),
  }
}

/** The fields that describe a failure: its code, its message, and the messages of its causes. Never a stack. */
export function errorFields(error: unknown): LogFields {
  const messages: string[] = []
  let code: unknown
  for (let at: unknown = error; at instanceof Error && messages.length < 5; at = at.cause) {
    messages.push(at.message)
    code ??= (at as { code?: unknown }).code
  }
  return {
    error: messages.length > 0 ? messages.join(': ') : String(error),
    ...(code === undefined ? {} : { code }),
  }
}

/** A failure in one line for people, its stable code first: what a condition holds as its detail. */
export function failureLine(error: unknown): string {
  const fields = errorFields(error)
  const code = String(fields['code'] ?? '')
  return code.startsWith('ERR_') ? `${code}: ${fields['error']}` : String(fields['error'])
}
