// The one error class of the project. What went wrong is its code; the class never says it.
import { ERRORS, type ErrorCode } from './error-codes.ts'

/** Whether the same call may succeed later. Decided where the failure is understood, never guessed above. */
export type Retry = 'later' | 'never'

/** A failure with a stable code. The message says what failed and on what, never a secret. */
export class WritebackError extends Error {
  readonly code: ErrorCode
  readonly retry: Retry

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly retry?: Retry; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'WritebackError'
    this.code = code
    this.retry = options.retry ?? 'never'
  }

  /** What the reader can do next. */
  get remedy(): string {
    return ERRORS[this.code].remedy
  }
}

/** True for a failure that the same call may overcome later. */
export function isRetryable(error: unknown): error is WritebackError {
  return error instanceof WritebackError && error.retry === 'later'
}
