// What the documents say is what the program is: examples parse, generated parts are fresh.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from '@jest/globals'
import { agentConfigSchema } from '../src/config/agent-config.ts'
import { parseConfig } from '../src/config/read-config.ts'
import { storeConfigSchema } from '../src/config/store-config.ts'
import { runCommand } from './servers/child-process.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8')

test('the example configurations are valid', () => {
  expect(
    parseConfig('agent', read('config/agent.example.yaml'), agentConfigSchema).directories,
  ).toHaveProperty('corp')
  expect(parseConfig('store', read('config/store.example.yaml'), storeConfigSchema).listen.port).toBe(8443)
})

test('the generated references are fresh', async () => {
  await runCommand(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    path.join(ROOT, 'scripts/make-reference.ts'),
    '--check',
  ])
})

test('every file that the README links to is there', () => {
  const links = [...read('README.md').matchAll(/\]\((?!#|https?:)([^)#]+)/g)].map(([, link = '']) => link)
  expect(links.length).toBeGreaterThan(3)
  for (const link of links)
    expect(() => read(link.startsWith('test/vectors') ? 'test/vectors/keys.json' : link)).not.toThrow()
})
