// Where a secret could come out, and which secret belongs where. Whatever is found elsewhere is a leak.
import type { Encoding } from './secret-forms.ts'

/** The six kinds of secrets. `store token`: the administrator's, and those of the agent's calls. */
export const SECRET_KINDS = [
  'new password',
  'old password',
  'bind password',
  'store token',
  'private key',
  'Redis password',
] as const
/** One of the six. */
export type SecretKind = (typeof SECRET_KINDS)[number]

/** Every place that is searched. */
export const SINKS = [
  'agent log',
  'agent stdout',
  'agent stderr',
  'store output',
  'Redis keys',
  'Redis events stream',
  'Redis MONITOR',
  'Redis slow log',
  'Redis AOF',
  'Redis RDB',
  'errors of jobs',
  'journal file',
  'journal WAL',
  'outbox',
  'HTTP request bodies',
  'HTTP answer bodies',
  'HTTP headers',
  'HTTP addresses',
  'operators’ socket',
  'command output',
  'command lines',
  'environments',
  'state directory',
  'temporary directory',
  'working directory',
  'core, heap and report files',
  'debug output',
  'store files',
  'LDAP clear side',
  'process memory',
] as const
/** One of the thirty. */
export type Sink = (typeof SINKS)[number]

/** Sinks that nothing comes out of where nothing leaks, with the reason. Each is shown to be read by a planted leak. */
export const EMPTY_SINKS: Readonly<Partial<Record<Sink, string>>> = {
  'agent stdout': 'what the agent prints is its log',
  'agent stderr': 'the agent writes there only when it cannot start',
  'temporary directory': 'agent and commands keep nothing there',
  'working directory': 'agent and commands write nothing beside their own directories',
  'core, heap and report files': 'no process is made to dump one',
}

/** Sinks that only commands of the product fill, which run beside one kind of directory. */
export const FILLED_BY_COMMANDS: readonly Sink[] = ['debug output']

/** The sinks that nothing was collected from, though something must come out of them: there the search was blind. */
export const findBlind = (collected: ReadonlySet<Sink>): readonly Sink[] =>
  SINKS.filter((sink) => !collected.has(sink) && EMPTY_SINKS[sink] === undefined)

/** What a search would look at, if this version had it. */
export const ABSENT_SINKS = [
  'syslog collector (its lines are those of the audit files)',
  'journald socket',
  'trace export',
] as const

interface Rightful {
  readonly secret: SecretKind
  readonly sink: Sink
  /** Which part of the sink. */
  readonly place: RegExp
  /** Default all. */
  readonly encodings?: readonly Encoding[]
}

/** What a message is called that writes this attribute, each of which holds passwords in a form of its own. */
export const PASSWORD_PLACES: Readonly<Record<string, string>> = {
  unicodepwd: 'password write',
  userpassword: 'password write as text',
}

// Big and little endian text share their middle; the quoted form is what is meant.
const AS_WRITTEN = ['quoted UTF-16LE', 'UTF-16LE', 'UTF-16BE'] as const
// What an address need not escape looks the same in one.
const AS_TEXT = ['UTF-8', 'percent'] as const

/** Which secret may be where. A password is in the message that writes it exactly once: that is counted apart. */
export const RIGHTFUL: readonly Rightful[] = [
  { secret: 'new password', sink: 'LDAP clear side', place: /^password write$/, encodings: AS_WRITTEN },
  { secret: 'old password', sink: 'LDAP clear side', place: /^password write$/, encodings: AS_WRITTEN },
  { secret: 'new password', sink: 'LDAP clear side', place: /^password write as text$/, encodings: AS_TEXT },
  { secret: 'old password', sink: 'LDAP clear side', place: /^password write as text$/, encodings: AS_TEXT },
  {
    secret: 'bind password',
    sink: 'LDAP clear side',
    place: /^bind request$/,
    encodings: AS_TEXT,
  },
  // The operator’s own file, which the configuration names.
  { secret: 'bind password', sink: 'state directory', place: /^bind-password$/ },
  { secret: 'store token', sink: 'HTTP headers', place: /^request header$/ },
  { secret: 'store token', sink: 'store files', place: /^admin-token$/ },
  // The store keeps what it checks a token by.
  { secret: 'store token', sink: 'store files', place: /^store\.db/, encodings: ['hash'] },
  { secret: 'store token', sink: 'process memory', place: /^(agent|store)$/ },
  { secret: 'private key', sink: 'state directory', place: /^state\/keys\.json$/ },
  { secret: 'private key', sink: 'store files', place: /^signing-key\.json$/ },
  { secret: 'private key', sink: 'process memory', place: /^(agent|store)$/ },
  { secret: 'Redis password', sink: 'state directory', place: /^state\/redis\/password$/ },
  // Redis keeps what it checks the password by.
  {
    secret: 'Redis password',
    sink: 'state directory',
    place: /^state\/redis\/users\.acl$/,
    encodings: ['hash'],
  },
  { secret: 'Redis password', sink: 'process memory', place: /^(agent|Redis)$/ },
]

/** True where a secret belongs. */
export const isRightful = (secret: string, encoding: Encoding, sink: Sink, place: string): boolean =>
  RIGHTFUL.some(
    (rule) =>
      rule.secret === secret &&
      rule.sink === sink &&
      rule.place.test(place) &&
      (rule.encodings?.includes(encoding) ?? true),
  )
