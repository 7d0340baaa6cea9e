// What the documents say is what the program is: examples parse, generated parts are fresh.
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from '@jest/globals'
import { PROTECTED_GROUPS } from '../src/agent/decisions/judge-protection.ts'
import { agentConfigSchema, findAgentConfigFaults } from '../src/config/agent-config.ts'
import { parseConfig } from '../src/config/read-config.ts'
import { storeConfigSchema } from '../src/config/store-config.ts'
import {
  type CodeExplanation,
  FAILURE_REASONS,
  NOTICES,
  OUTCOMES,
  REFUSAL_REASONS,
} from '../src/protocol/codes.ts'
import { ENDPOINTS } from '../src/protocol/endpoints.ts'
import { MIGRATIONS } from '../src/reset-store/database/schema.ts'
import { CONDITIONS } from '../src/telemetry/conditions.ts'
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

/** Every page of the manual, by its path from the root. */
const PAGES = [
  'README.md',
  ...readdirSync(path.join(ROOT, 'docs')).map((name) => `docs/${name}`),
  ...globSync('*/README.md', { cwd: path.join(ROOT, 'install') }).map((name) => `install/${name}`),
].filter((name) => name.endsWith('.md'))

/** The name that a heading gets in the address of its page. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-')

const headingsOf = (page: string): readonly string[] =>
  [
    ...read(page)
      .replace(/^ *```.*?^ *```/gms, '')
      .matchAll(/^#+ (.+)$/gm),
  ].map(([, title = '']) => anchorOf(title))

test.each(PAGES)('every link of %s leads to a file, and to a heading where it names one', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => link)
  const broken = links.filter((link) => {
    const [file = '', heading] = link.split('#')
    const target = path.normalize(file === '' ? page : path.join(path.dirname(page), file))
    if (!existsSync(path.join(ROOT, target))) return true
    return heading !== undefined && !headingsOf(target).includes(heading)
  })
  expect(broken).toEqual([])
})

test('the index of the manual leads to every page of it', () => {
  const index = read('docs/README.md')
  const pages = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md')
  expect(pages.filter((page) => !index.includes(`](${path.basename(page)})`))).toEqual([])
})

const STATES_TEST = 'test/e2e/states.test.ts'
/** Where the facts of that suite are. */
const STATES_FACTS = [STATES_TEST, 'test/e2e/state-cells.ts', 'test/e2e/policy-facts.ts']
/** The cells of every row of the tables in a text, without heads and rules. */
const tableRows = (text: string): readonly (readonly string[])[] =>
  [...text.matchAll(/^\| (.*) \|$/gm)]
    .map(([, row = '']) => row.split(' | '))
    .filter((cells) => cells.at(-1) !== 'test' && !cells.includes('next step'))

test('every row of the page on states names a test that is there, and every such test has its row', () => {
  const named = tableRows(read('docs/states.md')).map((cells) => {
    const [, file = STATES_TEST, title = ''] = /^(?:`([^`]+)`: )?(.+)$/.exec(cells.at(-1) ?? '') ?? []
    return { file, title }
  })
  expect(named.length).toBeGreaterThan(75)
  const facts = STATES_FACTS.map(read).join('')
  const textOf = (file: string) => (file === STATES_TEST ? facts : read(file))
  const isThere = (text: string, title: string) => text.includes(`'${title}'`) || text.includes(`'${title} [`)
  expect(named.filter(({ file, title }) => !isThere(textOf(file), title))).toEqual([])
  const there = [...facts.matchAll(/(?:title: |race\(\s*|test\(\s*)'([^']+)'/g)]
  // The faults that a test plays stand behind its title.
  expect(new Set(there.map(([, title]) => title?.replace(/ \[[a-z0-9_, ]+\]$/, '')))).toEqual(
    new Set(named.flatMap(({ file, title }) => (file === STATES_TEST ? title : []))),
  )
})

test('the page on reasons has every outcome, reason and notice, with who acts and the next step of the one table', () => {
  const page = read('docs/reasons.md').split(/^## /m)
  const told = (isHere: (title: string) => boolean) =>
    page
      .filter((part) => isHere(part.split('\n', 1)[0] ?? ''))
      .flatMap((part) => tableRows(part))
      .map((cells) => [cells[0]?.replaceAll('`', ''), { whoActs: cells.at(-2), nextStep: cells.at(-1) }])
  const known = (codes: Readonly<Record<string, CodeExplanation>>) =>
    Object.entries(codes).map(([code, { whoActs, nextStep }]) => [code, { whoActs, nextStep }])
  const [failures, outcomes, notices] = ['Failed is not refused', 'The outcomes themselves', 'Notices']
  expect(told((title) => title === failures)).toEqual(known(FAILURE_REASONS))
  expect(told((title) => title === outcomes)).toEqual(known(OUTCOMES))
  expect(told((title) => title === notices)).toEqual(known(NOTICES))
  const refusals = told((title) => ![failures, outcomes, notices].includes(title))
  expect(Object.fromEntries(refusals)).toEqual(Object.fromEntries(known(REFUSAL_REASONS)))
})

test('the runbook has an entry for every condition, and none for others; each says the same five things', () => {
  const entries = read('docs/runbook.md').split(/^### /m).slice(1)
  expect(new Set(entries.map((entry) => /^`(\w+)`/.exec(entry)?.[1]))).toEqual(
    new Set(Object.keys(CONDITIONS)),
  )
  expect(entries.length).toBe(Object.keys(CONDITIONS).length)
  for (const entry of entries)
    expect([...entry.matchAll(/^- \*\*(\w+):\*\*/gm)].map(([, word]) => word)).toEqual([
      ...['Means', 'Users', 'Check', 'Do', 'Clears'],
    ])
})

test('the commands of the page on rights are those of install/, line by line', () => {
  const installed = ['active-directory', 'openldap']
    .map((name) => read(`install/${name}/README.md`))
    .join('\n')
  const commands = [
    ...read('docs/rights.md').matchAll(/^(?:dsacls|do samba|samba-tool|ldap\w+ -[axY]|sed| *"\(OA).*$/gm),
  ]
  expect(commands.length).toBeGreaterThan(15)
  expect(commands.filter(([line]) => !installed.includes(`${line}\n`))).toEqual([])
})

test('every test that the threat model and the page on disasters name is there', () => {
  const text = `${read('docs/threat-model.md')}${read('docs/disaster-recovery.md')}`.replaceAll(/\s+/g, ' ')
  const named = [...text.matchAll(/`(test\/[\w/-]+(?:\.test)?\.ts)`(?:: ([^|)]+?)(?: \||\.\s|\)))?/g)]
  expect(named.length).toBeGreaterThan(15)
  expect(named.filter(([, , title]) => title !== undefined).length).toBeGreaterThan(10)
  for (const [, file = '', title = ''] of named) expect(read(file)).toContain(title)
})

test('the page on writing a store lists the calls that there are', () => {
  const listed = (/```text\n([\s\S]*?)```/.exec(read('docs/writing-a-reset-store.md')) ?? [])[1] ?? ''
  const calls = Object.values(ENDPOINTS).map(({ method, path }) => `${method.toLowerCase()} ${path}`)
  expect(new Set(listed.trim().split('\n'))).toEqual(new Set(calls))
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
