// The OpenLDAP of the simulation answers as the measured server does.
import { expect, test } from '@jest/globals'
import type { ClearBytes } from '../../src/agent/decisions/clear-bytes.ts'
import type { Effect } from '../../src/agent/directory/directory.ts'
import { effectChanges, markerChanges } from '../../src/agent/directory/openldap/password-modify.ts'
import type { Result } from './directory-model.ts'
import { AUXILIARY_CLASS, OPENLDAP_MARKER, refusalOf } from './openldap-changes.ts'
import { openLdapEntry } from './openldap-entry.ts'
import { createOpenLdap } from './openldap-model.ts'
import { createScheduler } from './scheduler.ts'

const GUID = '0a0b0c0d-1111-4222-8333-444444440000'
const POLICY = {
  ...{ minimumLength: 7, historyLength: 3, minimumAgeMs: 0 },
  ...{ lockoutThreshold: 3, lockoutDurationMs: 30_000, lockoutWindowMs: 30_000 },
}
const STRICT = { refusesSame: true, wantsOldPassword: false, asserts: false, quickOthers: 0, collisions: 0 }
const clear = (text: string) => Buffer.from(text) as ClearBytes
const reset = (text: string): Effect => ({
  ...{ kind: 'reset', password: clear(text), unlock: true, mustChange: false },
})

function createServer(historyLength = POLICY.historyLength, traits = STRICT) {
  const policy = { ...POLICY, historyLength }
  const model = createOpenLdap({
    ...{ scheduler: createScheduler(1, 1_790_000_000_000), policy, finePolicy: policy, traits },
    accounts: [{ guid: GUID, policyDn: undefined, mayBeWritten: true }],
    firstPassword: () => 'first password',
    ...{ mayWriteMarker: true, note: () => {}, passwordWritten: () => {} },
  })
  const [server] = model.servers as [(typeof model.servers)[0]]
  const entry = () => openLdapEntry(server, GUID) as NonNullable<ReturnType<typeof openLdapEntry>>
  const known = () => ({
    hasMarkerClass: entry().hasClass,
    lockedTime: entry().cells.lockedAt.value > 0 ? String(entry().cells.lockedAt.value) : undefined,
  })
  const send = (before: string | undefined, after: string, effect?: Effect): Result =>
    model.modify(server, {
      guid: GUID,
      changes: [
        ...markerChanges({ attribute: OPENLDAP_MARKER, before, after }, AUXILIARY_CLASS, known()),
        ...(effect === undefined ? [] : effectChanges(effect, known())),
      ],
      controls: [],
    })
  const tryWrongPassword = () => model.doForeign(server, GUID, { what: 'bad_password' })
  return { send, entry, tryWrongPassword, isLocked: () => model.isLocked(server, entry()) }
}

test('an applied reset that is sent again is refused by the history before the marker is looked at', () => {
  const { send } = createServer()
  expect(send(undefined, 'one', reset('second password')).code).toBe(0)
  expect(send(undefined, 'one', reset('second password'))).toMatchObject({ code: 19, policyError: 8 })
  expect(send('one', 'two', reset('third password')).code).toBe(0)
  expect(send(undefined, 'one', reset('second password'))).toMatchObject({ code: 19, policyError: 8 })
})

test('where no history is kept it is the marker that refuses it', () => {
  const { send } = createServer(0, { ...STRICT, refusesSame: false })
  expect(send(undefined, 'one', reset('second password')).code).toBe(0)
  const again = send(undefined, 'two', reset('second password'))
  expect(again).toMatchObject({ code: 19 })
  expect(again.policyError).toBeUndefined()
  expect(refusalOf(again, { effect: 'reset', hadMarker: false }).kind).toBe('compare_failed')
  const stale = send('none', 'two', reset('second password'))
  expect(stale.code).toBe(16)
  expect(refusalOf(stale, { effect: 'reset', hadMarker: true }).kind).toBe('compare_failed')
})

test('a reset unlocks by itself, and nothing locked is unlocked without a refusal', () => {
  const { send, tryWrongPassword, isLocked, entry } = createServer()
  for (let count = 0; count < 3; count += 1) tryWrongPassword()
  expect(isLocked()).toBe(true)
  expect(send(undefined, 'one', reset('second password')).code).toBe(0)
  expect(isLocked()).toBe(false)
  expect(entry().failures).toEqual([])
  expect(send('one', 'two', { kind: 'unlock' }).code).toBe(0)
})

test('a wrong old password is refused, and not counted', () => {
  const { send, entry } = createServer()
  const change: Effect = {
    kind: 'change',
    oldPassword: clear('wrong'),
    newPassword: clear('second password'),
  }
  const answer = send(undefined, 'one', change)
  expect(answer.code).toBe(53)
  expect(refusalOf(answer, { effect: 'change', hadMarker: false }).kind).toBe('wrong_current_password')
  expect(entry().badPasswordCount).toBe(0)
  expect(entry().cells.marker.value).toBeUndefined()
})
