// Histories by hand about effects, order and promises: for each invariant one that keeps it and one that breaks it alone.
import type { HistoryEvent } from './event.ts'
import {
  ANNA,
  account,
  changeOf,
  DC1,
  DC2,
  ended,
  faultsOver,
  foreign,
  goodReset,
  handedOut,
  idOf,
  intent,
  markerOf,
  modify,
  move,
  outcome,
  process,
  read,
  receipt,
  reported,
  requested,
  run,
  sample,
  setTo,
  tale,
  UNLOCK,
  verdict,
} from './sample-history.ts'

/** A pair of histories: what is told of, the invariant, one that keeps it, one that breaks it and no other. */
export type Pair = readonly [what: string, invariant: string, good: HistoryEvent[], bad: HistoryEvent[]]

const write = (number: number, before: string | null = null, n = 1, lease = 1) => [
  ...move(before, markerOf(number, 'a', n, lease)),
  setTo(number),
]
const fence = (number: number, before: string | null, n: number, lease = 1) =>
  move(before, markerOf(number, 'f', n, lease))
const told = (number: number, outcome: string, at = 300) => [
  reported(number, outcome, { at }),
  verdict(number, outcome),
]
const begun = (number: number, at = 100, fields: Parameters<typeof requested>[1] = {}) => [
  requested(number, { at, ...fields }),
  handedOut(number, { at: at + 10 }),
  receipt(number, { at: at + 20 }),
]
const away = (from: number, to: number, server = DC1): HistoryEvent[] =>
  [from, to].map((at, index) => ({
    at,
    observer: 'supervisor',
    kind: 'server',
    server,
    isReachable: index === 1,
  }))
const clockOf = (at: number, aheadMs: number, of = DC1): HistoryEvent => ({
  ...{ at, observer: 'supervisor', kind: 'clock', of, aheadMs },
})
const overAfterClock = (...clocks: readonly HistoryEvent[]): HistoryEvent[] =>
  tale(clocks, goodReset(1, modify(1, write(1), { at: 9_300 })).slice(0, -2), read(9_000), [
    ...told(1, 'applied', 9_400),
    foreign(8_000, 'password'),
  ])
const forgot = (since: number): HistoryEvent => ({
  ...{ at: 250, observer: 'supervisor', kind: 'fault', name: 'store_forgot', phase: 'once' },
  ...{ target: idOf(1), since },
})
/** A reset that was applied at DC1, and again after the store was restored and knew no more of it. */
const writtenTwice = (server: string, before: string | null): HistoryEvent[] =>
  tale(begun(1), modify(1, write(1)), reported(1, 'applied', { at: 210 }), forgot(50), [
    handedOut(1, { at: 260, agent: 'a2', lease: 2 }),
    receipt(1, { at: 270, agent: 'a2', lease: 2, server }),
    ...modify(2, write(1, before, 1, 2), { at: 280, agent: 'a2', server }),
    reported(1, 'applied', { at: 290, agent: 'a2', lease: 2, server, digest: 'another' }),
    verdict(1, 'applied'),
  ])
/** After that reset, the account's next one at DC2; the store was restored from a copy made at `since`. */
const writtenNext = (since: number): HistoryEvent[] =>
  tale(begun(1), modify(1, write(1)), told(1, 'applied', 210), forgot(since), [
    ...[requested(2, { at: 255 }), handedOut(2, { at: 260 }), receipt(2, { at: 270, server: DC2 })],
    ...modify(2, write(2), { at: 280, server: DC2 }),
    ...told(2, 'applied'),
  ])
/** A write that lands late, after the account's next one; the store was restored from an older copy in between. */
const landedLate = (server: string, before: string | null): HistoryEvent[] =>
  tale(
    [...begun(1), forgot(50)],
    [requested(2, { at: 255 }), handedOut(2, { at: 260 }), receipt(2, { at: 270, server })],
    [...modify(2, write(2), { at: 280, server }), ...told(2, 'applied', 300)],
    modify(1, write(1, before), { at: 400, sentAt: 200 }),
    told(1, 'applied', 410),
  )
/** A request whose answer was lost, and that nobody settled. */
const unknownWhile = (trouble: readonly HistoryEvent[]): HistoryEvent[] =>
  tale(begun(1), modify(1, write(1), { code: null }), trouble, [
    reported(1, 'unknown', { at: 361_000 }),
    verdict(1, 'unknown', { at: 370_000 }),
  ])
