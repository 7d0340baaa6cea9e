// Where an agent is to die or to stop next: a file beside its configuration, which the harness writes and the agent reads
// at every point. A crash happens once, and what it was is kept.
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/** One planned crash. */
export interface CrashPlan {
  /** Such as `C17:before`. */
  readonly at: string
  /** Default `kill`. `stop`: SIGSTOP, to go on when SIGCONT comes. */
  readonly how?: 'kill' | 'stop'
  /** Only this request dies there, at places that know which one they meet. */
  readonly request?: string
  /** Again and again, not once. */
  readonly isPoison?: boolean
}

const planFile = (configFile: string): string => `${configFile}.crash`
const diaryFile = (configFile: string): string => `${configFile}.crashed`

/** Plans the next crash of the agent with this configuration file; undefined: none. */
export function planCrash(configFile: string, plan: CrashPlan | undefined): void {
  if (!plan) {
    rmSync(planFile(configFile), { force: true })
    return
  }
  // The agent must never see half of it.
  writeFileSync(`${planFile(configFile)}.new`, JSON.stringify(plan))
  renameSync(`${planFile(configFile)}.new`, planFile(configFile))
}

/** The plan, when it is for this point and request. One that is not poison is used up, and kept in the diary. */
export function takePlan(configFile: string, at: string, request: string | undefined): CrashPlan | undefined {
  const file = planFile(configFile)
  if (!existsSync(file)) return undefined
  const plan = JSON.parse(readFileSync(file, 'utf8')) as CrashPlan
  if (plan.at !== at || isOfAnother(plan, request)) return undefined
  if (!plan.isPoison) rmSync(file)
  appendFileSync(diaryFile(configFile), `${JSON.stringify({ at, ...(request ? { request } : {}) })}\n`)
  return plan
}

// A poison must never strike another one; a place on the wire knows no request, and would spare its own.
const isOfAnother = ({ request: own, isPoison }: CrashPlan, request: string | undefined): boolean =>
  own !== undefined && own !== request && (request !== undefined || isPoison === true)

/** One crash that happened. `request`: left out where the place knows of none. */
export interface DiaryEntry {
  readonly at: string
  readonly request?: string
}

/** Where the agent was ended or stopped so far, the last one last. */
export const readDiary = (configFile: string): readonly DiaryEntry[] =>
  existsSync(diaryFile(configFile))
    ? readFileSync(diaryFile(configFile), 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as DiaryEntry)
    : []
