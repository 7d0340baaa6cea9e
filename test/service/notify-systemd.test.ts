// What feeds the watchdog of systemd, and what does not.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createPulse } from '../../src/agent/pulse.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { WritebackError } from '../../src/errors/writeback-error.ts'
import { createServiceNotifier, type ServiceLook } from '../../src/service/notify-systemd.ts'
import { type Logger, silentLogger } from '../../src/telemetry/logger.ts'
import { type NotifyReceiver, startNotifyReceiver } from '../servers/notify-receiver.ts'

let systemd: NotifyReceiver
beforeAll(async () => {
  systemd = await startNotifyReceiver()
})
afterAll(() => systemd?.stop())

const notifier = (env: Record<string, string>, log: Logger = silentLogger) =>
  createServiceNotifier({ env, pid: process.pid, clock: systemClock, log })
const fed = (said: readonly string[]) => said.filter((one) => one === 'WATCHDOG=1').length

test('a part that does not move starves the watchdog until it moves again; a stop is fed to its end', async () => {
  const errors: unknown[] = []
  const log = { ...silentLogger, error: (_: string, fields?: object) => errors.push(fields) }
  const service = notifier({ NOTIFY_SOCKET: systemd.socket, WATCHDOG_USEC: '600000' }, log)
  let look: ServiceLook = { silent: [], status: () => 'ready' }
  service.started(() => look)
  while (fed(systemd.said()) < 3) await sleep(20)
  expect(systemd.said().slice(0, 3)).toEqual(['READY=1', 'STATUS=ready', 'WATCHDOG=1'])
  look = { silent: ['intake'], status: () => 'not ready\nREADY=1' }
  await sleep(500)
  const starved = fed(systemd.said())
  await sleep(1_000)
  expect(fed(systemd.said())).toBe(starved)
  expect(errors[0]).toEqual({ parts: ['intake'] })
  // A line break in a status cannot say something else.
  expect(systemd.said().filter((one) => one === 'READY=1')).toEqual(['READY=1'])
  expect(systemd.said()).toContain('STATUS=not ready READY=1')
  look = { silent: [], status: () => 'ready' }
  while (fed(systemd.said()) === starved) await sleep(20)
  look = { silent: ['intake', 'schedule'], status: () => 'ready' }
  service.stopping(1_000)
  const stopping = fed(systemd.said())
  while (fed(systemd.said()) < stopping + 3) await sleep(20)
  await service.close()
  const closed = systemd.said().length
  await sleep(500)
  expect(systemd.said().length).toBe(closed)
}, 30_000)

test('a status that cannot be read is told as that, and neither ends the start nor starves the watchdog', async () => {
  const since = systemd.said().length
  const said = () => systemd.said().slice(since)
  const service = notifier({ NOTIFY_SOCKET: systemd.socket, WATCHDOG_USEC: '600000' })
  let silent: readonly string[] = []
  const status = () => {
    throw new WritebackError('ERR_JOURNAL_UNUSABLE', 'no disk')
  }
  service.started(() => ({ silent, status }))
  while (fed(said()) < 3) await sleep(20)
  expect(said().slice(0, 3)).toEqual([
    ...['READY=1', 'STATUS=cannot be told: ERR_JOURNAL_UNUSABLE: no disk', 'WATCHDOG=1'],
  ])
  silent = ['intake']
  await sleep(500)
  const starved = fed(said())
  await sleep(700)
  expect(fed(said())).toBe(starved)
  await service.close()
}, 30_000)

test('without systemd, without a watchdog, or with that of another process, nothing is fed', async () => {
  const before = systemd.said().length
  const look = () => ({ silent: [], status: () => 'ready' })
  const services = [
    notifier({ WATCHDOG_USEC: '60000' }),
    notifier({ NOTIFY_SOCKET: systemd.socket }),
    notifier({ NOTIFY_SOCKET: systemd.socket, WATCHDOG_USEC: '60000', WATCHDOG_PID: '1' }),
  ]
  for (const service of services) service.started(look)
  await sleep(300)
  for (const service of services) await service.close()
  expect(systemd.said().slice(before)).toEqual(['READY=1', 'STATUS=ready', 'READY=1', 'STATUS=ready'])
})

test('a pulse tells the parts that are silent for too long, and none that never began', () => {
  let now = 0
  const pulse = createPulse({ monotonicMs: () => now })
  now = 1_000_000
  expect(pulse.silent()).toEqual([])
  pulse.beat('schedule')
  pulse.beat('intake')
  now += 60_000
  expect(pulse.silent()).toEqual([])
  now += 1
  expect(pulse.silent()).toEqual(['schedule'])
  pulse.beat('schedule')
  expect(pulse.silent()).toEqual([])
  now += 180_000
  expect(pulse.silent()).toEqual(['schedule', 'intake'])
})