/** The role of the writer goes away from the server, and comes back. */
const moved = (from: number, to?: number): HistoryEvent[] =>
  [from, to].flatMap((at, index) =>
    at === undefined
      ? []
      : {
          ...{ at, observer: 'supervisor', kind: 'fault', name: 'writer_moved', target: DC1 },
          phase: index === 0 ? 'begin' : 'end',
        },
  )
const second = markerOf(1, 'a', 2)
/** A request that is written after a read that found this password; somebody else's was set at the other server before. */
const overStanding = (password: string): HistoryEvent[] =>
  tale(
    begun(1),
    foreign(8_000, 'password', { server: DC2, secret: 'foreign:1' }),
    [read(9_000, { password }), ...modify(1, write(1), { at: 9_300 })],
    told(1, 'applied', 9_400),
  )

/** As overStanding, while the clock of the server where somebody else set it stands so far ahead. */
const overDatedElsewhere = (aheadMs: number): HistoryEvent[] => [
  clockOf(0, aheadMs, DC2),
  ...overStanding('foreign:1'),
]
/** A change with a wrong current password, after which the account is locked with so many wrong ones counted. */
const lockedAfterChange = (counted: number, ...before: readonly HistoryEvent[]): HistoryEvent[] =>
  tale(
    before,
    begun(1, 100, { operation: 'change' }),
    modify(1, [...move(null, markerOf(1)), ...changeOf(1)], { code: 19, hex: '00000056' }),
    told(1, 'refused'),
    [sample(150, 4), sample(210, counted, true)],
  )

const ANOTHERS = markerOf(9).replace('5a5a0001', '0f0f0f0f')
/** Of a request that nothing is known to be sent of, an agent says `unknown` when it read this marker, under this lease. */
const unknownBeside = (marker: string, lease: number): HistoryEvent[] =>
  tale(goodReset(), begun(2, 400), [
    ...[handedOut(2, { at: 430, lease }), receipt(2, { at: 440, lease }), read(450, { marker })],
    ...[reported(2, 'unknown', { at: 460, lease }), verdict(2, 'unknown')],
  ])
/** The same after a write of its own whose answer was lost, and that found this marker. */
const unknownAfter = (markerBefore: string): HistoryEvent[] => [
  ...unknownBeside(ANOTHERS, 1),
  ...[intent(1, markerOf(1)), outcome(1, 'applied'), outcome(2, 'unknown', 455)],
  intent(2, markerOf(2), { at: 425, markerBefore, answer: 'lost' }),
]

const THEN = 1_790_000_000_000
/** A request goes over somebody else's password, and the marker it found carries the time THEN + 5 s in seconds, or a count. */
const overTimed = (changedAt: number, version = THEN / 1_000 + 5): HistoryEvent[] => {
  const before = markerOf(9).replace(/3$/, String(version))
  return tale(
    [requested(1, { at: THEN }), handedOut(1, { at: THEN + 10 }), receipt(1, { at: THEN + 20 })],
    foreign(THEN + changedAt, 'password', { server: DC1, secret: 'foreign:1' }),
    read(THEN + 9_000, { password: 'foreign:1', marker: before }),
    modify(1, write(1, before), { at: THEN + 9_300 }),
    [reported(1, 'applied', { at: THEN + 9_400 }), verdict(1, 'applied', { at: THEN + 9_500 })],
  )
}

