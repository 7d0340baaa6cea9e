// A death for one request alone: planned between its birth and its hand-out, and found again in the agent's diary.
import { type CrashPlan, type DiaryEntry, planCrash } from '../test-build/crash-plan.ts'
import type { CrashWorld, Subject } from './crash-world.ts'

/**
 * Begins the request, and plans the crash for it before any agent can have it. An unlock is handed out as soon as it is
 * asked for: there the plan comes first, and is bound to no request.
 */
export async function askAndPlan(
  crash: CrashWorld,
  configFile: string,
  subject: Subject,
  plan: CrashPlan,
): Promise<string> {
  if (subject.operation === 'unlock') planCrash(configFile, plan)
  return crash.ask(subject, (request) => {
    if (subject.operation !== 'unlock') planCrash(configFile, { ...plan, request })
  })
}

/** What is wrong with the diary after a death: `earlier` entries stood in it before, and one more must be there, of this request. */
export function findMissed(
  diary: readonly DiaryEntry[],
  earlier: number,
  at: string,
  request: string,
): readonly string[] {
  const last = diary.at(-1)
  if (diary.length !== earlier + 1)
    return [`${diary.length - earlier} deaths where one was planned, at ${at}`]
  if (last?.at !== at) return [`${at} was not reached, but ${last?.at}`]
  return last.request === undefined || last.request === request
    ? []
    : [`${at} struck request ${last.request}`]
}
