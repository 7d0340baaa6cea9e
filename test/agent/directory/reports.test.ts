// The report of locked accounts and of passwords about to expire, on real directory servers.
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Directory } from '../../../src/agent/directory/directory.ts'
import { createAccountReports } from '../../../src/agent/report-accounts.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import { silentLogger } from '../../../src/telemetry/logger.ts'
import { wrongPassword } from '../../servers/canaries.ts'
import { replaceAttribute } from '../../servers/directory-admin.ts'
import { type SambaDomain, startSambaDomain } from '../../servers/samba-domain.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../../servers/scratch-directory.ts'
import { type SlapdServer, startSlapdServer } from '../../servers/slapd-server.ts'
import { openedDirectories } from './opened-directories.ts'
import { slapdDirectories } from './openldap/slapd-directories.ts'

const DAY_MS = 86_400_000
const state = makeScratchDirectory()
let ahead = 0
const clock = { ...systemClock, wallMs: () => systemClock.wallMs() + ahead }
afterAll(() => removeScratchDirectory(state))

/** The reports of one directory, as the assembly makes them. */
const reportsOf = (directory: Directory, mostAccounts = 100) =>
  createAccountReports({
    config: {
      stateDirectory: state,
      reports: { expiringWithinDays: 14, everyHours: 24, mostAccounts },
    } as never,
    directories: new Map([['corp', { directory } as never]]),
    ...{ clock, log: silentLogger, stopping: new AbortController() },
  })

interface Written {
  readonly isCut: boolean
  readonly locked: readonly { readonly anchor: string }[]
  readonly expiring: readonly { readonly anchor: string; readonly passwordExpiresAt: number }[]
}
const file = path.join(state, 'reports', 'corp.json')
const written = (): Written => JSON.parse(readFileSync(file, 'utf8'))
const anchorsOf = (lines: readonly { readonly anchor: string }[]) => lines.map(({ anchor }) => anchor).sort()

interface TestServer {
  readonly createUser: (user: { name: string }) => Promise<{ objectGuid: string; principal: string }>
  readonly canBind: (name: string, password: Buffer) => Promise<boolean>
}

async function expectReport(
  server: TestServer,
  open: () => Directory,
  setAge: (days: number) => Promise<void>,
) {
  const [fine, locked] = [
    await server.createUser({ name: 'fine' }),
    await server.createUser({ name: 'locked' }),
  ]
  for (let tries = 0; tries < 3; tries += 1) await server.canBind(locked.principal, wrongPassword())
  await setAge(40)
  const reports = reportsOf(open())
  await reports.write()
  expect(anchorsOf(written().locked)).toEqual([locked.objectGuid])
  expect(written().expiring).toEqual([])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  // The next one is due a day later, and not before.
  const { writtenAt } = reports.list()[0] ?? { writtenAt: 0 }
  await reports.write()
  expect(reports.list()[0]?.writtenAt).toBe(writtenAt)
  ahead += DAY_MS
  await reports.write()
  expect(reports.list()[0]?.writtenAt).toBeGreaterThanOrEqual(writtenAt + DAY_MS)
  // A session remembers policies for a minute.
  await setAge(7)
  const later = reportsOf(open())
  await later.write()
  expect(anchorsOf(written().expiring)).toContain(fine.objectGuid)
  expect(anchorsOf(written().expiring)).not.toContain(locked.objectGuid)
  for (const { passwordExpiresAt } of written().expiring)
    expect(Math.round((passwordExpiresAt - systemClock.wallMs()) / DAY_MS)).toBe(7)
  expect(later.list()).toEqual([
    expect.objectContaining({
      directory: 'corp',
      locked: 1,
      expiring: written().expiring.length,
      isCut: false,
    }),
  ])
  const short = reportsOf(open(), 1)
  await short.write()
  expect(written()).toMatchObject({ isCut: true })
  expect([...written().locked, ...written().expiring].length).toBeLessThanOrEqual(1)
}

describe('on Active Directory', () => {
  const { open, closeAll } = openedDirectories()
  let domain: SambaDomain
  const policy = { lockoutThreshold: 3, lockoutDurationMs: 1_800_000, lockoutWindowMs: 1_800_000 }
  beforeAll(async () => {
    domain = await startSambaDomain({ policy })
  })
  afterEach(closeAll)
  afterAll(() => domain?.stop())

  test('who is locked and whose password ends within the days is in the file, and nobody else', async () => {
    const setAge = async (days: number) =>
      replaceAttribute(await domain.admin(), domain.baseDn, 'maxPwdAge', [String(-days * DAY_MS * 10_000)])
    await expectReport(domain, () => open(domain), setAge)
  }, 60_000)
})

describe('on OpenLDAP', () => {
  const { open, closeAll } = slapdDirectories()
  let server: SlapdServer
  const values = { pwdLockout: 'TRUE', pwdMaxFailure: '3' }
  beforeAll(async () => {
    server = await startSlapdServer({ policyValues: values })
  })
  afterEach(closeAll)
  afterAll(() => server?.stop())

  test('who is locked and whose password ends within the days is in the file, and nobody else', async () => {
    const setAge = (days: number) => server.setPolicy({}, { ...values, pwdMaxAge: String(days * 86_400) })
    await expectReport(server, () => open(server), setAge)
  }, 60_000)
})
