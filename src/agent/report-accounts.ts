// A report of locked accounts and of passwords about to expire, for the help desk: reads only, bounded, into the state directory.
import { join } from 'node:path'
import { makePrivateDirectory, writePrivateFile } from '../config/private-file.ts'
import { errorFields } from '../telemetry/logger.ts'
import type { AgentBase } from './agent-base.ts'
import type { Account } from './decisions/account.ts'
import { findExclusion } from './decisions/judge-protection.ts'
import type { WriterSession } from './directory/directory.ts'

type Parts = Pick<AgentBase, 'config' | 'directories' | 'clock' | 'log' | 'stopping'>

/** What the last report of one directory counted. `isCut`: there may be more than were looked at. */
export interface ReportCounts {
  readonly directory: string
  readonly writtenAt: number
  readonly locked: number
  readonly expiring: number
  readonly isCut: boolean
}

/** The reports of one agent. */
export interface AccountReports {
  /** Writes what is due; one directory's failure keeps no other from its report. Throws after all of them. */
  readonly write: () => Promise<void>
  readonly list: () => readonly ReportCounts[]
}

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
// A report that is due with the hour must not wait for the next one because the clock ticks some seconds early.
const EARLY_MS = 60_000

/** Makes the reports; without `reports` in the configuration there are none. */
export function createAccountReports(parts: Parts): AccountReports {
  const { config, directories, clock } = parts
  const written = new Map<string, ReportCounts>()
  const wish = config.reports
  const report = async (name: string): Promise<void> => {
    const last = written.get(name)
    const isDue =
      wish !== undefined &&
      (last === undefined || clock.wallMs() - last.writtenAt >= wish.everyHours * HOUR_MS - EARLY_MS)
    const session = isDue ? await directories.get(name)?.directory.writer() : undefined
    if (wish === undefined || session === undefined) return
    written.set(name, await writeReport(parts, name, session, wish))
  }
  return {
    write: async () => {
      const results = await Promise.allSettled([...directories.keys()].map(report))
      const failed = results.find((one) => one.status === 'rejected')
      if (failed) throw failed.reason
    },
    list: () => [...written.values()],
  }
}

async function writeReport(
  { config, clock, log, stopping }: Parts,
  directory: string,
  session: WriterSession,
  { expiringWithinDays, mostAccounts }: NonNullable<AgentBase['config']['reports']>,
): Promise<ReportCounts> {
  const fromMs = session.directoryNowMs()
  const untilMs = fromMs + expiringWithinDays * DAY_MS
  const subjects = await session.findNoteworthy({ fromMs, untilMs, most: mostAccounts })
  const locked: object[] = []
  const expiring: object[] = []
  // One after the other: resets have the first right to the directory.
  for (const subject of subjects) {
    if (stopping.signal.aborted) break
    const account = await session.readAccount(subject, 'inspect').catch((error: unknown) => {
      log.debug('an account of the report cannot be read', { directory, ...errorFields(error) })
      return undefined
    })
    if (account === undefined || account === 'ambiguous' || account.disabled) continue
    if (findExclusion(account, session.rules) !== undefined) continue
    if (account.locked) locked.push(lineOf(subject.anchor, account))
    else if (isWithin(account.passwordExpiresAtMs, fromMs, untilMs))
      expiring.push(lineOf(subject.anchor, account))
  }
  const isCut = subjects.length >= mostAccounts
  const writtenAt = clock.wallMs()
  const folder = join(config.stateDirectory, 'reports')
  await makePrivateDirectory(folder, 'ERR_KEYS_UNUSABLE')
  const content = { directory, writtenAt, expiringWithinDays, isCut, locked, expiring }
  await writePrivateFile(join(folder, `${directory}.json`), `${JSON.stringify(content, null, 2)}\n`)
  return { directory, writtenAt, locked: locked.length, expiring: expiring.length, isCut }
}

const isWithin = (atMs: number | undefined, fromMs: number, untilMs: number): boolean =>
  atMs !== undefined && atMs >= fromMs && atMs <= untilMs

const lineOf = (anchor: string, { dn, passwordExpiresAtMs }: Account) => ({
  ...{ anchor, dn, passwordExpiresAt: passwordExpiresAtMs ?? null },
})
