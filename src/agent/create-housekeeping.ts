// What the agent does on a clock, whatever requests come.
import type { AgentBase } from './agent-base.ts'
import type { AgentWork } from './create-work.ts'
import type { SealingKeys } from './keys/sealing-keys.ts'
import { createPolicyPublisher } from './publish-policies.ts'
import type { AccountReports } from './report-accounts.ts'
import { createSchedule, type Schedule } from './schedule/create-schedule.ts'
import { sendHeartbeat } from './send-heartbeat.ts'
import { watchBacklog } from './watch-backlog.ts'
import { watchClock } from './watch-clock.ts'
import { watchDirectories } from './watch-directories.ts'
import { watchDisk } from './watch-disk.ts'
import { type ProbeWatch, probedAccounts } from './watch-probes.ts'
import { watchRedis } from './watch-redis.ts'

const KEEP_FINISHED_MS = 7 * 86_400_000

/** Parts that have a job of their own. */
export interface OwnJobs {
  readonly sealingKeys: SealingKeys
  readonly reports: AccountReports
  readonly probes: ProbeWatch
}

/** Makes the schedule of every job; nothing runs before its `start`. */
export function createHousekeeping(
  base: AgentBase,
  { queues, refuseStrangers }: AgentWork,
  { sealingKeys, reports, probes }: OwnJobs,
): Schedule {
  const heartbeat = async () => {
    const { answer } = await sendHeartbeat(base, base.stopping.signal)
    base.setPaused(answer)
  }
  const purge = async () => {
    base.journal.purge(base.clock.wallMs() - KEEP_FINISHED_MS)
  }
  const watchTime = async () => {
    base.pulse.beat('schedule')
    await watchClock(base, heartbeat)
  }
  // What no queue can carry out does not wait for the queues.
  const tendQueues = async () => {
    await queues.reconcile().finally(refuseStrangers)
  }
  const findControllers = async () => {
    await Promise.all([...base.discoveries.values()].map(({ tend }) => tend()))
  }
  const disk = () => watchDisk(base.config.stateDirectory, base.conditions)
  return createSchedule(
    [
      { name: 'heartbeat', when: '*/30 * * * * *', isDueAtStart: true, run: heartbeat },
      { name: 'directory', when: '*/5 * * * * *', run: () => watchDirectories(base) },
      ...(base.discoveries.size > 0
        ? [{ name: 'controllers', when: '3-58/5 * * * * *', run: findControllers }]
        : []),
      { name: 'policies', when: '30 * * * * *', isDueAtStart: true, run: createPolicyPublisher(base) },
      { name: 'clock', when: '*/5 * * * * *', run: watchTime },
      { name: 'backlog', when: '*/10 * * * * *', run: async () => watchBacklog(base) },
      { name: 'disk', when: '*/30 * * * * *', isDueAtStart: true, run: disk },
      { name: 'redis', when: '20 * * * * *', run: () => watchRedis(base.config.queue, base.conditions) },
      { name: 'queue', when: '*/10 * * * * *', run: tendQueues },
      { name: 'journal', when: '17 * * * *', run: purge },
      { name: 'keys', when: '45 * * * * *', isDueAtStart: true, run: sealingKeys.tend },
      { name: 'certificates', when: '37 * * * *', isDueAtStart: true, run: base.certificates.look },
      ...(base.config.reports
        ? [{ name: 'reports', when: '51 * * * *', isDueAtStart: false, run: reports.write }]
        : []),
      ...(probedAccounts(base.config.directories).size > 0
        ? [{ name: 'probes', when: '*/5 * * * * *', isDueAtStart: true, run: probes.look }]
        : []),
      { name: 'audit', when: '*/5 * * * *', run: base.audit.housekeep },
    ],
    base,
  )
}
