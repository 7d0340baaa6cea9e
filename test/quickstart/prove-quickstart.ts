// ./scripts/prove quickstart [--keep]: the page docs/quickstart.md on a fresh Debian 12, in one pass. Types every line of its blocks on a
// terminal, compares what it shows with what came, and looks itself whether the service runs and the password was reset. Ends with 1
// when something is not as the page says. --keep leaves the machine running until Ctrl-C. As root.
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { runCommand } from '../servers/child-process.ts'
import { checkGone, checkReset, type Look } from './check-machine.ts'
import { isAsShown } from './compare-output.ts'
import { bootMachine, type FreshMachine } from './fresh-machine.ts'
import { makeRoot, removeRoot } from './fresh-root.ts'
import { readDebianSources, writeNpmSettings } from './package-sources.ts'
import { type PageBlock, readPage } from './read-page.ts'
import { openSession, type TypedSession } from './typed-session.ts'

const PROJECT = path.resolve(import.meta.dirname, '../..')
const LOGS = path.join(PROJECT, '.cache/logs')
const LOG = path.join(LOGS, 'quickstart.log')
const LINE_LIMIT_MS = 20 * 60_000
/** The one word that the page says not to type as it stands, and what is typed here. */
const [ADDRESS, CLONE] = ['ADDRESS', '/srv/project.git']
const PASSWORD = /\b[A-Za-z2-9]{4}(?:-[A-Za-z2-9]{4}){3}\b/
const LAST_BEFORE_CHECK = '6. A reset'

const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } })
const began = performance.now()
const counts = { lines: 0, shown: 0, looks: 0, failed: 0 }
let password = ''

mkdirSync(LOGS, { recursive: true })
writeFileSync(LOG, '')
if (process.getuid?.() !== 0) throw new Error('a machine of its own is made by root alone: run this as root')
const stopped = Promise.withResolvers<'stopped'>()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.resolve('stopped'))
await prove()
tell(
  `${counts.lines} lines typed, ${counts.shown} outputs compared, ${counts.looks} looks, ${counts.failed} failed, ${secondsSince(began)}`,
)
process.exit(counts.failed === 0 ? 0 : 1)

async function prove(): Promise<void> {
  const sources = await readDebianSources()
  tell('making a fresh Debian 12')
  const root = await makeRoot(sources, path.join(LOGS, 'debootstrap.log'))
  try {
    const clone = path.join(root, CLONE)
    await runCommand('git', ['clone', '-q', '--bare', `file://${PROJECT}`, clone])
    const blocks = readPage(await runCommand('git', ['--git-dir', clone, 'show', 'HEAD:docs/quickstart.md']))
    const environment = await writeNpmSettings(root)
    const machine = await bootMachine(root, path.join(LOGS, 'machine.log'))
    tell(`systemd runs there as process 1 after ${secondsSince(began)}`)
    try {
      const end = await Promise.race([typePage(machine, environment, blocks), stopped.promise])
      if (end === 'stopped') fail('stopped before its end', [])
      if (values.keep) tell(`kept until Ctrl-C: nsenter ${machine.enter.join(' ')} bash`)
      if (values.keep) await stopped.promise
    } finally {
      await machine.end()
    }
  } finally {
    await removeRoot(root)
  }
}

async function typePage(
  machine: FreshMachine,
  environment: Readonly<Record<string, string>>,
  blocks: readonly PageBlock[],
): Promise<void> {
  const checked = blocks.findLastIndex(({ heading }) => heading === LAST_BEFORE_CHECK)
  if (checked === -1) throw new Error(`the page has no part “${LAST_BEFORE_CHECK}”`)
  const replies = [{ asks: /Enter LDAP Password: $/, reply: () => password }]
  const session = await openSession(machine, environment, replies)
  for (const [at, block] of blocks.entries()) {
    if (!(await typeBlock(session, block))) return
    if (at === checked) count(await checkReset(machine, password))
  }
  count(await checkGone(machine))
  session.end()
}

/** Types the lines of a block; false when one failed, after which the others mean nothing. */
async function typeBlock(session: TypedSession, block: PageBlock): Promise<boolean> {
  const came: string[] = []
  for (const line of block.lines) {
    const since = performance.now()
    const { lines, status } = await session.type(line.replace(ADDRESS, CLONE), LINE_LIMIT_MS)
    came.push(...lines)
    counts.lines += 1
    password = PASSWORD.exec(lines.join('\n'))?.[0] ?? password
    tell(`# ${line}${status === undefined ? '' : `   (${secondsSince(since)})`}`)
    keep(lines)
    if (status !== undefined && status !== 0) {
      fail(`“${line}” ended with ${status}`, lines.slice(-20))
      return false
    }
  }
  if (block.shown === undefined) return true
  counts.shown += 1
  if (!isAsShown(block.shown, came))
    fail(`the output in “${block.heading}” is not as shown`, ['shown:', ...block.shown, 'came:', ...came])
  return true
}

function count(looks: readonly Look[]): void {
  for (const { what, fault } of looks) {
    counts.looks += 1
    if (fault === undefined) tell(`as it should be: ${what}`)
    else fail(what, [fault])
  }
}

function fail(what: string, more: readonly string[]): void {
  counts.failed += 1
  tell([`FAILED: ${what}`, ...more].join('\n  '))
}

/** To the screen and to the log; the outputs of the commands go to the log alone. */
function tell(line: string): void {
  process.stdout.write(`${line}\n`)
  keep([line])
}

function keep(lines: readonly string[]): void {
  if (lines.length > 0) appendFileSync(LOG, `${lines.join('\n')}\n`)
}

function secondsSince(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`
}
