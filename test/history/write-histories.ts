// Histories by hand about single modifies, records, processes and clocks: for each invariant one that keeps it and one
// that breaks it alone.
import type { Pair } from './effect-histories.ts'
import type { HistoryEvent, SeenChange, SupervisorEvent } from './event.ts'
import {
  ANNA,
  account,
  BERT,
  chain,
  changeOf,
  DC1,
  DC2,
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
  reported,
  requested,
  run,
  setTo,
  tale,
  told,
  UNLOCK,
  verdict,
} from './sample-history.ts'

const MARKED = move(null, markerOf(1))
const WRITE = [...MARKED, setTo(1)]
const HINTS = { oid: '1.2.840.113556.1.4.2239', critical: true }
const bind = (at: number, accepted: boolean, isSecure = true): HistoryEvent => ({
  at,
  observer: 'proxy',
  kind: 'bind',
  server: DC1,
  agent: 'a1',
  who: 'service',
  accepted,
  isSecure,
})
const otherOperation = (operation: string): HistoryEvent => ({
  ...{ at: 50, observer: 'proxy', kind: 'other_operation', server: DC1, agent: 'a1', operation },
})
const supervisor = (at: number, fields: object): HistoryEvent =>
  ({ at, observer: 'supervisor', ...fields }) as SupervisorEvent
const held = (at: number, when: 'before' | 'after', files: number) =>
  supervisor(at, { kind: 'held', agent: 'a1', when, files, queueKeys: 3, heapBytes: 1 })
/** A reset on the first server, after its agent signed in there, and this server's clock was set an hour ahead. */
const writtenBeside = (server: string, boundAt = 5, setAt = 1, at = 31_000): HistoryEvent[] =>
  tale(
    supervisor(setAt, { kind: 'clock', of: server, aheadMs: 3_600_000 }),
    [bind(boundAt, true), read(at - 500)],
    goodReset(1, modify(1, WRITE, { at })).slice(0, -2),
    reported(1, 'applied', { at: at + 1_000 }),
    verdict(1, 'applied'),
  )
const audited = (...fields: Parameters<typeof intent>[2][]): HistoryEvent[] => [
  ...fields.map((one) => intent(1, markerOf(1), one)),
  outcome(1, 'applied'),
]
const TOLD = [told(1, 'intent'), told(1, 'result'), told(1, 'outcome')]
const asked = (fields: Parameters<typeof requested>[1], changes: readonly HistoryEvent[]) => [
  requested(1, fields),
  ...goodReset(1, [...changes]).slice(1),
]
const mustChange = (value: string): SeenChange => ({
  operation: 'replace',
  attribute: 'pwdLastSet',
  values: [value],
})
/** A request that was written, of which nobody ever says how it ended. */
const leftOpen = [...goodReset().slice(0, -2), intent(1, markerOf(1)), verdict(1, null)]

