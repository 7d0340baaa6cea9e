// Answers of the operators' socket, read from the parts.
import { VERSION } from '../protocol/version.ts'
import { isReady } from '../telemetry/conditions.ts'
import type { Reading } from '../telemetry/metrics.ts'
import type { AgentBase } from './agent-base.ts'
import type { Queues } from './create-queues.ts'
import type { SealingKeys } from './keys/sealing-keys.ts'
import type { AgentView, AgentViews } from './ops/describe-agent.ts'
import type { AccountReports } from './report-accounts.ts'
import type { Schedule } from './schedule/create-schedule.ts'
import { rotateKey, viewKeys } from './view-keys.ts'
import type { ProbeWatch } from './watch-probes.ts'

/** What is looked at beside the ground. `hasClaimed`: the store answered a claim since the start. */
export interface ViewedParts {
  readonly queues: Queues
  readonly hasClaimed: () => boolean
  readonly sealingKeys: SealingKeys
  readonly jobs: Schedule['view']
  readonly reports: AccountReports['list']
  readonly probes: ProbeWatch['list']
}

/** Makes the views. */
export function viewAgent(
  base: AgentBase,
  { queues, hasClaimed, sealingKeys, jobs, reports, probes }: ViewedParts,
): AgentViews {
  const { conditions, directories, metrics } = base
  const startedAt = base.clock.wallMs()
  const statuses = () =>
    [...directories.values()].map(({ directory }) => ({ name: directory.name, ...directory.status() }))
  const isAgentReady = () =>
    hasClaimed() && isReady(conditions.list()) && statuses().every(({ connected }) => connected)
  const view = async (): Promise<AgentView> => ({
    version: VERSION,
    agent: base.enrolled.agent,
    ready: isAgentReady(),
    paused: base.isPaused(),
    startedAt,
    storeOffsetMs: base.storeTime.offsetMs() ?? null,
    requests: requestsOf(base),
    queues: await queues.counts(),
    directories: statuses().map(({ name, connected, server = null, url = null, clockOffsetMs }) => ({
      ...{ name, connected, server, url },
      clockOffsetMs: clockOffsetMs === undefined ? null : Math.round(clockOffsetMs),
      discovery: base.discoveries.get(name)?.view() ?? null,
    })),
    conditions: conditions.list(),
    lastOutcomes: base.lastOutcomes.list(),
    jobs: jobs(),
    certificates: base.certificates.list(),
    reports: reports(),
    probes: probes(),
  })
  return {
    isReady: isAgentReady,
    conditions: conditions.list,
    closeBreaker: base.limits.closeBreaker,
    keys: () => viewKeys(base),
    rotateKey: () => rotateKey(sealingKeys, base.keys),
    view,
    metrics: async () => ({
      contentType: metrics.contentType,
      text: await metrics.text(async () => readingOf(base, await view())),
    }),
  }
}

function requestsOf({ journal }: AgentBase): AgentView['requests'] {
  const { oldestOpenAt = null, oldestUndeliveredAt = null, ...counts } = journal.counts()
  return { ...counts, oldestOpenAt, oldestUndeliveredAt }
}

function readingOf(base: AgentBase, view: AgentView): Reading {
  const now = base.storeTime.nowMs()
  const secondsSince = (atMs: number | null) => (atMs === null ? 0 : Math.max(0, (now - atMs) / 1000))
  return {
    ready: view.ready,
    paused: view.paused,
    conditions: view.conditions,
    openRequests: view.requests.open,
    undeliveredOutcomes: view.requests.undelivered,
    oldestOpenSeconds: secondsSince(view.requests.oldestOpenAt),
    oldestUndeliveredSeconds: secondsSince(view.requests.oldestUndeliveredAt),
    jobs: Object.entries(view.queues).flatMap(([directory, counts]) =>
      Object.entries(counts ?? {}).map(([state, count]) => ({ directory, state, count })),
    ),
    directories: view.directories.map(({ name, connected, clockOffsetMs }) => ({
      ...{ name, connected },
      clockOffsetSeconds: clockOffsetMs === null ? undefined : clockOffsetMs / 1000,
    })),
    storeOffsetSeconds: view.storeOffsetMs === null ? undefined : view.storeOffsetMs / 1000,
    certificates: view.certificates,
    reports: view.reports,
    probes: view.probes,
    keyAgeSeconds: base.keys.sealingKeys.map(({ publicKey, createdAt }) => ({
      key: publicKey.kid,
      seconds: Math.max(0, (base.clock.wallMs() - createdAt) / 1000),
    })),
  }
}
