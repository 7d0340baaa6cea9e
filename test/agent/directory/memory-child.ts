// A process that writes one password and then only waits, so that another may look through its memory. The
// passwords come from files, straight into buffers of their own: a pipe or an argument would leave copies.
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import type { ClearBytes } from '../../../src/agent/decisions/clear-bytes.ts'
import { createDirectory } from '../../../src/agent/directory/create-directory.ts'
import { systemClock } from '../../../src/clock/clock.ts'
import { wipeableBuffer } from '../../../src/memory/wipeable-buffer.ts'
import { silentLogger } from '../../../src/telemetry/logger.ts'

interface Task {
  readonly url: string
  readonly caFile: string
  readonly baseDn: string
  readonly bindName: string
  readonly bindFile: string
  readonly passwordFile: string
  readonly anchor: string
  readonly keep: boolean
}

function readSecret(file: string): Buffer {
  const descriptor = openSync(file, 'r')
  const secret = wipeableBuffer(fstatSync(descriptor).size)
  readSync(descriptor, secret)
  closeSync(descriptor)
  return secret
}

const task = JSON.parse(process.argv[2] ?? '') as Task
const directory = createDirectory({
  name: 'corp',
  controllers: [task.url],
  writer: 'pdc-emulator',
  baseDn: task.baseDn,
  bindName: task.bindName,
  readBindPassword: async () => readSecret(task.bindFile),
  tls: { ca: [readFileSync(task.caFile, 'utf8')], serverName: 'dc1.corp.test' },
  connections: 1,
  connectTimeoutMs: 10_000,
  operationTimeoutMs: 2000,
  log: silentLogger,
  clock: systemClock,
})
const writer = await directory.writer()
const password = readSecret(task.passwordFile) as ClearBytes
const kept = task.keep ? Buffer.from(password) : undefined
const kinds: string[] = []
// Refused by the marker, accepted, and then one whose answer the other side of the connection swallows.
for (const [markerBefore, markerAfter] of [
  ['stale', 'first'],
  [undefined, 'second'],
  ['second', 'third'],
] as const) {
  const answer = await writer.write({
    objectGuid: task.anchor,
    effect: { kind: 'reset', password, unlock: true, mustChange: false },
    markerBefore,
    markerAfter,
    mayStart: () => true,
  })
  kinds.push(answer.kind)
}
password.fill(0)
console.log(kinds.join(' '))
// Stays alive, and keeps what it was told to keep, until its parent ends it.
setInterval(() => kept?.length, 1000)