/** The pairs. */
export const WRITE_PAIRS: readonly Pair[] = [
  [
    'an account that must not be written',
    'I12',
    tale(account(ANNA, { mayBeWritten: false }), [
      requested(1),
      handedOut(1),
      reported(1, 'refused'),
      verdict(1, 'refused'),
    ]),
    tale(
      account(ANNA, { mayBeWritten: false }),
      goodReset(1, modify(1, WRITE, { code: 50 }))
        .slice(0, 5)
        .concat(reported(1, 'refused'), verdict(1, 'refused')),
    ),
  ],
  [
    'an entry that is no account of the directory',
    'I12',
    tale(
      account(ANNA, { mayBeWritten: false }),
      requested(1),
      handedOut(1),
      reported(1, 'refused'),
      verdict(1, 'refused'),
    ),
    tale(goodReset(1, modify(1, WRITE, { account: '?' }))),
  ],
  [
    'an account that was seen to be excluded',
    'I12',
    tale(goodReset(), foreign(190, 'excluded')),
    tale(goodReset(), foreign(170, 'excluded')),
  ],
  [
    'a marker without compare-and-set',
    'I13',
    tale(goodReset()),
    tale(goodReset(1, modify(1, [{ ...MARKED[0], operation: 'replace' } as (typeof MARKED)[0], setTo(1)]))),
  ],
  ['no marker at all', 'I13', tale(goodReset()), tale(goodReset(1, modify(1, [setTo(1)])))],
  [
    'an attribute that no operation needs',
    'I13',
    tale(goodReset()),
    tale(
      goodReset(
        1,
        modify(1, [...WRITE, { operation: 'replace', attribute: 'userAccountControl', values: ['512'] }]),
      ),
    ),
  ],
  [
    'a must-change that nobody asked for',
    'I13',
    tale(
      asked(
        { mustChange: true },
        modify(1, [...WRITE, { operation: 'replace', attribute: 'pwdLastSet', values: ['0'] }]),
      ),
    ),
    tale(
      goodReset(1, modify(1, [...WRITE, { operation: 'replace', attribute: 'pwdLastSet', values: ['0'] }])),
    ),
  ],
  [
    'a must-change that is taken back where it was asked for',
    'I13',
    tale(asked({ mustChange: true }, modify(1, [...WRITE, mustChange('0')]))),
    tale(asked({ mustChange: true }, modify(1, [...WRITE, mustChange('-1')]))),
  ],
  [
    'a reset where a change was asked for',
    'I13',
    tale(asked({ operation: 'change' }, modify(1, [...MARKED, ...changeOf(1)]))),
    tale(asked({ operation: 'change' }, modify(1, WRITE))),
  ],
  [
    'an entry is deleted',
    'I13',
    tale(supervisor(1, { kind: 'faults_over' }), otherOperation('abandon')),
    tale(otherOperation('delete')),
  ],
  [
    'an extended operation, which could set a password',
    'I13',
    tale(supervisor(1, { kind: 'faults_over' }), otherOperation('abandon')),
    tale(otherOperation('extended')),
  ],
  [
    'a reset that must be held to history, without the control',
    'I14',
    tale(run({ historyRequired: true }), goodReset(1, modify(1, WRITE, { controls: [HINTS] }))),
    tale(run({ historyRequired: true }), goodReset()),
  ],
  [
    'a control that the server may skip',
    'I14',
    tale(goodReset(1, modify(1, WRITE, { controls: [HINTS] }))),
    tale(goodReset(1, modify(1, WRITE, { controls: [{ ...HINTS, critical: false }] }))),
  ],
  [
    'an outcome that does not say that history was not enforced',
    'I14',
    tale(goodReset()),
    tale(goodReset().slice(0, -2), reported(1, 'applied', { notices: [] }), verdict(1, 'applied')),
  ],
  [
    'a password below the policy',
    'I14',
    tale(asked({ passwordLength: 7 }, modify(1, WRITE))),
    tale(asked({ passwordLength: 6 }, modify(1, WRITE))),
  ],
  [
    'an unlock that nobody asked for',
    'I15',
    tale(asked({ unlock: true }, modify(1, [...WRITE, UNLOCK]))),
    tale(goodReset(1, modify(1, [...WRITE, UNLOCK]))),
  ],
  [
    'an unlock that was asked for, and not written',
    'I15',
    tale(goodReset()),
    tale(asked({ unlock: true }, modify(1, WRITE))),
  ],
  [
    'a secret in a sink',
    'I16',
    tale(supervisor(9, { kind: 'searched', sinks: 30, bytes: 5_000 })),
    tale(supervisor(9, { kind: 'leak', sink: 'log', secret: 'new', form: 'hex' })),
  ],
  ['a bind in the clear', 'I17', tale(bind(5, true)), tale(bind(5, true, false))],
  [
    'a host that is not configured',
    'I17',
    tale(supervisor(9, { kind: 'contact', agent: 'a1', host: 'store', isAllowed: true })),
    tale(supervisor(9, { kind: 'contact', agent: 'a1', host: 'elsewhere', isAllowed: false })),
  ],
  [
    'the account of somebody else',
    'I18',
    tale(goodReset()),
    tale(account(BERT), goodReset(1, modify(1, WRITE, { account: BERT }))),
  ],
  ['a request that nobody made', 'I18', tale(goodReset()), tale(modify(1, WRITE))],
  [
    'a failure for clocks that hardly differ',
    'I21',
    tale(supervisor(1, { kind: 'clock', of: 'a1', aheadMs: 119_000 }), goodReset()),
    tale(supervisor(1, { kind: 'clock', of: 'a1', aheadMs: 60_000 }), [
      requested(1),
      handedOut(1),
      reported(1, 'failed', { reason: 'clock_skew' }),
      verdict(1, 'failed'),
    ]),
  ],
  [
    'a write with clocks far apart',
    'I21',
    tale(supervisor(1, { kind: 'clock', of: 'a1', aheadMs: 119_000 }), goodReset()),
    tale(
      supervisor(1, { kind: 'clock', of: 'a1', aheadMs: 3_600_000 }),
      read(30_500),
      goodReset(1, modify(1, WRITE, { at: 31_000 })).slice(0, -2),
      reported(1, 'applied', { at: 32_000 }),
      verdict(1, 'applied'),
    ),
  ],
  [
    'a write on a server whose clock is far off, and not one while another server’s is',
    'I21',
    writtenBeside(DC2),
    writtenBeside(DC1),
  ],
  [
    'a write on a server whose clock was set more than a minute ago',
    'I21',
    writtenBeside(DC1, 5, 10, 60_000),
    writtenBeside(DC1, 5, 10, 60_020),
  ],
  [
    'a write on a server whose clock was set before its agent signed in there',
    'I21',
    writtenBeside(DC1, 5, 10),
    writtenBeside(DC1, 15, 10),
  ],
  [
    'a write on a server whose clock was off for a minute before it was set anew',
    'I21',
    writtenBeside(DC1, 5, 10, 50_000),
    [
      ...writtenBeside(DC1, 5, 10, 101_000),
      supervisor(70_000, { kind: 'clock', of: DC1, aheadMs: 1_800_000 }),
    ],
  ],
  [
    'an agent that never gets in again after its start',
    'I22',
    tale(
      process(10, 'started'),
      bind(20, false),
      bind(1_000, true),
      supervisor(80_000, { kind: 'faults_over' }),
    ),
    tale(process(10, 'started'), bind(20, false), bind(1_000, false), verdict(1, null)),
  ],
  [
    'a write without an intent',
    'I23',
    tale(goodReset(), audited({})),
    tale(goodReset(), [outcome(1, 'applied')]),
  ],
  [
    'a write before its intent',
    'I23',
    tale(goodReset(), audited({})),
    tale(goodReset(), audited({ at: 210 })),
  ],
  [
    'a write with two intents',
    'I23',
    tale(goodReset(), audited({})),
    tale(goodReset(), audited({}, { at: 160 })),
  ],
  [
    'an answer that the directory did not give',
    'I23',
    tale(goodReset(), audited({ answer: null })),
    tale(goodReset(), audited({ answer: 'refused:password_policy:19' })),
  ],
  [
    'an outcome that is reported otherwise than written down',
    'I23',
    tale(goodReset(), audited({})),
    tale(goodReset(), intent(1, markerOf(1)), outcome(1, 'refused')),
  ],
  [
    'a request that was written and has no end, though the store never forgot it',
    'I23',
    tale(leftOpen, supervisor(250, { kind: 'fault', name: 'store_forgot', phase: 'once', target: idOf(1) })),
    tale(leftOpen),
  ],
  [
    'an audit record that is no chain',
    'I23',
    tale(goodReset(), audited({}), TOLD, chain()),
    tale(goodReset(), audited({}), TOLD, chain(['record 7 names another line before it'])),
  ],
  [
    'a write that the audit record does not tell',
    'I23',
    tale(goodReset(), audited({}), TOLD, chain()),
    tale(goodReset(), audited({}), TOLD.slice(1), chain()),
  ],
  [
    'a write whose result is told twice',
    'I23',
    tale(goodReset(), audited({}), TOLD, chain()),
    tale(goodReset(), audited({}), TOLD, told(1, 'result'), chain()),
  ],
  [
    'an end that the audit record does not tell',
    'I23',
    tale(goodReset(), audited({}), TOLD, chain()),
    tale(goodReset(), audited({}), TOLD.slice(0, 2), chain()),
  ],
  [
    'more files than before',
    'I24',
    tale(held(1, 'before', 20), held(9, 'after', 20)),
    tale(held(1, 'before', 20), held(9, 'after', 21)),
  ],
  [
    'an agent that was asked to end, and crashes',
    'I26',
    tale(process(1, 'started'), process(5, 'asked_to_end'), process(9, 'exited', { status: 0 })),
    tale(process(1, 'started'), process(5, 'asked_to_end'), process(9, 'exited', { status: 'SIGSEGV' })),
  ],
  [
    'an agent that takes too long to end',
    'I26',
    tale(process(5, 'asked_to_end'), process(30_000, 'exited', { status: 0 })),
    tale(process(5, 'asked_to_end'), process(40_000, 'exited', { status: 0 })),
  ],
  [
    'a write of an agent that has ended',
    'I26',
    tale(goodReset(), process(210, 'asked_to_end'), process(220, 'exited', { status: 0 })),
    tale(goodReset(), process(150, 'asked_to_end'), process(190, 'exited', { status: 0 })),
  ],
  [
    'an inspection that writes',
    'I13',
    tale(
      [requested(1, { operation: 'inspect', sequence: 0 }), handedOut(1), read(150), reported(1, 'applied')],
      [verdict(1, 'applied'), ...goodReset(2, modify(2, [...move(null, markerOf(2)), setTo(2)]))],
    ),
    tale(
      requested(1, { operation: 'inspect', sequence: 0 }),
      goodReset(1, modify(1, [...MARKED, setTo(1)])).slice(1),
    ),
  ],
]
