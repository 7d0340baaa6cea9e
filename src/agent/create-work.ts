// The way of a request through this agent: intake, queues, writeback and reporter, each handed what it needs of the others.
import type { AgentBase } from './agent-base.ts'
import { createQueues, type Queues, type QueuesOptions } from './create-queues.ts'
import { createReceipts, type Receipts } from './intake/confirm-receipts.ts'
import { createIntake, type Intake } from './intake/create-intake.ts'
import { refuseStrangers } from './refuse-strangers.ts'
import { concludeInvalid, type InvalidRequest } from './writeback/conclude-invalid.ts'
import { createDrops, type Drops } from './writeback/drops.ts'
import { processRequest } from './writeback/process-request.ts'
import { createReporter, type Reporter } from './writeback/report-outcomes.ts'
import { createSuspects } from './writeback/suspects.ts'
import type { WritebackParts } from './writeback/writeback-parts.ts'

/** The working parts. */
export interface AgentWork {
  readonly queues: Queues
  readonly intake: Intake
  readonly reporter: Reporter
  /** Requests that operators want ended. */
  readonly drops: Drops
  /** Ends what is open though no queue can carry it out. */
  readonly refuseStrangers: () => Promise<void>
}

// So many open requests wait for each other anyway.
const BUSY_FROM = 16

// What waits for a directory that is away does not come to an end soon, and must not slow the others down.
const countMoving = ({ journal, directories }: AgentBase): number =>
  [...directories.values()]
    .filter(({ directory }) => directory.status().connected)
    .reduce((count, { directory }) => count + journal.openCount(directory.name), 0)

/** Makes the working parts; nothing runs yet. `openQueues` makes the queues, on Redis unless told otherwise. */
export function createWork(
  base: AgentBase,
  openQueues: (options: QueuesOptions) => Queues = createQueues,
): AgentWork {
  const { journal, client, log } = base
  const reporter = createReporter({
    ...{ journal, client, clock: base.clock, conditions: base.conditions },
    isBusy: () => countMoving(base) >= BUSY_FROM,
    log: log.child({ component: 'reporter' }),
  })
  const receipts = createReceipts(base)
  const drops = createDrops()
  const writeback = writebackParts(base, { reporter, receipts, drops })
  const queues = openQueues({
    ...{ config: base.config, agent: base.enrolled.agent, journal },
    ...{ conditions: base.conditions, log, clock: base.clock },
    process: (requestId, signal) => processRequest(writeback, requestId, signal),
  })
  const refuseInvalid: RefuseInvalid = (request, fault) => concludeInvalid(writeback, request, fault)
  return {
    ...{ queues, reporter, drops },
    intake: makeIntake(base, { queues, reporter, receipts }, refuseInvalid),
    refuseStrangers: () => refuseStrangers(base, refuseInvalid),
  }
}

type RefuseInvalid = (request: InvalidRequest, fault: string) => Promise<void>

function writebackParts(
  base: AgentBase,
  {
    reporter,
    receipts,
    drops,
  }: { readonly reporter: Reporter; readonly receipts: Receipts; readonly drops: Drops },
): WritebackParts {
  const { enrolled, keys, stopping } = base
  return {
    ...base,
    agent: enrolled.agent,
    store: enrolled.store,
    suspects: createSuspects(),
    drops,
    signer: keys.identity.signer,
    readDocument: base.documents.read,
    confirmReceipt: async ({ requestId, lease }, server) => {
      const receipt = { request: requestId, lease, server }
      return (await receipts.confirm([receipt], stopping.signal)).has(requestId)
    },
    wakeReporter: reporter.wake,
  }
}

function makeIntake(
  base: AgentBase,
  neighbours: { readonly queues: Queues; readonly reporter: Reporter; readonly receipts: Receipts },
  refuseInvalid: RefuseInvalid,
): Intake {
  const { config, enrolled, directories, keys } = base
  const { queues, reporter, receipts } = neighbours
  return createIntake({
    ...base,
    log: base.log.child({ component: 'intake' }),
    addressee: {
      store: enrolled.store,
      tenant: enrolled.tenant,
      directories: new Set(Object.keys(config.directories)),
      // Asked anew each time: keys are rotated while requests come in.
      get sealingKeyIds() {
        return new Set(keys.sealingKeys.map(({ publicKey }) => publicKey.kid))
      },
    },
    serverOf: (name) => {
      const status = directories.get(name)?.directory.status()
      return status?.connected ? status.server : undefined
    },
    receipts,
    enqueue: queues.add,
    refuseInvalid,
    wakeReporter: reporter.wake,
    beat: () => base.pulse.beat('intake'),
  })
}
