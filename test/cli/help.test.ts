// The help of every command: what it ends with, and an example that it takes.
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

test('every example has the words of a command that is there', async () => {
  const examples = [...helpOf.values()].flatMap((help) =>
    [...help.matchAll(/^ {2}(?:sudo )?writeback (.+)$/gm)].map(([, words = '']) => words),
  )
  expect(examples.length).toBeGreaterThan(60)
  for (const example of examples) {
    const names = [...helpOf.keys()].filter((one) => one !== '' && `${example} `.startsWith(`${one} `))
    const help = helpOf.get(names.toSorted((a, b) => b.length - a.length)[0] ?? '') ?? ''
    const options = [...example.replace(/"[^"]*"/g, '').matchAll(/ (--[a-z-]+)/g)].map(
      ([, option = '']) => option,
    )
    expect([example, names.length > 0, options.filter((option) => !help.includes(`${option} `))]).toEqual([
      example,
      true,
      [],
    ])
  }
})
