// The smallest check of a history: no loss, one effect, true outcomes.
import type { HistoryEvent, Verdict, Violation } from '../history/event.ts'

/** Checks I1 to I4 roughly. */
export function checkHistory(events: readonly HistoryEvent[]): Verdict {
  const violations: Violation[] = []
  const decided: Record<string, number> = {}
  const effects = new Map<string, number[]>()
  const sent = new Map<number, { request: string; at: number }>()
  const verdicts = new Map<string, string | null>()
  const asked = new Map<string, string>()
  for (const event of events) {
    if (event.observer === 'store' && event.kind === 'requested') asked.set(event.request, event.operation)
    if (event.observer === 'store' && event.kind === 'verdict') verdicts.set(event.request, event.outcome)
    if (event.observer === 'proxy' && event.kind === 'modify') {
      const marker = event.changes.find((c) => c.attribute === 'adminDisplayName' && c.operation === 'add')?.values[0] ?? ''
      const parts = marker.split(':')
      if (parts[4] === 'a') sent.set(event.id, { request: parts[3] ?? '', at: event.at })
    }
    if (event.observer === 'proxy' && event.kind === 'answered' && event.code === 0) {
      const one = sent.get(event.id)
      if (one) effects.set(one.request, [...(effects.get(one.request) ?? []), one.at])
    }
  }
  const say = (invariant: string, what: string) => violations.push({ invariant, at: 0, what })
  for (const [id, operation] of asked) {
    const verdict = verdicts.get(id) ?? null
    const count = effects.get(id.replaceAll('-', ''))?.length ?? 0
    decided['I1'] = (decided['I1'] ?? 0) + 1
    if (verdict === null) say('I1', `${id} ${operation} has no verdict`)
    if (operation === 'inspect') continue
    if (count > 1) say('I2', `${id} ${operation} had ${count} effects`)
    if (verdict === 'applied' && count === 0) say('I3', `${id} ${operation} applied without effect`)
    if (verdict && !['applied', 'unknown'].includes(verdict) && count > 0) say('I4', `${id} ${operation} ${verdict} with an effect`)
  }
  return { violations, decided }
}
