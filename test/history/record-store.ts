// The observer of the reset store: what its database kept of requests, hand-outs, receipts and signed outcomes, and what
// its administrator is told. Nothing here asks an agent.
import { createHash, createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Verdict } from '../../src/protocol/sealer-calls.ts'
import type { DirectoryKind } from '../servers/directory-kinds.ts'
import type { World } from '../servers/writeback-world.ts'
import type { StoreEvent } from './event.ts'
import type { Recorder } from './record-run.ts'

type Row = Record<string, unknown>

/** What the harness knows of a request beside the store. */
export type LengthOf = (request: string) => number | undefined

/**
 * Records all that the store knows of these requests at the end of a run: first asks for the verdicts, then ends the
 * store, whose database belongs to it alone.
 */
export async function recordStore(
  world: World<DirectoryKind>,
  recorder: Recorder,
  requests: readonly string[],
  lengthOf: LengthOf,
): Promise<void> {
  const verdicts = new Map<string, StoreEvent>()
  for (const request of requests) verdicts.set(request, await readVerdict(world, recorder, request))
  await world.store.stop()
  const database = new DatabaseSync(path.join(world.directory, 'store', 'store.db'))
  try {
    const rows = (sql: string): Row[] => database.prepare(sql).all() as Row[]
    const keys = new Map(
      rows('SELECT id, identity_key FROM agents').map(({ id, identity_key: key }) => [
        String(id),
        createPublicKey({ key: JSON.parse(String(key)) as JsonWebKey, format: 'jwk' }),
      ]),
    )
    for (const row of rows('SELECT * FROM requests WHERE sealed_at IS NOT NULL'))
      recorder.add(requestedOf(row, recorder, lengthOf))
    for (const { request, agent, lease, at } of rows('SELECT * FROM leases'))
      recorder.add({
        ...atStore(recorder, at),
        kind: 'handed_out',
        request: String(request),
        agent: String(agent),
        lease: Number(lease),
      })
    for (const { request, agent, lease, server, at } of rows('SELECT * FROM receipts'))
      recorder.add({
        ...atStore(recorder, at),
        kind: 'receipt',
        request: String(request),
        agent: String(agent),
        lease: Number(lease),
        server: String(server),
        answer: 'accepted',
      })
    for (const row of rows('SELECT * FROM outcomes ORDER BY at'))
      recorder.add(reportedOf(row, recorder, keys.get(String(row['agent']))))
    for (const { id } of rows('SELECT id FROM requests WHERE sealed_at IS NOT NULL')) {
      const verdict = verdicts.get(String(id))
      if (verdict) recorder.add(verdict)
    }
  } finally {
    database.close()
  }
}

const atStore = (recorder: Recorder, at: unknown) => ({
  at: recorder.atWall(Number(at)),
  observer: 'store' as const,
})

function requestedOf(row: Row, recorder: Recorder, lengthOf: LengthOf): StoreEvent {
  const options = JSON.parse(String(row['options'])) as Record<string, unknown>
  const request = String(row['id'])
  const operation = row['operation'] as Extract<StoreEvent, { kind: 'requested' }>['operation']
  const passwordLength = lengthOf(request)
  return {
    ...atStore(recorder, row['sealed_at']),
    kind: 'requested',
    request,
    operation,
    directory: String(row['directory']),
    account: String(row['anchor']),
    sequence: Number(row['sequence'] ?? 0),
    issuedAt: recorder.atWall(Number(row['sealed_at'])),
    expiresAt: recorder.atWall(Number(row['expires_at'])),
    unlock: operation === 'reset' && options['unlock'] !== false,
    mustChange: options['mustChangeAtNextSignIn'] === true,
    ...(passwordLength === undefined ? {} : { passwordLength }),
  }
}

function reportedOf(
  row: Row,
  recorder: Recorder,
  key: ReturnType<typeof createPublicKey> | undefined,
): StoreEvent {
  const jws = String(row['jws'])
  const [header = '', payload = '', signature = ''] = jws.split('.')
  const told = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Row
  return {
    ...atStore(recorder, row['at']),
    kind: 'reported',
    request: String(row['request']),
    agent: String(row['agent']),
    lease: Number(told['lease']),
    outcome: String(told['outcome']),
    reason: told['reason'] === undefined ? null : String(told['reason']),
    notices: (told['notices'] ?? []) as string[],
    server: told['server'] === null ? null : String(told['server']),
    digest: createHash('sha256').update(jws).digest('hex'),
    isSigned:
      key !== undefined &&
      told['agent'] === row['agent'] &&
      verify(
        'sha256',
        Buffer.from(`${header}.${payload}`),
        { key, dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'),
      ),
    answer: String(row['result']),
  }
}

async function readVerdict(
  world: World<DirectoryKind>,
  recorder: Recorder,
  request: string,
): Promise<StoreEvent> {
  const { json } = await world.admin('verdict', undefined, { id: request }, '?wait=0')
  const { outcome, reason, stages } = json as Verdict
  const closed = stages.findLast(({ stage }) => stage === 'closed')
  return {
    at: recorder.now(),
    observer: 'store',
    kind: 'verdict',
    request,
    outcome,
    reason,
    closedAt: closed ? recorder.atWall(closed.at) : null,
  }
}
