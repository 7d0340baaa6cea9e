// Times and counts what the agent asks of domain controllers and of the reset store, without their rooms knowing of it.
import type { Clock } from '../clock/clock.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import type { DirectoryCall, Metrics } from '../telemetry/metrics.ts'
import type { WriteAnswer } from './decisions/write-answer.ts'
import type { Directory, WriterSession } from './directory/directory.ts'
import type { StoreClient } from './store-client/create-store-client.ts'

interface MeasureParts {
  readonly metrics: Pick<Metrics, 'directoryCalled' | 'storeCalled'>
  readonly clock: Clock
}

/** The same directory; its calls are measured. */
export function measureDirectory(directory: Directory, parts: MeasureParts): Directory {
  const measured = new WeakMap<WriterSession, WriterSession>()
  const measure = (session: WriterSession): WriterSession => {
    const known = measured.get(session) ?? measureSession(directory.name, session, parts)
    measured.set(session, known)
    return known
  }
  return {
    name: directory.name,
    writer: async () => measure(await directory.writer()),
    status: () => directory.status(),
    stop: () => directory.stop(),
  }
}

function measureSession(
  directory: string,
  session: WriterSession,
  { metrics, clock }: MeasureParts,
): WriterSession {
  const timed = async <T>(
    call: DirectoryCall['call'],
    ask: () => Promise<T>,
    failureOf: (answer: T) => string | undefined,
  ): Promise<T> => {
    const begun = clock.monotonicMs()
    const note = (failure: string | undefined) =>
      metrics.directoryCalled({
        ...{ directory, call, failure, server: session.url },
        seconds: (clock.monotonicMs() - begun) / 1000,
      })
    try {
      const answer = await ask()
      note(failureOf(answer))
      return answer
    } catch (error) {
      note(codeOf(error))
      throw error
    }
  }
  // What a session learns later, such as its rules, is still read from itself.
  return Object.create(session, {
    readAccount: property<WriterSession['readAccount']>((...asked) =>
      timed('read', () => session.readAccount(...asked), none),
    ),
    readPolicy: property<WriterSession['readPolicy']>((...asked) =>
      timed('policy', () => session.readPolicy(...asked), none),
    ),
    write: property<WriterSession['write']>((write) =>
      timed('write', () => session.write(write), failureOfWrite),
    ),
    fence: property<WriterSession['fence']>((fence) =>
      timed('fence', () => session.fence(fence), failureOfWrite),
    ),
  })
}

const property = <T>(value: T): PropertyDescriptor => ({ value, enumerable: true })
const none = (): undefined => undefined
const codeOf = (error: unknown): string => (error instanceof WritebackError ? error.code : 'ERR_INTERNAL')

const failureOfWrite = (answer: WriteAnswer): string | undefined => {
  if (answer.kind === 'accepted') return undefined
  return answer.kind === 'refused' ? answer.refusal.kind : answer.kind
}

/** The same client; its calls are measured. A claim that waited for requests says nothing about the store's speed. */
export function measureStoreClient(client: StoreClient, { metrics, clock }: MeasureParts): StoreClient {
  const measure =
    <A extends readonly unknown[], T>(call: string, ask: (...asked: A) => Promise<T>, isWaiting = false) =>
    async (...asked: A): Promise<T> => {
      const begun = clock.monotonicMs()
      const note = (failure?: string) =>
        metrics.storeCalled({ call, failure, seconds: (clock.monotonicMs() - begun) / 1000 })
      try {
        const answer = await ask(...asked)
        if (!isWaiting) note()
        return answer
      } catch (error) {
        note(codeOf(error))
        throw error
      }
    }
  return {
    claim: measure('claim', client.claim, true),
    receipts: measure('receipts', client.receipts),
    outcomes: measure('outcomes', client.outcomes),
    heartbeat: measure('heartbeat', client.heartbeat),
    publishSealingKeys: measure('sealing_keys', client.publishSealingKeys),
    publishPolicies: measure('policies', client.publishPolicies),
  }
}
