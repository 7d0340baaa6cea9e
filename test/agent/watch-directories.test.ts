// The health of the directories: what a session that can be had, or not, raises and clears.
import { expect, test } from '@jest/globals'
import type { Directory, WriterSession } from '../../src/agent/directory/directory.ts'
import { watchDirectories } from '../../src/agent/watch-directories.ts'
import { createBackoff } from '../../src/clock/backoff.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import { createConditions, isReady } from '../../src/telemetry/conditions.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

test('each state of a directory raises its own condition and clears the others', async () => {
  let state: WriterSession['history'] | 'away' = 'enforced'
  const directory: Pick<Directory, 'writer'> = {
    writer: async () => {
      if (state === 'away')
        throw new WritebackError('ERR_DIRECTORY_UNREACHABLE', 'no connection to dc1', { retry: 'later' })
      return { history: state } as WriterSession
    },
  }
  const served = {
    directory: directory as Directory,
    ...{ blocklist: undefined, refusesNames: false },
    backoff: createBackoff({ firstMs: 1, longestMs: 1 }),
  }
  const conditions = createConditions({ clock: systemClock, log: silentLogger })
  const seen = async (next: typeof state) => {
    state = next
    await watchDirectories({ directories: new Map([['corp', served]]), conditions })
    return [conditions.list().map(({ code }) => code), isReady(conditions.list())]
  }
  expect(await seen('enforced')).toEqual([[], true])
  expect(await seen('not_enforced')).toEqual([['history_not_enforced'], true])
  expect(await seen('not_enforceable')).toEqual([['history_not_enforceable'], false])
  expect(await seen('not_enforced')).toEqual([['history_not_enforced'], true])
  expect(await seen('enforced')).toEqual([[], true])
  expect(await seen('away')).toEqual([['directory_unreachable'], false])
  expect(await seen('enforced')).toEqual([[], true])
})
