// How a failure is told: code and message, the causes below it, the next step, and the exit status.
import { CommanderError } from 'commander'
import { WritebackError } from '../errors/writeback-error.ts'
import { EXIT, type Io } from './io.ts'

/** A failure as lines. */
export function describeFailure(error: WritebackError): readonly string[] {
  const causes: string[] = []
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause)
    causes.push(`  because: ${cause.message}`)
  return [`writeback: ${error.code}: ${error.message}`, ...causes, `  next: ${error.remedy}`]
}

/** Tells a failure on standard error and returns the exit status that fits it. */
export function reportFailure(io: Io, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  if (!(error instanceof WritebackError)) {
    io.stderr.write(`writeback: ERR_INTERNAL: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT.failed
  }
  for (const line of describeFailure(error)) io.stderr.write(`${line}\n`)
  const isUsage = error.code === 'ERR_USAGE' || error.code.startsWith('ERR_CONFIG_')
  return isUsage ? EXIT.usage : EXIT.failed
}
