// The agents' audit records, read when the agent has ended, and held against themselves without the product's own code.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { JournaledAgent } from './record-journal.ts'
import type { Recorder } from './record-run.ts'

/** Records every line of one agent's audit record, and whether the whole is a chain. */
export function recordAudit({ id, stateDirectory }: JournaledAgent, recorder: Recorder): void {
  const directory = path.join(stateDirectory, 'audit')
  if (!existsSync(directory)) return
  const lines = readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .flatMap((name) => readFileSync(path.join(directory, name), 'utf8').split(/(?<=\n)/))
  const faults: string[] = []
  let before = { sequence: 0, hash: '0'.repeat(64) }
  let isClosed = false
  for (const line of lines) {
    const fault = findFault(line, before)
    if (fault) faults.push(fault)
    const record = readRecord(line)
    before = { sequence: Number(record['sequence']), hash: String(record['hash']) }
    isClosed = record['reason'] === 'stop'
    tell(id, record, recorder)
  }
  const records = lines.length
  recorder.add({ at: recorder.now(), observer: 'audit', agent: id, kind: 'chain', records, faults, isClosed })
}

function findFault(line: string, before: { sequence: number; hash: string }): string | undefined {
  const [, text = '', hash] = /^(.*),"hash":"([0-9a-f]{64})"\}\n$/.exec(line) ?? []
  const { sequence, previous } = readRecord(line)
  if (createHash('sha256').update(text).digest('hex') !== hash)
    return `line ${before.sequence + 1} is not its own`
  if (sequence !== before.sequence + 1) return `record ${sequence} follows record ${before.sequence}`
  return previous === before.hash ? undefined : `record ${sequence} names another line before it`
}

function readRecord(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line)
  } catch {
    return {}
  }
}

function tell(agent: string, record: Record<string, unknown>, recorder: Recorder): void {
  const { kind, request, attempt, marker, answer, time } = record
  if (kind !== 'intent' && kind !== 'result' && kind !== 'outcome') return
  recorder.add({
    ...{ at: recorder.atWall(Date.parse(String(time))), observer: 'audit', agent, kind: 'told' },
    ...{ request: String(request), what: kind, n: Number(attempt ?? 0) },
    ...{ marker: marker == null ? null : String(marker), answer: answer == null ? null : String(answer) },
  })
}
