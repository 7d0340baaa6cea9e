// A call that the store refused, with what the person at the command line can do about it.
import { WritebackError } from '../errors/writeback-error.ts'
import type { ProblemCode } from '../protocol/problem-codes.ts'

const REMEDIES: ReadonlyMap<string, string> = new Map<ProblemCode, string>([
  ['user_not_found', 'see: writeback store user list; link the user with: writeback store user add'],
  ['no_agent', 'see: writeback store agent list; start the agent of this directory, or enrol one'],
  ['policies_not_found', 'an agent publishes them when it starts; see: writeback store agent list'],
  ['too_many_requests', 'wait until those before have ended'],
])

/** A problem that the store answered with. Code ERR_STORE_REJECTED; its remedy goes with the problem. */
export class StoreRefusal extends WritebackError {
  readonly problem: string

  constructor(problem: string, detail: string) {
    super('ERR_STORE_REJECTED', `${problem}: ${detail}`)
    this.problem = problem
  }

  override get remedy(): string {
    return REMEDIES.get(this.problem) ?? super.remedy
  }
}
