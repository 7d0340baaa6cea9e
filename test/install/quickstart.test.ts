// The quickstart's own words: each command of this program is one that it takes, and both configurations have no fault. That the
// whole page works is shown by ./scripts/prove quickstart; what that one compares by is tried here.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from '@jest/globals'
import { agentConfigSchema, findAgentConfigFaults } from '../../src/config/agent-config.ts'
import { parseConfig } from '../../src/config/read-config.ts'
import { storeConfigSchema } from '../../src/config/store-config.ts'
import { runWords } from '../cli/run-words.ts'
import { isAsShown } from '../quickstart/compare-output.ts'
import { readPage } from '../quickstart/read-page.ts'

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

test('the page is read as blocks of lines to type, each with the output that is shown below it', () => {
  const text = '# A\n\n```sh\none\ntwo # 2\n```\n\nwords\n\n```text\n1\n```\n\n## B\n\n```sh\nthree\n```\n'
  expect(readPage(text)).toEqual([
    { heading: 'A', lines: ['one', 'two # 2'], shown: ['1'] },
    { heading: 'B', lines: ['three'], shown: undefined },
  ])
  expect(() => readPage('```text\n1\n```\n')).toThrow('an output of no commands')
  const blocks = readPage(page)
  expect(blocks.flatMap(({ lines }) => lines).join('\n')).toBe(script.trimEnd())
  expect(blocks.filter(({ shown }) => shown !== undefined).length).toBeGreaterThan(8)
})

const SHOWN = [
  'writeback 0.1.0  READY  2026-11-22 14:35:09 UTC',
  '  agent  01a203ad-92cf-70d7-a5b9-10501ef6942f, up 2 s',
  '…',
  'temporary password, shown once: S9mP-3jPN-26AK-bbak',
  '7 records (1 to 7) in 1 file, 3 signed checkpoints',
  'active, process 888, starts with the machine',
]
const CAME = [
  'writeback 0.1.0  READY  2027-01-01 00:00:00 UTC',
  '  agent    0199c0de-0000-7000-8000-000000000001, up 1 min',
  'one more',
  'and another',
  'temporary password, shown once: abcd-EFGH-2345-jkmn',
  '9 records (1 to 9) in 1 file, 5 signed checkpoints',
  'active, process 8358, starts with the machine',
]

test('an output is as shown when nothing but times, ids, passwords, lengths of time and lines left out differ', () => {
  expect(isAsShown(SHOWN, CAME)).toBe(true)
  expect(isAsShown([], [])).toBe(true)
  expect(isAsShown(['…'], [])).toBe(true)
})

test.each([
  ['a word', CAME.with(0, 'writeback 0.1.0  NOT READY  2027-01-01 00:00:00 UTC')],
  ['a version', CAME.with(0, 'writeback 0.2.0  READY  2027-01-01 00:00:00 UTC')],
  ['a line that is missing', CAME.toSpliced(0, 1)],
  ['a line more at the end', [...CAME, 'FAILED']],
  ['a password that is none', CAME.with(4, 'temporary password, shown once: ')],
  ['the order', CAME.toReversed()],
  ['no output', []],
])('an output is not as shown when %s differs', (_, came) => {
  expect(isAsShown(SHOWN, came)).toBe(false)
})
