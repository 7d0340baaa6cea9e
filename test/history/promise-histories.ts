// Histories by hand about what the store must have said before anything is written: receipts, leases, pauses (I10).
import type { Pair } from './effect-histories.ts'
import type { HistoryEvent } from './event.ts'
import {
  DC2,
  goodReset,
  handedOut,
  idOf,
  markerOf,
  modify,
  move,
  process,
  receipt,
  reported,
  requested,
  setTo,
  tale,
  verdict,
} from './sample-history.ts'

const write = (number: number, before: string | null = null, n = 1, lease = 1) => [
  ...move(before, markerOf(number, 'a', n, lease)),
  setTo(number),
]
const fence = (n: number, lease = 1) => move(null, markerOf(1, 'f', n, lease))
const begun = () => [requested(1), handedOut(1), receipt(1)]
const told = (outcome: string) => [reported(1, outcome), verdict(1, outcome)]
const heard = (at: number, on: boolean): HistoryEvent => ({
  ...{ at, observer: 'store', kind: 'pause_heard', agent: 'a1', on },
})

const pausedHere = (at: number, on: boolean): HistoryEvent => ({
  ...{ at, observer: 'supervisor', kind: 'paused_here', agent: 'a1', on },
})
const drop = (at: number, result: string): HistoryEvent => ({
  ...{ at, observer: 'supervisor', kind: 'drop', agent: 'a1', request: idOf(1), result },
})
const dropped = [
  reported(1, 'failed', { reason: 'dropped_by_operator' }),
  verdict(1, 'failed', { reason: 'dropped_by_operator' }),
]

/** The pairs. */
export const PROMISE_PAIRS: readonly Pair[] = [
  [
    'a write leaves before its receipt is accepted',
    'I10',
    tale(goodReset()),
    tale(goodReset(), receipt(1, { at: 201 })).filter((event) => event.at !== 120),
  ],
  [
    'a write leaves on a receipt that the store refused',
    'I10',
    tale(goodReset()),
    tale(goodReset().map((event) => (event.at === 120 ? receipt(1, { answer: 'lease_lost' }) : event))),
  ],
  [
    'a write leaves for another server than its receipt names',
    'I10',
    tale(goodReset()),
    tale(goodReset().map((event) => (event.at === 120 ? receipt(1, { server: DC2 }) : event))),
  ],
  [
    'a write leaves on the receipt of an earlier lease',
    'I10',
    tale(
      begun(),
      handedOut(1, { at: 150, lease: 2 }),
      receipt(1, { at: 160, lease: 2 }),
      modify(1, write(1, null, 1, 2)),
      told('applied'),
    ),
    tale(begun(), handedOut(1, { at: 150, lease: 2 }), modify(1, write(1, null, 1, 2)), told('applied')),
  ],
  [
    'a fence is sent under a lease that its agent was never given',
    'I10',
    tale([requested(1), handedOut(1)], modify(1, fence(1)), told('expired')),
    tale([requested(1), handedOut(1)], modify(1, fence(1, 2)), told('expired')),
  ],
  [
    'a write leaves though its agent had heard of a pause',
    'I10',
    tale(goodReset(), heard(150, true), heard(190, false)),
    tale(goodReset(), heard(150, true), heard(210, false)),
  ],
  [
    'a write leaves under a pause that its process had heard',
    'I10',
    tale(
      process(140, 'started'),
      goodReset(),
      heard(150, true),
      process(170, 'killed'),
      process(180, 'started'),
    ),
    tale(process(140, 'started'), goodReset(), heard(150, true)),
  ],
  [
    'a write leaves though an operator had paused its agent, whatever process',
    'I10',
    tale(goodReset(), pausedHere(150, true), process(160, 'killed'), process(170, 'started'), [
      pausedHere(190, false),
    ]),
    tale(goodReset(), pausedHere(150, true), process(160, 'killed'), process(170, 'started'), [
      pausedHere(210, false),
    ]),
  ],
  [
    'a request is said to be dropped, and its agent had written',
    'I4',
    tale(begun(), drop(150, 'asked'), dropped, drop(310, 'dropped')),
    tale(goodReset(), drop(150, 'asked'), drop(310, 'dropped')),
  ],
  [
    'a request is dropped that nobody asked to drop',
    'I4',
    tale(begun(), drop(150, 'asked'), dropped, drop(310, 'dropped')),
    tale(begun(), dropped),
  ],
]
