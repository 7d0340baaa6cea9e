// Directories on a private slapd, as the agent's assembly would make them, closed after each test.
import { readFileSync } from 'node:fs'
import type { Account } from '../../../../src/agent/decisions/account.ts'
import { createDirectory } from '../../../../src/agent/directory/create-directory.ts'
import type { Directory, Effect, Write, WriterSession } from '../../../../src/agent/directory/directory.ts'
import type { OpenLdapOptions } from '../../../../src/agent/directory/directory-options.ts'
import { systemClock } from '../../../../src/clock/clock.ts'
import type { Operation } from '../../../../src/protocol/identifiers.ts'
import { silentLogger } from '../../../../src/telemetry/logger.ts'
import { newPassword, servicePassword } from '../../../servers/canaries.ts'
import type { SlapdServer } from '../../../servers/slapd-server.ts'
import { clear } from '../opened-directories.ts'

/** Makes the keeper of one test file's directories. */
export function slapdDirectories() {
  const opened: Directory[] = []
  return {
    open: (server: SlapdServer, changes: Partial<OpenLdapOptions> = {}): Directory => {
      const directory = createDirectory({
        ...{ kind: 'openldap', name: 'corp', controllers: [server.url], baseDn: server.baseDn },
        ...{ bindName: server.serviceAccountDn, policyDn: server.policyDn, connections: 4 },
        readBindPassword: async () => servicePassword(),
        tls: { ca: [readFileSync(server.caFile, 'utf8')], serverName: server.serverName },
        ...{ connectTimeoutMs: 10_000, operationTimeoutMs: 10_000 },
        ...{ log: silentLogger, clock: systemClock },
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

/** Reads an account by its entryUUID, and insists that it is there. */
export async function read(
  session: WriterSession,
  entryUuid: string,
  operation: Operation = 'reset',
  markerRight = false,
): Promise<Account> {
  const subject = { anchor: entryUuid, objectGuid: null }
  const account = await session.readAccount(subject, operation, { markerRight })
  if (account === undefined || account === 'ambiguous') throw new Error(`no account: ${account}`)
  return account
}

let writes = 0
function nextMarker(): string {
  writes += 1
  return `wb1:00000000:${writes}:a`
}

/** A write of an account as it was read, with a marker never used before. */
export const writeTo = (
  account: Account,
  effect: Effect,
  changes: Partial<Omit<Write, 'effect'>> = {},
): Write => ({
  ...{ objectGuid: account.objectGuid, account, effect, markerBefore: account.marker },
  markerAfter: nextMarker(),
  mayStart: () => true,
  ...changes,
})

/** A reset, by default to the canary password, without unlock and must-change. */
export const resetTo = (
  password: Buffer | string = newPassword(),
  { unlock = false, mustChange = false } = {},
): Effect => ({ kind: 'reset', password: clear(password), unlock, mustChange })

/** A change with the old password. */
export const changeTo = (oldPassword: Buffer | string, next: Buffer | string): Effect => ({
  ...{ kind: 'change', oldPassword: clear(oldPassword), newPassword: clear(next) },
})