/** The pairs. */
export const EFFECT_PAIRS: readonly Pair[] = [
  [
    'a request that was handed out has no outcome in the end',
    'I1',
    tale(goodReset(), faultsOver()),
    tale(begun(1), verdict(1, null), faultsOver()),
  ],
  ['a verdict that no agent reported', 'I1', tale(goodReset()), tale(begun(1), verdict(1, 'failed'))],
  [
    'a write that landed twice',
    'I2',
    tale(goodReset(1, [...modify(1, write(1)), ...modify(2, write(1), { at: 220, code: 20 })])),
    tale(goodReset(1, [...modify(1, write(1)), ...modify(2, write(1, markerOf(1), 2), { at: 220 })])),
  ],
  [
    'a write landed again after its answer was lost, seen by the marker it left',
    'I2',
    tale(goodReset(1, modify(1, write(1), { code: null })), ended(`new:${idOf(1)}`, markerOf(1))),
    tale(
      goodReset(1, [
        ...modify(1, write(1), { code: null }),
        ...modify(2, write(1, markerOf(1), 2), { at: 220 }),
      ]),
      ended(`new:${idOf(1)}`, second),
    ),
  ],
  [
    'applied is said of a write that was refused',
    'I3',
    tale(goodReset()),
    tale(goodReset(1, modify(1, write(1), { code: 19 }))),
  ],
  [
    'applied is said before the write lands',
    'I3',
    tale(goodReset()),
    tale(goodReset(1, modify(1, write(1), { sentAt: 200, at: 400 }))),
  ],
  [
    'another password binds at the end than the one that was written last',
    'I3',
    tale(goodReset(), ended(`new:${idOf(1)}`, markerOf(1))),
    tale(goodReset(), ended(`first:${ANNA}`, markerOf(1))),
  ],
  [
    'somebody else’s password binds at the end, and nobody set it',
    'I3',
    tale(goodReset(), foreign(500, 'password', { secret: 'foreign:1' }), ended('foreign:1', markerOf(1))),
    tale(goodReset(), ended('foreign:1', markerOf(1))),
  ],
  [
    'a marker stands at the end that nobody was seen to write',
    'I3',
    tale(goodReset(), ended(`new:${idOf(1)}`, markerOf(1))),
    tale(goodReset(), ended(`new:${idOf(1)}`, second)),
  ],
  [
    'expired is said, and a late write lands afterwards',
    'I4',
    tale(begun(1), modify(1, fence(1, null, 2), { at: 250 }), told(1, 'expired'), [
      ...modify(2, write(1), { sentAt: 200, at: 5_000, code: 16 }),
    ]),
    tale(begun(1), told(1, 'expired'), modify(2, write(1), { sentAt: 200, at: 5_000 })),
  ],
  [
    'refused is said of a write that landed before',
    'I4',
    tale(begun(1), modify(1, write(1), { code: 19 }), told(1, 'refused')),
    tale(begun(1), modify(1, write(1)), told(1, 'refused')),
  ],
  [
    'unknown is said at once, while the server was there',
    'I5',
    tale(begun(1), modify(1, write(1), { code: null }), away(210, 400_000), [
      reported(1, 'unknown', { at: 361_000 }),
      verdict(1, 'unknown', { at: 370_000 }),
    ]),
    tale(begun(1), modify(1, write(1), { code: null }), told(1, 'unknown')),
  ],
  [
    'unknown is said though the server was back long before expiry',
    'I5',
    tale(begun(1), modify(1, write(1), { code: null }), away(210, 400_000), [
      reported(1, 'unknown', { at: 361_000 }),
      verdict(1, 'unknown', { at: 370_000 }),
    ]),
    tale(begun(1), modify(1, write(1), { code: null }), away(210, 5_000), [
      reported(1, 'unknown', { at: 361_000 }),
      verdict(1, 'unknown', { at: 370_000 }),
    ]),
  ],
  [
    'unknown is said at once of an account that was only renamed or locked meanwhile',
    'I5',
    tale(begun(1), modify(1, write(1), { code: null }), foreign(250, 'marker'), told(1, 'unknown')),
    tale(begun(1), modify(1, write(1), { code: null }), [
      ...[foreign(250, 'renamed'), foreign(260, 'locked')],
      ...told(1, 'unknown'),
    ]),
  ],
  [
    'unknown is said though only a server was away that nothing was sent to',
    'I5',
    unknownWhile(away(210, 400_000)),
    unknownWhile(away(210, 400_000, DC2)),
  ],
  [
    'unknown is said though only an agent was away that never held the request',
    'I5',
    unknownWhile([process(350, 'stopped')]),
    unknownWhile([process(350, 'stopped', { agent: 'a2' })]),
  ],
  [
    'unknown is said though the writer had its role again',
    'I5',
    unknownWhile(moved(300)),
    unknownWhile(moved(300, 5_000)),
  ],
  [
    'unknown is said at once of an account that a fence could have settled',
    'I5',
    tale(account(ANNA, { mayBeWritten: false }), begun(1), told(1, 'unknown')),
    tale(begun(1), told(1, 'unknown')),
  ],
  [
    'unknown is said though the marker that was read can be moved',
    'I5',
    tale(begun(1), read(250, { marker: 'a note of the help desk' }), told(1, 'unknown')),
    tale(begun(1), read(250, { marker: markerOf(2) }), told(1, 'unknown')),
  ],
  [
    'unknown is said beside another store’s marker, and nobody else had a receipt before',
    'I5',
    unknownBeside(ANOTHERS, 2),
    unknownBeside(ANOTHERS, 1),
  ],
  [
    'unknown is said beside a marker of the own store',
    'I5',
    unknownBeside(ANOTHERS, 2),
    unknownBeside(markerOf(1), 2),
  ],
  [
    'unknown is said beside another store’s marker that stood there before the lost write',
    'I5',
    unknownAfter(markerOf(1)),
    unknownAfter(ANOTHERS),
  ],
  [
    'unknown is said at once of an account that is there',
    'I5',
    tale(foreign(50, 'deleted'), begun(1), told(1, 'unknown')),
    tale(foreign(50, 'renamed'), begun(1), told(1, 'unknown')),
  ],
  [
    'unknown is said of a request that nobody can have written',
    'I5',
    tale(begun(1), modify(1, write(1), { code: null }), foreign(250, 'deleted'), told(1, 'unknown')),
    tale([requested(1), handedOut(1)], foreign(250, 'deleted'), told(1, 'unknown')),
  ],
  [
    'an older request is written over a newer one',
    'I6',
    tale(goodReset(), begun(2, 400), modify(2, write(2, markerOf(1)), { at: 500 }), told(2, 'applied', 600)),
    tale(
      begun(2),
      modify(2, write(2), { at: 150 }),
      told(2, 'applied'),
      goodReset(1, modify(1, write(1, markerOf(2)))),
    ),
  ],
  [
    'an older request lands after a newer one on the same server, whatever a restored store had lost',
    'I6',
    landedLate(DC2, null),
    landedLate(DC1, markerOf(2)),
  ],
  [
    'a password goes over somebody else’s newer one that the agent had read',
    'I7',
    tale(goodReset(1, modify(1, write(1), { at: 9_300 })).slice(0, -2), read(9_000), [
      ...told(1, 'applied', 9_400),
      foreign(9_200, 'password'),
    ]),
    tale(goodReset(1, modify(1, write(1), { at: 9_300 })).slice(0, -2), read(9_000), [
      ...told(1, 'applied', 9_400),
      foreign(8_000, 'password'),
    ]),
  ],
  [
    'a password goes over somebody else’s newer one, and the clock that dated it was not set meanwhile',
    'I7',
    overAfterClock(clockOf(0, 0), clockOf(5_000, -110_000)),
    overAfterClock(clockOf(0, -110_000)),
  ],
  [
    'a password goes over somebody else’s newer one that had come from another server',
    'I7',
    overStanding(`new:${idOf(3)}`),
    overStanding('foreign:1'),
  ],
  [
    'a password goes over somebody else’s newer one that another server dated well',
    'I7',
    overDatedElsewhere(-5_000),
    overDatedElsewhere(-1_000),
  ],
  [
    'a write leaves long after its agent looked at the account',
    'I7',
    tale(
      process(1_000, 'stopped'),
      process(40_000, 'continued'),
      goodReset(1, modify(1, write(1), { at: 41_000 })).slice(0, -2),
      told(1, 'applied', 42_000),
      foreign(40_500, 'password'),
    ),
    tale(goodReset(1, modify(1, write(1), { at: 41_000 })).slice(0, -2), told(1, 'applied', 42_000), [
      foreign(40_500, 'password'),
    ]),
  ],
  [
    'a write leaves after expiry',
    'I8',
    tale(goodReset(1, modify(1, write(1), { sentAt: 200, at: 250 }))),
    tale(read(300_000), goodReset(1, modify(1, write(1), { at: 300_101 })).slice(0, -2), [
      ...told(1, 'applied', 300_200),
    ]),
  ],
  [
    'one request ends in two ways',
    'I9',
    tale(goodReset(), reported(1, 'applied', { at: 350 })),
    tale(
      begun(1),
      reported(1, 'failed', { agent: 'a2', at: 250 }),
      told(1, 'superseded').slice(0, 1),
      verdict(1, 'superseded'),
    ),
  ],
  [
    'the verdict is another than the accepted end',
    'I9',
    tale(begun(1), handedOut(1, { at: 115, lease: 2 }), told(1, 'superseded')),
    tale(begun(1), handedOut(1, { at: 115, lease: 2 }), reported(1, 'superseded'), [
      reported(1, 'failed', { agent: 'a2', answer: 'outcome_closed', at: 310 }),
      verdict(1, 'failed'),
    ]),
  ],
  [
    'over somebody else’s password more than two seconds from the time in the marker',
    'I7',
    overTimed(7_900),
    overTimed(8_100),
  ],
  [
    'over somebody else’s password beside a marker that carries a count',
    'I7',
    overTimed(7_900),
    overTimed(7_900, 5),
  ],
  [
    'two writes succeed from one marker',
    'I10',
    tale(goodReset(), begun(2, 400), modify(2, write(2, markerOf(1)), { at: 500 }), told(2, 'applied', 600)),
    tale(goodReset(), begun(2, 400), modify(2, write(2), { at: 500 }), told(2, 'applied', 600)),
  ],
  [
    'a write lands after the fence that excludes it',
    'I10',
    tale(goodReset(1, [...modify(1, fence(1, null, 1)), ...modify(2, write(1, markerOf(1, 'f'), 2))])),
    tale(goodReset(1, [...modify(1, fence(1, null, 2)), ...modify(2, write(1, markerOf(1, 'f', 2), 1))])),
  ],
  [
    'attempts of the agent bring an account to its lockout',
    'I11',
    tale(
      begun(1, 100, { operation: 'change' }),
      modify(1, [...move(null, markerOf(1)), ...changeOf(1)], { code: 19, hex: '00000056' }),
      told(1, 'refused'),
      [sample(150, 2), sample(210, 3), foreign(220, 'bad_password'), foreign(230, 'bad_password')],
      sample(240, 5, true),
    ),
    lockedAfterChange(5),
  ],
  [
    'a lockout was counted up to, and is no administrator’s that came late',
    'I11',
    lockedAfterChange(1, foreign(50, 'locked')),
    lockedAfterChange(5, foreign(50, 'locked')),
  ],
  [
    'a lockout beside a low count that no administrator made',
    'I11',
    lockedAfterChange(0, foreign(50, 'locked')),
    lockedAfterChange(0),
  ],
  [
    'the agent tries a user’s password by a bind',
    'I11',
    tale(
      begun(1, 100, { operation: 'change' }),
      modify(1, [...move(null, markerOf(1)), ...changeOf(1)], { code: 19, hex: '00000056' }),
      told(1, 'refused'),
    ),
    tale(goodReset(), {
      at: 210,
      observer: 'proxy',
      kind: 'bind',
      server: DC1,
      agent: 'a1',
      who: 'user',
      accepted: true,
      isSecure: true,
    }),
  ],
  [
    'a delivery is not signed',
    'I19',
    tale(goodReset()),
    tale(goodReset().slice(0, -2), [reported(1, 'applied', { isSigned: false }), verdict(1, 'applied')]),
  ],
  [
    'an agent delivers other bytes the second time',
    'I19',
    tale(goodReset(), reported(1, 'applied', { at: 350 })),
    tale(goodReset(), reported(1, 'applied', { at: 350, digest: 'another' })),
  ],
  [
    'a request ends long after the faults',
    'I20',
    tale(goodReset(), faultsOver()),
    tale(
      goodReset().slice(0, -2),
      [reported(1, 'applied', { at: 50_000 }), verdict(1, 'applied')],
      faultsOver(),
    ),
  ],
  [
    'a second effect that one server alone could have prevented, whatever a restored store had lost',
    'I2',
    writtenTwice(DC2, null),
    writtenTwice(DC1, markerOf(1)),
  ],
  [
    'a write on another server, before one that a restored store still knew of was visible there',
    'I25',
    writtenNext(50),
    writtenNext(240),
  ],
  [
    'a write on another server while the first one’s marker is not there',
    'I25',
    tale(
      [...begun(1), receipt(1, { at: 250, server: DC2 })],
      modify(1, fence(1, null, 2), { at: 210 }),
      modify(2, write(1, markerOf(1, 'f', 2), 3), { at: 300, server: DC2 }),
      told(1, 'applied', 400),
    ),
    tale(
      [...begun(1), receipt(1, { at: 250, server: DC2 })],
      modify(1, fence(1, null, 2), { at: 210 }),
      modify(2, write(1, null, 3), { at: 300, server: DC2 }),
      told(1, 'applied', 400),
    ),
  ],
  [
    'an attempt on another server while one without an answer is in doubt',
    'I25',
    tale([
      intent(1, markerOf(1), { answer: null }),
      intent(1, markerOf(1, 'f', 2), { at: 160, n: 2, effect: 'fence' }),
      intent(1, markerOf(1, 'a', 3), { at: 170, n: 3, server: DC2, answer: 'not_sent' }),
      run({ withoutMarker: true }),
      ...modify(1, fence(1, null, 2), { at: 165 }),
      ...[requested(1), handedOut(1)],
      verdict(1, 'expired'),
    ]),
    tale([
      intent(1, markerOf(1), { answer: null }),
      intent(1, markerOf(1, 'a', 3), { at: 170, n: 3, server: DC2, answer: 'not_sent' }),
    ]),
  ],
  [
    'an unlock is said to be applied, and the lockout was never cleared',
    'I3',
    tale(
      begun(1, 100, { operation: 'unlock' }),
      modify(1, [...move(null, markerOf(1)), UNLOCK]),
      told(1, 'applied'),
    ),
    tale(
      begun(1, 100, { operation: 'unlock' }),
      modify(1, [...move(null, markerOf(1)), UNLOCK], { code: 50 }),
      told(1, 'applied'),
    ),
  ],
]
