// The quickstart's own words: each command of this program is one that it takes, and both configurations have no fault. That the
// whole page works was shown on a fresh Debian 12 under systemd, by running its blocks one after the other.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from '@jest/globals'
import { agentConfigSchema, findAgentConfigFaults } from '../../src/config/agent-config.ts'
import { parseConfig } from '../../src/config/read-config.ts'
import { storeConfigSchema } from '../../src/config/store-config.ts'
import { runWords } from '../cli/run-words.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const page = readFileSync(path.join(ROOT, 'docs/quickstart.md'), 'utf8')
const script = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block).join('')

test('both configurations of the quickstart have no fault', () => {
  const [store = '', agent = ''] = [...script.matchAll(/<<'END'\n(.*?)END\n/gs)].map(([, yaml = '']) => yaml)
  expect(parseConfig('store', store, storeConfigSchema).listen.port).toBe(8443)
  expect(parseConfig('agent', agent, agentConfigSchema, findAgentConfigFaults).stateDirectory).toBe(
    '/var/lib/writeback',
  )
})

test('each command of the quickstart is one that the program takes', async () => {
  const commands = [...script.matchAll(/(?:^|\/usr\/local\/bin\/)writeback (.*)$/gm)].map(
    ([, words = '']) => words,
  )
  expect(commands.length).toBeGreaterThan(10)
  for (const command of commands) {
    const words = command.split(/ (?=--)| (?=>)/)
    const [path_ = ''] = words
    const help = await runWords([...path_.split(' ').filter((word) => /^[a-z-]+$/.test(word)), '--help'])
    const options = words.slice(1).flatMap((word) => /^--[a-z-]+/.exec(word) ?? [])
    expect([command, help.status]).toEqual([command, 0])
    for (const option of options) expect(help.out).toContain(option)
  }
})

test('the files of the project that the quickstart names are there', () => {
  const files = [...script.matchAll(/\/opt\/writeback\/(install\/\S+)|\.\/(scripts\/\S+)/g)]
  expect(files.length).toBeGreaterThan(3)
  for (const [, installed, own] of files)
    expect([installed ?? own, existsSync(path.join(ROOT, installed ?? own ?? ''))]).toEqual([
      installed ?? own,
      true,
    ])
})
