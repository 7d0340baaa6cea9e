// What the agents remember of a request, held against what the store told and what the directory holds.
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { WorldAgent } from '../servers/world-agents.ts'
import type { Judgement } from './judge-cell.ts'

/** Looks into the journals of agents that have ended; gives what does not agree, one sentence each. */
export function checkJournals(
  agents: readonly WorldAgent[],
  judgements: readonly Judgement[],
): readonly string[] {
  const journals = agents.map(
    ({ stateDirectory }) => new DatabaseSync(path.join(stateDirectory, 'journal.sqlite'), { readOnly: true }),
  )
  const faults = judgements.flatMap((judgement) => {
    const found = journals.map((journal) => readOne(journal, judgement.request))
    return findDisagreement(judgement, found).map((fault) => `${judgement.request}: ${fault}`)
  })
  for (const journal of journals) journal.close()
  return faults
}

interface Remembered {
  readonly state: string | undefined
  readonly outcome: string | undefined
  readonly markers: readonly string[]
  readonly accepted: number
}

function readOne(journal: DatabaseSync, request: string): Remembered {
  const row = journal.prepare('SELECT state, outcome FROM requests WHERE request_id = ?').get(request)
  const writes = journal
    .prepare(`SELECT marker_after, answer FROM intents WHERE request_id = ? AND kind = 'write'`)
    .all(request)
  return {
    state: row && String(row['state']),
    outcome: row?.['outcome'] == null ? undefined : String(row['outcome']),
    markers: writes.map((write) => String(write['marker_after'])),
    accepted: writes.filter((write) => write['answer'] === 'accepted').length,
  }
}

function findDisagreement({ outcome, marker }: Judgement, found: readonly Remembered[]): readonly string[] {
  const outcomes = found.flatMap((one) => one.outcome ?? [])
  const isMarkerKnown = found.some(({ markers }) => markers.includes(marker ?? ''))
  const accepted = found.reduce((sum, one) => sum + one.accepted, 0)
  return [
    ...(outcomes.includes(outcome ?? '') ? [] : [`no journal holds the outcome ${outcome}`]),
    ...outcomes.filter((one) => one !== outcome).map((one) => `a journal says ${one}, the store ${outcome}`),
    ...found.flatMap(({ state }) => (state === 'open' || state === 'closed' ? [`it is still ${state}`] : [])),
    ...(outcome !== 'applied' || isMarkerKnown ? [] : ['the write on the account has no intent']),
    ...(accepted <= 1 ? [] : [`${accepted} writes are journaled as accepted`]),
  ]
}
