// What an operator was told of a dropped request (I4): nothing of it was written, and nobody ends a request so unasked.
import type { History } from './index-history.ts'
import type { Judge } from './judge.ts'
import { isEffect, nameOf } from './modify.ts'

/** `dropped` says that the agent wrote nothing, before or after; `dropped_by_operator` is said by an agent that was asked for it. */
export function truthfulDrops({ supervisor, requests }: History, judge: Judge): void {
  const drops = supervisor.filter((event) => event.kind === 'drop')
  for (const { agent, request, at, result } of drops) {
    if (result !== 'dropped') continue
    judge.decide()
    const written = requests
      .get(request)
      ?.modifies.find((one) => one.effect === 'landed' && isEffect(one) && one.seen.agent === agent)
    if (written) judge.violate(Math.max(at, written.seen.at), `said to be dropped: ${nameOf(written)} landed`)
  }
  for (const { id, reported } of requests.values())
    for (const { agent, at, reason } of reported) {
      if (reason !== 'dropped_by_operator') continue
      judge.decide()
      const isAsked = drops.some((drop) => drop.request === id && drop.agent === agent && drop.at <= at)
      if (!isAsked) judge.violate(at, `agent ${agent} dropped request ${id} unasked`)
    }
}
