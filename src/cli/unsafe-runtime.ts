// Refuses to run with options that would write passwords or memory somewhere, or let a stranger's certificate pass.
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
const UNSAFE_OPTION = /^--(inspect|heapsnapshot|heap-prof|cpu-prof|report|tls-keylog|prof|trace-)/

/** Throws ERR_RUNTIME_UNSAFE naming the variable or option; its value is not shown. */
export function refuseUnsafeRuntime(io: Pick<Io, 'env' | 'execArgv'>): void {
  for (const name of UNSAFE_VARIABLES)
    if (io.env[name])
      throw new WritebackError('ERR_RUNTIME_UNSAFE', `the environment variable ${name} is set`)
  // Node.js takes quotes around an option, and underscores for its dashes.
  const given = [...io.execArgv, ...(io.env['NODE_OPTIONS'] ?? '').split(/\s+/)]
  const options = given.map((option) => option.replaceAll(/["\\]/g, '').replaceAll('_', '-'))
  const unsafe = options.find((option) => UNSAFE_OPTION.test(option))
  if (unsafe) throw new WritebackError('ERR_RUNTIME_UNSAFE', `Node.js runs with ${unsafe.split('=')[0]}`)
}
