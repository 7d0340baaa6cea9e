// slapd shows nobody more entries of one search than its size limit lets him see, by default 500 (olcSizeLimit).
import { SizeLimitExceededError } from 'ldapts'
import { WritebackError } from '../../../errors/writeback-error.ts'

/** True for a read that the server cut off at its size limit. */
export const isSizeLimit = (error: unknown): boolean =>
  error instanceof WritebackError && error.cause instanceof SizeLimitExceededError
