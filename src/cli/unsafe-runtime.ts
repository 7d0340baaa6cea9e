// Refuses to run where passwords or memory would be written somewhere, or a stranger's certificate would pass. An operator
// may say that it shall run all the same, and is then told of it for as long as it does.
import { readFileSync } from 'node:fs'
import { url as debuggerUrl } from 'node:inspector'
import { WritebackError } from '../errors/writeback-error.ts'
import type { Io } from './io.ts'

const UNSAFE_VARIABLES = [
  'NODE_DEBUG',
  'NODE_V8_COVERAGE',
  'SSLKEYLOGFILE',
  'NODE_DEBUG_NATIVE',
  'DEBUG',
  'NODE_TLS_REJECT_UNAUTHORIZED',
] as const
// The configuration file of Node.js holds options that nobody sees here.
const UNSAFE_OPTION =
  /^--(inspect|heapsnapshot|heap-snapshot|heap-prof|cpu-prof|report|tls-keylog|prof|trace-|abort-on-uncaught-exception|experimental-(default-)?config-file)/

/** What the process itself tells beside its environment and options. */
export interface RuntimeFacts {
  /** Where a debugger listens already; undefined: nowhere. */
  readonly debuggerUrl: string | undefined
  /** /proc/self/limits; undefined where there is none, as on other systems than Linux. */
  readonly limits: string | undefined
}

/** The facts of this process. */
export function readRuntimeFacts(): RuntimeFacts {
  let limits: string | undefined
  try {
    limits = readFileSync('/proc/self/limits', 'utf8')
  } catch {
    limits = undefined
  }
  return { debuggerUrl: debuggerUrl(), limits }
}

/** Everything that is unsafe, in words; the value of a variable is not shown. */
export function findUnsafeRuntime(
  io: Pick<Io, 'env' | 'execArgv'>,
  facts: RuntimeFacts = readRuntimeFacts(),
): readonly string[] {
  const variables = UNSAFE_VARIABLES.filter((name) => io.env[name])
  // Node.js takes quotes around an option, and underscores for its dashes.
  const given = [...io.execArgv, ...(io.env['NODE_OPTIONS'] ?? '').split(/\s+/)]
  const options = given
    .map((option) => option.replaceAll(/["\\]/g, '').replaceAll('_', '-'))
    .filter((option) => UNSAFE_OPTION.test(option))
  return [
    ...variables.map((name) => `the environment variable ${name} is set`),
    ...new Set(options.map((option) => `Node.js runs with ${option.split('=')[0]}`)),
    ...(facts.debuggerUrl === undefined ? [] : ['a debugger is open']),
    ...(leavesCore(facts) ? [CORE] : []),
  ]
}

const CORE =
  'a crash would leave a core dump: set the limit to 0, with LimitCORE=0 in the systemd unit or ulimit -c 0 in the shell'

// The soft limit decides.
const leavesCore = ({ limits = '' }: RuntimeFacts): boolean =>
  (/^Max core file size +(\S+)/m.exec(limits)?.[1] ?? '0') !== '0'

/** Throws ERR_RUNTIME_UNSAFE that names everything found. */
export function refuseUnsafeRuntime(io: Pick<Io, 'env' | 'execArgv'>, facts?: RuntimeFacts): void {
  const found = findUnsafeRuntime(io, facts)
  if (found.length > 0) throw new WritebackError('ERR_RUNTIME_UNSAFE', found.join('; '))
}

/** As refuseUnsafeRuntime; with `allowed` it warns on standard error instead. Gives what was found. */
export function admitRuntime(
  io: Pick<Io, 'env' | 'execArgv' | 'stderr'>,
  allowed: boolean,
): readonly string[] {
  if (!allowed) refuseUnsafeRuntime(io)
  const found = findUnsafeRuntime(io)
  for (const finding of found)
    io.stderr.write(
      `writeback: WARNING: passwords are not safe in this process, by --allow-debug: ${finding}\n`,
    )
  return found
}
