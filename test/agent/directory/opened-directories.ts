// Directories on a test domain, as the agent's assembly would make them, closed after each test.
import { readFileSync } from 'node:fs'
import type { Account } from '../../../src/agent/decisions/account.ts'
import type { ClearBytes } from '../../../src/agent/decisions/clear-bytes.ts'
import { createDirectory } from '../../../src/agent/directory/create-directory.ts'
import type { Directory, Effect, Write, WriterSession } from '../../../src/agent/directory/directory.ts'
import type { ActiveDirectoryOptions } from '../../../src/agent/directory/directory-options.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import type { Operation } from '../../../src/protocol/identifiers.ts'
import { silentLogger } from '../../../src/telemetry/logger.ts'
import { newPassword, servicePassword } from '../../servers/canaries.ts'
import type { SambaDomain } from '../../servers/samba-domain.ts'

/** Opens directories and closes them all. */
export interface OpenedDirectories {
  /** `changes.controllers` leads through a proxy; default: straight to the domain. */
  readonly open: (domain: SambaDomain, changes?: Partial<ActiveDirectoryOptions>) => Directory
  readonly closeAll: () => Promise<void>
}

/** Makes the keeper of one test file's directories. */
export function openedDirectories(): OpenedDirectories {
  const opened: Directory[] = []
  return {
    open: (domain, changes = {}) => {
      const directory = createDirectory({
        name: 'corp',
        controllers: [domain.url],
        writer: 'pdc-emulator',
        baseDn: domain.baseDn,
        bindName: domain.serviceAccountDn,
        readBindPassword: async () => servicePassword(),
        tls: { ca: [readFileSync(domain.caFile, 'utf8')], serverName: 'dc1.corp.test' },
        connections: 2,
        connectTimeoutMs: 10_000,
        operationTimeoutMs: 10_000,
        log: silentLogger,
        clock: systemClock,
        ...changes,
      })
      opened.push(directory)
      return directory
    },
    closeAll: async () => {
      for (const directory of opened.splice(0)) await directory.stop()
    },
  }
}

/** A password as the keys room would hand it over. */
export const clear = (password: Buffer | string): ClearBytes => Buffer.from(password) as ClearBytes

/** What a test may change of a plain reset. */
export type ResetChanges = Partial<Omit<Write, 'effect'>> & Partial<Extract<Effect, { kind: 'reset' }>>

/** A plain reset of an account without a marker. */
export function resetOf(objectGuid: string, changes: ResetChanges = {}): Write {
  const {
    password = clear(newPassword()),
    unlock = false,
    mustChange = false,
    kind = 'reset',
    ...rest
  } = changes
  return {
    objectGuid,
    effect: { kind, password, unlock, mustChange },
    markerBefore: undefined,
    markerAfter: 'wb1:00000000:1:a',
    mayStart: () => true,
    ...rest,
  }
}

/** A write with this effect to an account without a marker. */
export const writeOf = (
  objectGuid: string,
  effect: Effect,
  changes: Partial<Omit<Write, 'effect'>> = {},
): Write => ({
  objectGuid,
  effect,
  markerBefore: undefined,
  markerAfter: 'wb1:00000000:1:a',
  mayStart: () => true,
  ...changes,
})

/** Reads an account by its objectGUID. */
export async function readAccount(
  writer: WriterSession,
  objectGuid: string,
  operation: Operation = 'reset',
): Promise<Account | undefined> {
  const reading = await writer.readAccount({ anchor: objectGuid, objectGuid: null }, operation)
  if (reading === 'ambiguous') throw new Error('an objectGUID is never ambiguous')
  return reading
}
