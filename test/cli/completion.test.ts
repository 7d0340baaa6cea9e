// writeback completion: the script for bash in a real bash, and the one for PowerShell held against it, word by word.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { runCommand } from '../servers/child-process.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { runWords } from './run-words.ts'

const directory = makeScratchDirectory()
const bashScript = path.join(directory, 'completion.sh')
let powershell = ''

beforeAll(async () => {
  writeFileSync(bashScript, (await run('completion bash')).out)
  powershell = (await run('completion powershell')).out
  mkdirSync(path.join(directory, 'files'))
  writeFileSync(path.join(directory, 'files', 'agent one.yaml'), '')
  writeFileSync(path.join(directory, 'files', 'agent-two.yaml'), '')
})
afterAll(() => removeScratchDirectory(directory))

const run = (words: string) => runWords(words.split(' '))

/** What a bash offers after each of the lines, whose last word is the unfinished one. */
async function offered(lines: readonly string[]): Promise<readonly (readonly string[])[]> {
  const complete = `source "$1"; shift
for line; do
  read -r -a COMP_WORDS <<<"$line"
  [[ $line == *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
  _writeback
  (IFS='|'; printf '%s\\n' "\${COMPREPLY[*]}")
done`
  const out = await runCommand('bash', ['--norc', '-c', complete, 'bash', bashScript, ...lines], {
    cwd: path.join(directory, 'files'),
  })
  return out
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => line.split('|').filter(Boolean))
}

test('bash offers commands, options and choices where they belong', async () => {
  expect(
    await offered([
      'writeback au',
      'writeback audit ',
      'writeback audit export --f',
      'writeback audit export --format ',
      'writeback audit export --format c',
      'writeback config schema s',
      'writeback store request reset ada --as h',
      'writeback status --config x.yaml --w',
      'writeback nonsense au',
    ]),
  ).toEqual([
    ['audit'],
    ['show', 'verify', 'export', 'help', '-h', '--help'],
    ['--format'],
    ['json', 'csv', 'cef'],
    ['csv', 'cef'],
    ['store'],
    ['help-desk'],
    ['--watch'],
    ['audit'],
  ])
})

test('bash offers files where an option takes one, and nothing where it takes a word', async () => {
  const [files = [], ...others] = await offered([
    'writeback agent --config ',
    'writeback agent --config agent-',
    'writeback store --config store user l',
    'writeback enroll --name ',
  ])
  expect(new Set(files)).toEqual(new Set(['agent one.yaml', 'agent-two.yaml']))
  expect(others).toEqual([['agent-two.yaml'], ['list'], []])
})

/** Names and flags that the help of a command shows. */
async function helpOf(command: string) {
  const { out } = await run(`${command} --help`.replace('writeback ', ''))
  const section = (title: string) => new RegExp(`\\n${title}:\\n((?: {2}.*\\n)+)`).exec(out)?.[1] ?? ''
  const flags = [...section('Options').matchAll(/^ {2}((?:-\w, )?--[\w-]+)/gm)].flatMap(([, words = '']) =>
    words.split(', '),
  )
  const names = [...section('Commands').matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, name = '']) => name)
  return { flags, names }
}

test('both shells offer every command and option that the help shows, at every command', async () => {
  const tables = new Map(
    [...powershell.matchAll(/^ {4}'(.+)' = @\((.*)\)$/gm)].map(([, key = '', words = '']) => [
      key,
      words.split(', ').flatMap((word) => (word === '' ? [] : word.slice(1, -1))),
    ]),
  )
  const open = ['writeback']
  let options = 0
  for (let command = open.pop(); command !== undefined; command = open.pop()) {
    const { flags, names } = await helpOf(command)
    const [words = []] = await offered([`${command} `])
    expect([command, words]).toEqual([command, expect.arrayContaining([...flags, ...names])])
    expect([command, tables.get(command)]).toEqual([command, words])
    const choices = words.filter((word) => !flags.includes(word) && !names.includes(word))
    if (choices.length > 0) expect(command).toMatch(/^writeback (config \w+|completion)$/)
    options += flags.length
    open.push(...names.filter((name) => name !== 'help').map((name) => `${command} ${name}`))
  }
  expect(options).toBeGreaterThan(100)
  expect(tables.get('writeback audit export --format')).toEqual(['json', 'csv', 'cef'])
  expect(tables.get('writeback agent --config')).toEqual([])
})

test('every bracket of the script for PowerShell is closed, and no word would end a text of it', () => {
  const code = powershell.replace(/'[^'\n]*'|#.*$/gm, '')
  expect(code).not.toContain("'")
  for (const [open, close] of ['{}', '()', '[]'])
    expect(code.split(open ?? '').length).toBe(code.split(close ?? '').length)
})

test.each(['completion', 'completion fish', 'completion bash more'])('%s is bad usage', async (words) => {
  expect(await run(words)).toMatchObject({ status: 2, out: '' })
})
