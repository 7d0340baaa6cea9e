// The help of every command: what it ends with, and an example that it takes. The manual's commands are those, too.
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, expect, test } from '@jest/globals'
import { runWords } from './run-words.ts'

/** Help by the names of a command, all of them, read from the help of the one above. */
const helpOf = new Map<string, string>()

async function read(names: readonly string[]): Promise<void> {
  const { out } = await runWords([...names, '--help'])
  helpOf.set(names.join(' '), out)
  const [, list = ''] = out.split(/^Commands:\n/m)
  for (const [, name = ''] of list.split('\n\n', 1)[0]?.matchAll(/^ {2}([a-z][a-z-]*)/gm) ?? [])
    if (name !== 'help') await read([...names, name])
}

beforeAll(() => read([]))

const hasCommands = (help: string): boolean => /^Commands:$/m.test(help)
/** Commands that do something: those without others below them, and the store itself. */
const doing = () => [...helpOf].filter(([names, help]) => names === 'store' || !hasCommands(help))

test('there are as many commands as the manual speaks of', () => {
  expect(doing().length).toBeGreaterThan(35)
})

test('every command tells its exit statuses', () => {
  const silent = doing().filter(([, help]) => !/^Exit statuses/m.test(help))
  expect(silent.map(([names]) => names)).toEqual([])
})

test('every command has an example of itself', () => {
  const silent = doing().filter(
    ([names, help]) => !help.includes(`writeback ${names} `, help.indexOf('Example')),
  )
  expect(silent.map(([names]) => names)).toEqual([])
})

/** The longest command that a line begins with; the program itself when it begins with none. */
const commandOf = (line: string): string =>
  [...helpOf.keys()]
    .filter((names) => `${line} `.startsWith(`${names} `))
    .toSorted((a, b) => b.length - a.length)[0] ?? ''

/** What is wrong with a command line: no such command, or options that it does not take. */
function faultsOf(line: string): readonly string[] {
  const own = line.replaceAll(/"[^"]*"|'[^']*'/g, '').split(/ (?:[|<>#]|&&) ?|[;)]/, 1)[0] ?? ''
  const names = commandOf(own)
  const options = [...own.matchAll(/ \[?(--[a-z-]+)/g)].map(([, option = '']) => option)
  const help = helpOf.get(names) ?? ''
  const unknown = options.filter((option) => !new RegExp(`${option}(?![a-z-])`).test(help))
  const isKnown = names !== '' || /^(?:-|$)/.test(own)
  return [...(isKnown ? [] : ['no command']), ...unknown].map((fault) => `${fault}: writeback ${line}`)
}

test('every example has the words of a command that is there', () => {
  const examples = [...helpOf.values()].flatMap((help) =>
    [...help.matchAll(/^ {2}(?:sudo )?writeback (.+)$/gm)].map(([, words = '']) => words),
  )
  expect(examples.length).toBeGreaterThan(60)
  expect(examples.flatMap(faultsOf)).toEqual([])
  expect(faultsOf('store user add ada --anchors x')).toEqual([
    '--anchors: writeback store user add ada --anchors x',
  ])
  expect(faultsOf('rest --config x')).toHaveLength(2)
})

const ROOT = path.resolve(import.meta.dirname, '../..')
const PAGES = ['README.md', ...globSync(['docs/*.md', 'install/*/README.md'], { cwd: ROOT })]

test('every command in the manual is one that the program takes, with its options', () => {
  const lines = PAGES.flatMap((page) => {
    const text = readFileSync(path.join(ROOT, page), 'utf8')
    return [...text.matchAll(/(?:^ *(?:\$ )?(?:sudo )?|`)writeback ([a-z-][^`\n]*)/gm)].map(([, line = '']) =>
      line.replace(/\b(check|list)\|\S+/, '$1').replace(/bash\|powershell/, 'bash'),
    )
  })
  const commands = lines.filter((line) => /--|^[a-z-]+(?: [a-z-]+)*$/.test(line))
  expect(commands.length).toBeGreaterThan(100)
  expect(commands.flatMap(faultsOf)).toEqual([])
})
