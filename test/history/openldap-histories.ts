// Histories by hand of an OpenLDAP server: what it does otherwise than Active Directory, and where the checker follows it.
import type { Pair } from './effect-histories.ts'
import type { HistoryEvent, SeenChange } from './event.ts'
import {
  foreign,
  handedOut,
  idOf,
  markerOf,
  modify,
  read,
  receipt,
  reported,
  requested,
  run,
  sample,
  tale,
  verdict,
} from './sample-history.ts'

const OPENLDAP = run({ dialect: 'openldap' })
const move = (before: string | null, after: string): SeenChange[] => [
  ...(before === null
    ? []
    : [{ operation: 'delete' as const, attribute: 'writebackMarker', values: [before] }]),
  { operation: 'add', attribute: 'writebackMarker', values: [after] },
]
const password = (operation: SeenChange['operation'], name: string): SeenChange => ({
  ...{ operation, attribute: 'userPassword', values: [name] },
})
const setTo = (number: number) => password('replace', `new:${idOf(number)}`)
const classOf = (name: string): SeenChange => ({
  ...{ operation: 'add', attribute: 'objectClass', values: [name] },
})
const lockout = (operation: SeenChange['operation'], time = '20261122065734Z'): SeenChange => ({
  ...{ operation, attribute: 'pwdAccountLockedTime', values: [time] },
})
const begun = (number: number, fields: Parameters<typeof requested>[1] = {}) => [
  requested(number, fields),
  handedOut(number),
  receipt(number),
]
const told = (number: number, outcome: string, at = 300) => [
  reported(number, outcome, { at }),
  verdict(number, outcome),
]
const reset = (changes: readonly SeenChange[], fields: Parameters<typeof requested>[1] = {}) => [
  ...begun(1, fields),
  read(180),
  ...modify(1, changes),
  ...told(1, 'applied'),
]

/** The first request sets a password at second 3, as its marker says; the second one goes over somebody else's. */
const overOthers = (changedAt: number): HistoryEvent[] =>
  tale(
    OPENLDAP,
    [begun(1), begun(2), foreign(changedAt, 'password')].flat(),
    [modify(1, [...move(null, markerOf(1)), setTo(1)], { at: 3_000 }), told(1, 'applied', 3_100)].flat(),
    [read(9_000), ...modify(2, [...move(markerOf(1), markerOf(2)), setTo(2)], { at: 9_300 })],
    told(2, 'applied', 9_400),
  )

const wrongOld = (samples: readonly HistoryEvent[]): HistoryEvent[] =>
  tale(
    OPENLDAP,
    begun(1, { operation: 'change' }),
    modify(
      1,
      [...move(null, markerOf(1)), password('delete', `old:${idOf(1)}`), password('add', `new:${idOf(1)}`)],
      { code: 53 },
    ),
    told(1, 'refused'),
    samples,
  )

/** The pairs. */
export const OPENLDAP_PAIRS: readonly Pair[] = [
  [
    'on OpenLDAP somebody else’s password more than two seconds from the marker’s version',
    'I7',
    overOthers(4_500),
    overOthers(7_000),
  ],
  [
    'on OpenLDAP a lockout that nobody else’s attempts explain',
    'I11',
    wrongOld([sample(150, 4), foreign(220, 'bad_password'), sample(240, 5, true)]),
    wrongOld([sample(150, 4), sample(240, 5, true)]),
  ],
  [
    'on OpenLDAP another class than the marker’s',
    'I13',
    tale(OPENLDAP, reset([...move(null, markerOf(1)), classOf('writebackAccount'), setTo(1)])),
    tale(OPENLDAP, reset([...move(null, markerOf(1)), classOf('posixAccount'), setTo(1)])),
  ],
  [
    'the marker’s class in Active Directory',
    'I13',
    tale(OPENLDAP, reset([...move(null, markerOf(1)), classOf('writebackAccount'), setTo(1)])),
    tale(reset([...move(null, markerOf(1)), classOf('writebackAccount'), setTo(1)])),
  ],
  [
    'on OpenLDAP a lockout that a reset leaves is put back',
    'I13',
    tale(OPENLDAP, reset([...move(null, markerOf(1)), lockout('delete'), setTo(1), lockout('add')])),
    tale(
      OPENLDAP,
      reset([...move(null, markerOf(1)), lockout('delete'), setTo(1), lockout('add', '20300101000000Z')]),
    ),
  ],
  [
    'a reset that unlocks by itself only on OpenLDAP',
    'I15',
    tale(OPENLDAP, reset([...move(null, markerOf(1)), setTo(1)], { unlock: true })),
    tale(reset([...move(null, markerOf(1)), setTo(1)], { unlock: true })),
  ],
]
