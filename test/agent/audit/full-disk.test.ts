// A disk without room for the audit record: no password is written that it could not tell of, and nothing of it is lost.
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test } from '@jest/globals'
import { generateKeySet } from '../../../src/agent/keys/key-file.ts'
import { newId } from '../../../src/protocol/identifiers.ts'
import { bareEnvironment } from '../../servers/child-process.ts'
import { makeScratchDirectory } from '../../servers/scratch-directory.ts'
import { closeWorlds, ended, openWorld } from '../request-world.ts'

const CHILD = path.resolve(import.meta.dirname, 'full-disk-child.ts')
afterEach(closeWorlds)

const modifiesOf = ({ dc }: Awaited<ReturnType<typeof openWorld>>) =>
  dc.state.calls.filter((call) => call !== 'read' && call !== 'policy')

test('a full disk stops writes before their first byte, and what waited is told in order when there is room [disk_full_audit]', async () => {
  const state = makeScratchDirectory()
  try {
    const keyFile = path.join(state, 'key.json')
    writeFileSync(keyFile, JSON.stringify({ agent: newId(), keys: await generateKeySet(1) }))
    mkdirSync(path.join(state, 'audit'))
    // A file system of 64 KB in a name space of its own, which ends with the process.
    const { stdout } = await promisify(execFile)(
      'unshare',
      [
        ...['--user', '--map-root-user', '--mount', 'sh', '-c'],
        'mount -t tmpfs -o size=64k,mode=700 tmpfs "$1/audit" && exec "$0" --disable-warning=ExperimentalWarning "$3" "$1" "$2"',
        ...[process.execPath, state, keyFile, CHILD],
      ],
      { env: bareEnvironment(), timeout: 30_000, maxBuffer: 8 * 1024 * 1024 },
    )
    const seen = JSON.parse(stdout)
    expect(seen.isSent).toBe(true)
    expect(seen.mayBeSent.at(-1)).toBe(false)
    expect(seen.whileFull).toMatchObject({
      isWritable: false,
      conditions: [
        { code: 'audit_not_writable', severity: 'error', detail: expect.stringContaining('ENOSPC') },
      ],
    })
    expect(seen.isMended).toEqual({ isWritable: true, conditions: [] })
    expect(seen.verdict).toMatchObject({ faults: [], unanswered: 0 })
    const requests = [
      'before',
      'caught',
      ...seen.mayBeSent.map((_: boolean, at: number) => `full${at}`),
      'after',
    ]
    for (const request of requests) {
      const told = seen.records.filter((record: { request?: string }) => record.request === request)
      expect([request, told.map(({ kind }: { kind: string }) => kind)]).toEqual([
        request,
        ['intent', 'result', 'outcome'],
      ])
    }
    const last = seen.records.findLast((record: { answer?: string }) => record.answer === 'not_sent')
    expect(last).toMatchObject({ request: `full${seen.mayBeSent.length - 1}` })
  } finally {
    rmSync(state, { recursive: true, force: true })
  }
}, 60_000)

test.each(['reset', 'change', 'unlock'] as const)(
  'a %s whose intent cannot be audited is not sent, waits, and is sent when it can',
  async (operation) => {
    const world = await openWorld({
      ...(operation === 'reset' ? {} : { operation }),
      ...(operation === 'unlock' ? { account: { locked: true, lockedAtMs: 1 } } : {}),
    })
    world.flags.auditIsFull = true
    expect(await world.run()).toMatchObject({ laterMs: expect.any(Number) })
    expect(world.journal.intents(world.document.id)).toMatchObject([{ answer: 'not_sent' }])
    // Until there is room nothing is even tried, and no password opened.
    expect(await world.run()).toMatchObject({ laterMs: expect.any(Number) })
    expect(world.journal.intents(world.document.id)).toHaveLength(1)
    expect(modifiesOf(world)).toEqual([])
    Object.assign(world.flags, { auditIsFull: false, auditHolds: true })
    await world.finish()
    expect(await world.outcome()).toEqual(ended('applied'))
    expect(modifiesOf(world)).toHaveLength(1)
  },
)

test('while the record cannot be written a lost answer is not fenced', async () => {
  const world = await openWorld()
  world.leaveIntent(undefined)
  world.flags.auditHolds = false
  expect(await world.run()).toMatchObject({ laterMs: expect.any(Number) })
  expect(modifiesOf(world)).toEqual([])
  world.flags.auditHolds = true
  await world.finish()
  expect(await world.outcome()).toEqual(ended('applied'))
  expect(modifiesOf(world)).toEqual(['fence', 'write'])
})
