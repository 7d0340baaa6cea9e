// One second after its writes, a process holds no copy of the password and none of the bind password.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { newPassword, servicePassword } from '../../servers/canaries.ts'
import { bareEnvironment } from '../../servers/child-process.ts'
import type { RecordedMessage } from '../../servers/ldap-faults.ts'
import { type LdapProxy, startLdapProxy } from '../../servers/ldap-proxy.ts'
import { type SambaDomain, startSambaDomain } from '../../servers/samba-domain.ts'

let domain: SambaDomain
let proxy: LdapProxy
beforeAll(async () => {
  domain = await startSambaDomain()
  proxy = await startLdapProxy({ target: domain.url })
})
afterAll(async () => {
  await proxy.stop()
  await domain.stop()
})

const PIECE = 1024 * 1024

async function countInMemory(pid: number, needles: readonly Buffer[]): Promise<number[]> {
  const memory = await open(`/proc/${pid}/mem`)
  const longest = Math.max(...needles.map((needle) => needle.length))
  const piece = Buffer.alloc(PIECE + longest)
  const counts = needles.map(() => 0)
  try {
    for (const [start, end] of writableRanges(pid)) {
      for (let at = start; at < end; at += PIECE) {
        const wanted = Math.min(piece.length, end - at)
        const { bytesRead } = await memory.read(piece, 0, wanted, at).catch(() => ({ bytesRead: 0 }))
        for (const [which, needle] of needles.entries()) {
          counts[which] = (counts[which] ?? 0) + occurrences(piece.subarray(0, bytesRead), needle)
        }
      }
    }
  } finally {
    await memory.close()
  }
  return counts
}

// A needle that begins in the overlap is counted with the next piece.
function occurrences(bytes: Buffer, needle: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(needle); at >= 0 && at < PIECE; at = bytes.indexOf(needle, at + 1)) count++
  return count
}

function writableRanges(pid: number): [number, number][] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')
  return lines.flatMap((line): [number, number][] => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line)
    return match?.[1] === undefined || match[2] === undefined
      ? []
      : [[Number.parseInt(match[1], 16), Number.parseInt(match[2], 16)]]
  })
}

async function copiesAfterWrite(name: string, keep: boolean): Promise<number[]> {
  const user = await domain.createUser({ name })
  const isThird = ({ changes }: RecordedMessage) =>
    changes?.some(({ values }) => values?.[0] === 'third') ?? false
  proxy.onRequest(isThird, { kind: 'swallow-response' })
  const bindFile = path.join(domain.directory, 'bind-password')
  const passwordFile = path.join(domain.directory, 'new-password')
  writeFileSync(bindFile, servicePassword(), { mode: 0o600 })
  writeFileSync(passwordFile, newPassword(), { mode: 0o600 })
  const task = {
    url: proxy.url,
    caFile: domain.caFile,
    baseDn: domain.baseDn,
    bindName: domain.serviceAccountDn,
    bindFile,
    passwordFile,
    anchor: user.objectGuid,
    keep,
  }
  const program = fileURLToPath(new URL('memory-child.ts', import.meta.url))
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, JSON.stringify(task)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: bareEnvironment(),
    },
  )
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    expect(line.toString().trim()).toBe('refused accepted lost')
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const utf16 = (password: Buffer) => Buffer.from(password.toString(), 'utf16le')
    return await countInMemory(child.pid ?? 0, [
      newPassword(),
      utf16(newPassword()),
      servicePassword(),
      utf16(servicePassword()),
    ])
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

test('no copy of the new password or the bind password is left one second after writes that were refused, accepted and lost', async () => {
  expect(await copiesAfterWrite('memory', false)).toEqual([0, 0, 0, 0])
})

test('a copy that is left is found', async () => {
  expect((await copiesAfterWrite('planted', true))[0]).toBeGreaterThan(0)
})

async function copiesAfterWipe(allocate: string): Promise<number> {
  const module = fileURLToPath(new URL('../../../src/memory/wipeable-buffer.ts', import.meta.url))
  const program = `
    const { wipeableBuffer } = await import(${JSON.stringify(module)})
    const secret = ${allocate}
    for (let at = 0; at < secret.length; at++) secret[at] = (at * 37 + 11) & 0xff
    gc({ type: 'minor' })
    gc({ type: 'minor' })
    secret.fill(0)
    console.log('wiped')
    setInterval(() => secret.length, 1000)`
  const flags = ['--expose-gc', '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...flags], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: bareEnvironment(),
  })
  try {
    await once(child.stdout, 'data')
    const [count = 0] = await countInMemory(child.pid ?? 0, [
      Buffer.from(Array.from({ length: 48 }, (_, at) => (at * 37 + 11) & 0xff)),
    ])
    return count
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

test('a short secret survives its wiping in an ordinary buffer, and not in a wipeable one', async () => {
  expect(await copiesAfterWipe('wipeableBuffer(48)')).toBe(0)
  expect(await copiesAfterWipe('Buffer.allocUnsafeSlow(48)')).toBeGreaterThan(0)
})
