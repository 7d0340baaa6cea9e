// What the documents say is what the program is: examples parse, generated parts are fresh.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from '@jest/globals'
import { PROTECTED_GROUPS } from '../src/agent/decisions/judge-protection.ts'
import { agentConfigSchema, findAgentConfigFaults } from '../src/config/agent-config.ts'
import { parseConfig } from '../src/config/read-config.ts'
import { storeConfigSchema } from '../src/config/store-config.ts'
import { REFUSAL_REASONS } from '../src/protocol/codes.ts'
import { MIGRATIONS } from '../src/reset-store/database/schema.ts'
import { runCommand } from './servers/child-process.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8')

test('the example configurations are valid', () => {
  expect(
    parseConfig('agent', read('config/agent.example.yaml'), agentConfigSchema).directories,
  ).toHaveProperty('corp')
  expect(
    parseConfig('agent', read('config/agent.openldap.example.yaml'), agentConfigSchema, findAgentConfigFaults)
      .directories,
  ).toHaveProperty('people')
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

test('every file that the manual links to is there', () => {
  for (const page of ['operations', 'states', 'reasons', 'codes', 'openldap', 'status', 'service', 'quickstart']) {
    const links = [...read(`docs/${page}.md`).matchAll(/\]\(([^)#]+)/g)].map(([, link = '']) => link)
    expect(links).not.toEqual([])
    expect(links.filter((link) => !existsSync(path.join(ROOT, 'docs', link)))).toEqual([])
  }
})

const STATES_TEST = 'test/e2e/states.test.ts'
/** Where the facts of that suite are. */
const STATES_FACTS = [STATES_TEST, 'test/e2e/state-cells.ts', 'test/e2e/policy-facts.ts']
/** The cells of every row of the tables in a page, without heads and rules. */
const rowsOf = (page: string): readonly (readonly string[])[] =>
  [...read(page).matchAll(/^\| (.*) \|$/gm)]
    .map(([, row = '']) => row.split(' | '))
    .filter((cells) => cells.at(-1) !== 'test' && !cells.includes('next step'))

test('every row of the page on states names a test that is there, and every such test has its row', () => {
  const named = rowsOf('docs/states.md').map((cells) => {
    const [, file = STATES_TEST, title = ''] = /^(?:`([^`]+)`: )?(.+)$/.exec(cells.at(-1) ?? '') ?? []
    return { file, title }
  })
  expect(named.length).toBeGreaterThan(75)
  const facts = STATES_FACTS.map(read).join('')
  const textOf = (file: string) => (file === STATES_TEST ? facts : read(file))
  expect(named.filter(({ file, title }) => !textOf(file).includes(`'${title}'`))).toEqual([])
  const there = [...facts.matchAll(/(?:title: |race\(\s*|test\(\s*)'([^']+)'/g)]
  expect(new Set(there.map(([, title]) => title))).toEqual(
    new Set(named.flatMap(({ file, title }) => (file === STATES_TEST ? title : []))),
  )
})

test('the page on reasons has every reason for a refusal, with who acts and the next step of the one table', () => {
  const rows = new Map(
    rowsOf('docs/reasons.md').map((cells) => [cells[0], { whoActs: cells.at(-2), nextStep: cells.at(-1) }]),
  )
  expect(Object.fromEntries(rows)).toEqual(
    Object.fromEntries(
      Object.entries(REFUSAL_REASONS).map(([code, { whoActs, nextStep }]) => [
        `\`${code}\``,
        { whoActs, nextStep },
      ]),
    ),
  )
})

test('the manual lists the protected groups of the program, and no others', () => {
  const rows = [...read('docs/scope.md').matchAll(/^\| (.+) \| `(S-1-\S+)` \|$/gm)]
  expect(rows.map(([, name]) => name)).toEqual(Object.keys(PROTECTED_GROUPS))
  for (const [, name = '', sid = ''] of rows)
    expect([name, sid.replace('…', '1-22-333')]).toEqual([
      name,
      expect.stringMatching(PROTECTED_GROUPS[name] as RegExp),
    ])
})

test('the manual’s configuration of the scope is valid, and its limits are the defaults', () => {
  const text = `store: { url: "https://reset.example.com" }\nstateDirectory: state\n`
  const parsed = (yaml: string) => parseConfig('agent', text + yaml, agentConfigSchema).directories['corp']
  const example = (/```yaml\n([\s\S]*?)```/.exec(read('docs/scope.md')) ?? [])[1] ?? ''
  const { scope, protection, limits } = parsed(example) ?? {}
  expect(scope?.units).toEqual(['OU=Staff,DC=corp,DC=example', 'OU=Sales\\, East,DC=corp,DC=example'])
  expect([scope?.groups, protection?.groups]).toEqual([expect.any(Array), expect.any(Array)])
  expect(limits).toEqual(parsed(example.replace(/^ *limits:.*\n/m, ''))?.limits)
  expect(read('docs/scope.md')).toContain(`| \`perAccountAndHour\` | ${limits?.perAccountAndHour} |`)
  expect(read('docs/scope.md')).toContain(`| \`perMinute\` | ${limits?.perMinute} |`)
  expect(read('docs/scope.md')).toContain(`| ${limits?.burst} within ${limits?.burstMinutes} |`)
})

test('the manual’s question to the store’s database can be asked', () => {
  const database = new DatabaseSync(':memory:')
  for (const step of MIGRATIONS) database.exec(step)
  const actor = JSON.stringify({ kind: 'help_desk', name: 'ada', methods: [], audit: 'a' })
  database
    .prepare(
      `INSERT INTO requests (id, directory, anchor, display_name, operation, options, actor, creator, created_at,
         expires_at, offered_keys, state) VALUES (?, 'corp', 'x', 'X', 'reset', '{}', ?, 'c', ?, 0, '[]', 'open')`,
    )
    .run('r', actor, Date.now())
  const sql = (/```sql\n([\s\S]*?)```/.exec(read('docs/scope.md')) ?? [])[1] ?? ''
  expect(database.prepare(sql).all()).toMatchObject([
    { kind: 'help_desk', name: 'ada', operation: 'reset', requests: 1, accounts: 1 },
  ])
})
