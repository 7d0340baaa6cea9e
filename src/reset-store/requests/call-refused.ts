// How a rule says no to a call: the code of a problem document.
import { WritebackError } from '../../errors/writeback-error.ts'
import { PROBLEMS, type ProblemCode } from '../../protocol/problem-codes.ts'

/** A call that is answered with a problem document. Code ERR_STORE_REJECTED. */
export class CallRefused extends WritebackError {
  readonly problem: ProblemCode
  /** What is wrong here, for the caller to read. Never a secret. */
  readonly detail: string | undefined

  constructor(problem: ProblemCode, detail?: string, cause?: unknown) {
    super('ERR_STORE_REJECTED', detail ?? PROBLEMS[problem].meaning, { cause })
    this.problem = problem
    this.detail = detail
  }
}
