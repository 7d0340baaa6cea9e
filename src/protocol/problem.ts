// Errors on the wire: problem documents with a stable code (RFC 9457).
import { z } from 'zod'
import { PROBLEMS, type ProblemCode } from './problem-codes.ts'

const codes = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]

/** A problem document as the store writes it. `type` is a URN made of the code. */
export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: z.enum(codes),
    detail: z.string().max(1000).optional(),
  })
  .describe('problem document (RFC 9457)')
export type Problem = z.infer<typeof problemSchema>

/** What a reader needs of a problem document that some other store, or something in between, wrote. */
export const foreignProblemSchema = z.looseObject({
  code: z.string().max(64),
  detail: z.string().max(1000).optional(),
})

/** The problem document of a code. `detail` says what is wrong here, never a secret. */
export function problemOf(code: ProblemCode, detail?: string): Problem {
  const { status, meaning } = PROBLEMS[code]
  return {
    type: `urn:writeback:problem:${code}`,
    title: meaning,
    status,
    code,
    ...(detail === undefined ? {} : { detail }),
  }
}
