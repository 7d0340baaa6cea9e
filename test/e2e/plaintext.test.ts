// No password is readable anywhere: logs, Redis, SQLite files, command lines, environments, command output, memory.
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import {
  changedPassword,
  laterPassword,
  newPassword,
  servicePassword,
  wrongPassword,
} from '../servers/canaries.ts'
import { bareEnvironment, runCommand } from '../servers/child-process.ts'
import { DIRECTORY_KINDS, type DirectoryKind } from '../servers/directory-kinds.ts'
import { findForms, type SecretForm, secretForms } from '../servers/secret-forms.ts'
import { startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { isPasswordWrite } from './password-writes.ts'

const MAIN = path.resolve(import.meta.dirname, '../../src/main.ts')
const tooShort = Buffer.from('Cnr-7')
const secrets = {
  newPassword: newPassword(),
  laterPassword: laterPassword(),
  lastPassword: wrongPassword(),
  changedPassword: changedPassword(),
}
describe.each(DIRECTORY_KINDS)('on %s', (kind) => {
  let world: World<DirectoryKind>
  let user: WorldUser
  let output = ''

  /** The command line of the product, its words kept for the search. */
  async function writeback(args: readonly string[], input = ''): Promise<string> {
    const words = await runCommand(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', MAIN, ...args],
      {
        input,
      },
    )
    output += words
    return words
  }

  beforeAll(async () => {
    world = await startWorld({
      kind,
      domain: { policy: { minPasswordLength: 16, minPasswordAgeMs: 0 } },
      directorySettings:
        '    operationTimeoutSeconds: 1.5\n    passwords: { blocklistFile: blocklist.txt, refuseNames: true }',
      beforeAgent: (directory) => writeFileSync(path.join(directory, 'blocklist.txt'), 'letmein\n'),
    })
    user = await world.createUser({ name: 'secretive' })
    const reset = (...words: readonly string[]) => [
      'store',
      'request',
      'reset',
      user.accountName,
      '--config',
      world.storeConfigFile,
      ...words,
    ]
    await writeback(reset('--password-stdin', '--wait'), `${newPassword()}\n`)
    await world.reset(user, tooShort)
    world.proxy?.onRequest(isPasswordWrite, { kind: 'swallow-response' })
    await world.reset(user, laterPassword())
    const held = world.proxy?.onRequest(isPasswordWrite, { kind: 'swallow-request' })
    const request = await world.ask(user, wrongPassword())
    await held?.hit
    await world.agent.kill()
    await world.agent.start()
    expect(await world.verdict(request)).toMatchObject({ outcome: 'applied' })
    const change = (...passwords: readonly Buffer[]) =>
      writeback(
        [
          'store',
          'request',
          'change',
          user.accountName,
          '--password-stdin',
          '--wait',
          '--config',
          world.storeConfigFile,
        ],
        `${passwords.join('\n')}\n`,
      ).catch((error: Error) => {
        output += error.message
      })
    // A wrong current password, one from the history, and one that is taken.
    await change(newPassword(), changedPassword())
    await change(wrongPassword(), laterPassword())
    await change(wrongPassword(), changedPassword())
    expect(await world.domain.canBind(user.principal, changedPassword())).toBe(true)
    await writeback(['store', 'request', 'inspect', user.accountName, '--config', world.storeConfigFile])
    for (const words of [
      ['agent', 'list'],
      ['user', 'list'],
      ['request', 'show', request],
    ])
      await writeback(['store', ...words, '--config', world.storeConfigFile])
    await writeback(['store', 'request', 'show', request, '--json', '--config', world.storeConfigFile])
  }, 90_000)
  afterAll(() => world.stop())

  const formsOf = (): readonly (SecretForm & { readonly secret: string })[] =>
    Object.entries({ ...secrets, servicePassword: servicePassword() }).flatMap(([secret, bytes]) =>
      secretForms(bytes).map((form) => ({ ...form, secret })),
    )

  function filesBelow(directory: string): readonly string[] {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .map((name) => path.join(directory, name))
      .filter((file) => statSync(file).isFile())
  }

  test('no file of store or agent holds a password: logs at debug level, SQLite, Redis', () => {
    const files = filesBelow(world.directory).filter((file) => path.basename(file) !== 'bind-password')
    expect(files.some((file) => file.includes('appendonly'))).toBe(true)
    expect(files.some((file) => file.endsWith('store.db'))).toBe(true)
    expect(files.some((file) => file.endsWith('.jsonl'))).toBe(true)
    const found = files.flatMap((file) =>
      findForms(readFileSync(file), formsOf()).map((form) => `${path.basename(file)}: ${form}`),
    )
    expect(found).toEqual([])
  })

  test('no key of Redis holds more than ids', async () => {
    const socket = path.join(world.directory, 'state', 'redis', 'redis.sock')
    const password = readFileSync(path.join(world.directory, 'state', 'redis', 'password'), 'utf8').trim()
    const dump = await runCommand(
      'redis-cli',
      ['-s', socket, '--user', 'agent', '--no-auth-warning', '--scan'],
      { env: { REDISCLI_AUTH: password } },
    )
    expect(findForms(Buffer.from(dump), formsOf())).toEqual([])
  })

  test('no command printed a password', () => {
    expect(output).toContain('applied')
    expect(findForms(Buffer.from(output), formsOf())).toEqual([])
  })

  test.each(['cmdline', 'environ'])('no %s of any process of the project holds a password', (name) => {
    const pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid))
    const own = [world.agent.pid(), world.store.pid()].map(String)
    const looked = new Set<string>()
    const found = pids.flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/${name}`)
        if (!words.includes(world.directory) && !own.includes(pid)) return []
        looked.add(pid)
        return findForms(words, formsOf())
      } catch {
        return []
      }
    })
    expect(own.every((pid) => looked.has(pid))).toBe(true)
    expect(found).toEqual([])
  })

  test('one second after the outcome no copy of a password is left in the agent’s memory', async () => {
    const [first, second] = [newPassword(), Buffer.from('Canary-Memory!31-sWqd')] as const
    // Nobody's history has these yet.
    const fresh = await world.createUser({ name: 'forgetful' })
    expect(await world.reset(fresh, first)).toMatchObject({ outcome: 'applied' })
    expect(await world.run('change', fresh, { passwords: [first, second] })).toMatchObject({
      outcome: 'applied',
    })
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    for (const password of [first, second]) {
      const forms = secretForms(password).filter(({ name }) => ['UTF-8', 'UTF-16LE'].includes(name))
      expect(scanMemory(world.agent.pid(), forms)).toEqual({})
    }
  }, 60_000)

  test('the scan of a process’s memory would find a password', () => {
    const planted = Buffer.from(newPassword())
    expect(scanMemory(process.pid, [{ name: 'UTF-8', bytes: planted }])['UTF-8']).toBeGreaterThan(0)
  })

  /** How often each form occurs in the writable memory of a process. */
  function scanMemory(pid: number, forms: readonly SecretForm[]): Record<string, number> {
    const counts: Record<string, number> = {}
    const memory = openSync(`/proc/${pid}/mem`, 'r')
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, start = '', end = '', rights = ''] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? []
      if (!rights.startsWith('rw')) continue
      for (const bytes of chunks(memory, BigInt(`0x${start}`), BigInt(`0x${end}`)))
        for (const form of forms)
          for (let at = bytes.indexOf(form.bytes); at >= 0; at = bytes.indexOf(form.bytes, at + 1))
            counts[form.name] = (counts[form.name] ?? 0) + 1
    }
    closeSync(memory)
    return counts
  }

  function* chunks(memory: number, start: bigint, end: bigint): Generator<Buffer> {
    const size = 8n * 1024n * 1024n
    const overlap = 256n
    for (let at = start; at < end; at += size) {
      const length = Number((at + size + overlap < end ? at + size + overlap : end) - at)
      const bytes = Buffer.alloc(length)
      try {
        readSync(memory, bytes, 0, length, at as unknown as number)
        yield bytes
      } catch {
        // Not every mapping can be read.
      }
    }
  }

  describe('the search itself', () => {
    const forms = secretForms(newPassword())
    test.each(forms.map((form) => [form.name, form] as const))('finds a planted leak as %s', (name, form) => {
      const file = path.join(world.directory, 'planted')
      writeFileSync(file, Buffer.concat([Buffer.from('{"some":"'), form.bytes, Buffer.from('"}')]))
      expect(findForms(readFileSync(file), forms)).toContain(name)
    })
    test('starts children with an environment that holds nothing of ours', () => {
      expect(new Set(Object.keys(bareEnvironment()))).toEqual(new Set(['LANG', 'NODE_COMPILE_CACHE', 'PATH']))
    })
  })
})
