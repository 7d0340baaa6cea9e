// The directories of one configuration: what must not be served twice.
import { expect, test } from '@jest/globals'
import { createDirectories } from '../../src/agent/create-directories.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { agentConfigSchema } from '../../src/config/agent-config.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

const make = (...baseDns: readonly string[]) => {
  const directory = (baseDn: string) => ({
    ...{ type: 'active-directory', controllers: ['ldaps://dc1.corp.test'], baseDn },
    bind: { name: 'svc', passwordFile: 'none' },
  })
  const directories = Object.fromEntries(baseDns.map((baseDn, at) => [`d${at}`, directory(baseDn)]))
  const config = agentConfigSchema.parse({
    ...{ store: { url: 'https://store.test' }, stateDirectory: '/nowhere', directories },
  })
  return createDirectories(config, { log: silentLogger, clock: systemClock })
}

test.each([
  ['the same accounts', 'DC=corp,DC=test', 'dc=CORP, dc=test'],
  ['a unit of another one', 'DC=corp,DC=test', 'OU=People,DC=corp,DC=test'],
  ['what holds another one', 'OU=People,DC=corp,DC=test', 'DC=corp,DC=test'],
])('refuses a directory that holds %s', (_what, first, second) => {
  expect(() => make('DC=other,DC=test', first, second)).toThrow(
    expect.objectContaining({
      code: 'ERR_CONFIG_INVALID',
      message: expect.stringContaining('d1 and directories.d2'),
    }),
  )
})

test('takes directories that lie beside each other', () => {
  expect([...make('OU=A,DC=corp,DC=test', 'OU=B,DC=corp,DC=test', 'DC=orp,DC=test').keys()]).toHaveLength(3)
})
