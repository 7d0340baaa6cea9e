// The observers of a run: each writes down what it sees itself, at the store's rules, at the doors of the directory, and of
// what the agents said where others could hear it.
import { createHash } from 'node:crypto'
import type { Change } from '../../src/ldap-wire/encode-request.ts'
import type {
  ClaimAnswer,
  OutcomesAnswer,
  ReceiptsAnswer,
  ReceiptsCall,
} from '../../src/protocol/agent-calls.ts'
import { parseMarker } from '../../src/protocol/marker.ts'
import type { Outcome } from '../../src/protocol/outcome.ts'
import type { LogFields, Logger } from '../../src/telemetry/logger.ts'
import type { HistoryEvent, SeenChange } from '../history/event.ts'
import { type DirectoryModel, MARKER_ATTRIBUTE } from './directory-model.ts'
import { OPENLDAP_MARKER } from './openldap-changes.ts'
import type { Secrets } from './secrets.ts'
import type { Door } from './simulated-directory.ts'
import type { StoreObserver } from './simulated-store.ts'

type WithoutAt<T> = T extends unknown ? Omit<T, 'at'> : never
/** An observation without its moment. */
export type Observation = WithoutAt<HistoryEvent>
/** Writes an observation down; without a moment: now. */
export type Record = (observation: Observation, at?: number) => void

/** A logger whose lines somebody reads. */
export function createLog(read: (line: string) => void, bound: LogFields = {}): Logger {
  const say =
    (level: string) =>
    (sentence: string, fields: LogFields = {}) =>
      read(JSON.stringify({ level, sentence, ...bound, ...fields }))
  return {
    ...{ debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
    child: (fields) => createLog(read, { ...bound, ...fields }),
  }
}

/** Sees what the store's rules decide. `nameOf`: the agent's name by its id. */
export function createStoreObserver(record: Record, nameOf: (id: string) => string): StoreObserver {
  const reported = (caller: string, jws: string, answer: string, isSigned: boolean) => {
    const outcome = payloadOf(jws)
    record({
      ...{ observer: 'store', kind: 'reported', request: outcome.request, agent: nameOf(caller) },
      ...{
        lease: outcome.lease,
        outcome: outcome.outcome,
        reason: 'reason' in outcome ? outcome.reason : null,
      },
      ...{ notices: outcome.notices, server: outcome.server, isSigned, answer },
      digest: createHash('sha256').update(jws).digest('hex'),
    })
  }
  return {
    answered: (name, caller, body, answer) => {
      const agent = nameOf(caller)
      if (name === 'claim')
        for (const { request, lease } of (answer as ClaimAnswer).requests)
          record({ observer: 'store', kind: 'handed_out', request, agent, lease })
      if (name === 'receipts')
        for (const [index, { request, lease, server }] of (body as ReceiptsCall).receipts.entries()) {
          const said = (answer as ReceiptsAnswer).results[index]?.result ?? ''
          record({ observer: 'store', kind: 'receipt', request, agent, lease, server, answer: said })
        }
      if (name === 'outcomes')
        for (const [index, jws] of (body as { outcomes: string[] }).outcomes.entries())
          reported(caller, jws, (answer as OutcomesAnswer).results[index]?.result ?? '', true)
    },
    refused: (name, caller, body, { code }) => {
      if (name !== 'outcomes' || body === undefined) return
      for (const jws of (body as { outcomes: string[] }).outcomes)
        reported(caller, jws, code, code !== 'outcome_invalid')
    },
  }
}

/** What a signed outcome says. */
export const payloadOf = (jws: string): Outcome =>
  JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'))

/** The doors of all servers: what passes is written down, then happens. */
export function createDoor(model: DirectoryModel, secrets: Secrets, record: Record): Door {
  let modifies = 0
  return {
    bound: (server, agent, who, accepted) =>
      record({
        ...{ observer: 'proxy', kind: 'bind', server: server.id, agent, who, accepted, isSecure: true },
      }),
    read: (server, agent, account) => {
      const cells = server.entries.get(account)?.cells
      const password = secrets.nameOf(cells?.password.value.text ?? '')
      const marker = cells?.marker.value ?? null
      record({ observer: 'proxy', kind: 'read', server: server.id, agent, account, password, marker })
    },
    modified: (server, { agent, sentAt, guid, changes, controls }) => {
      modifies += 1
      const seen = { observer: 'proxy', server: server.id } as const
      const id = modifies
      record({
        ...{ ...seen, kind: 'modify', id, agent, sentAt, account: guid, isSecure: true },
        changes: changes.map((change) => seenOf(change, secrets, requestOf(changes))),
        controls: controls.map(({ oid, critical }) => ({ oid, critical })),
      })
      const result = model.modify(server, { guid, changes, controls })
      const hex = /^([0-9A-F]{8}):/.exec(result.diagnostic)?.[1]
      record({ ...seen, kind: 'answered', id, code: result.code, ...(hex === undefined ? {} : { hex }) })
      return result
    },
  }
}

const MARKER_ATTRIBUTES = new Set([MARKER_ATTRIBUTE, OPENLDAP_MARKER])

/** The request that the marker of a modify names. */
function requestOf(changes: readonly Change[]): string {
  const added = changes.find(
    ({ operation, attribute }) => operation === 'add' && MARKER_ATTRIBUTES.has(attribute),
  )
  return parseMarker(Buffer.from(added?.values[0] ?? []).toString('utf8'))?.requestId ?? ''
}

function seenOf({ operation, attribute, values }: Change, secrets: Secrets, request: string): SeenChange {
  const texts = values.map((value) => {
    const isQuoted = attribute === 'unicodePwd'
    const text = Buffer.from(value).toString(isQuoted ? 'utf16le' : 'utf8')
    if (!isQuoted && attribute !== 'userPassword') return text
    const password = isQuoted ? text.slice(1, -1) : text
    return operation === 'delete' && secrets.isOld(request, password)
      ? `old:${request}`
      : secrets.nameOf(password)
  })
  return { operation, attribute, values: texts }
}
