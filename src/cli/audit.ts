// writeback audit: shows the agent's audit record, holds it against itself, and hands it on. Works beside a running agent.
import { closeSync, openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import { auditDirectoryOf } from '../agent/audit/audit-files.ts'
import { EXPORT_FORMATS, type ExportName } from '../agent/audit/export-formats.ts'
import { type AuditQuestion, readAudit } from '../agent/audit/read-audit.ts'
import type { AuditVerdict } from '../agent/audit/verify-audit.ts'
import { readAgentConfig } from '../config/agent-config.ts'
import { WritebackError } from '../errors/writeback-error.ts'
import { describeRecord } from './describe-record.ts'
import { EXIT, type Io, type SetExit, say } from './io.ts'
import { readSince } from './read-since.ts'

const EXAMPLES = `
Examples:
  writeback audit show --since 2h --config agent.yaml
  writeback audit show --request 0199c0de-0000-7000-8000-000000000001 --json --config agent.yaml
  writeback audit verify --config agent.yaml
  writeback audit export --format csv --since 2026-10-01 --out october.csv --config agent.yaml`

const VERIFY_EXIT = `
Exit statuses: 0 every byte is as the agent wrote it; 1 something was changed, is missing or cannot be read; 2 bad usage.`

interface Words {
  readonly config: string
  readonly json?: boolean
  readonly request?: string
  readonly since?: string
  readonly format?: ExportName
  readonly out?: string
}

/** Adds the command. */
export function addAuditCommand(program: Command, io: Io, setExit: SetExit): void {
  const audit = program
    .command('audit')
    .description('the record of every write: show it, check it, hand it on')
    .addHelpText('after', EXAMPLES)
  const add = (name: string, description: string) =>
    audit
      .command(name)
      .description(description)
      .requiredOption('--config <file>', 'the agent’s configuration, YAML')
  const choosing = (command: Command) =>
    command
      .option('--request <id>', 'only records of this request')
      .option(
        '--since <time>',
        'only records from this time on: 2026-10-01, 2026-10-01T08:00:00Z, 30m, 2h, 7d',
      )
  choosing(add('show', 'print records, oldest first'))
    .option('--json', 'print each record as it stands in the file')
    .action((words: Words) => show(io, words))
  add('verify', 'hold the whole record against itself: every byte, every signature, and its end')
    .option('--json', 'print the verdict as JSON')
    .addHelpText('after', VERIFY_EXIT)
    .action(async (words: Words) => setExit(await verify(io, words)))
  choosing(add('export', 'write records for another system'))
    .addOption(
      new Option('--format <form>', 'json: the lines themselves; csv: a table; cef: Common Event Format')
        .choices(Object.keys(EXPORT_FORMATS))
        .makeOptionMandatory(),
    )
    .option('--out <file>', 'a new file, mode 0600, instead of standard output')
    .action((words: Words) => exportRecords(io, words))
}

async function show(io: Io, words: Words): Promise<void> {
  await eachRecord(io, words, ({ line, text }) => say(io, words.json ? text : describeRecord(line)))
}

async function exportRecords(io: Io, words: Words): Promise<void> {
  const { head, row } = EXPORT_FORMATS[words.format ?? 'json']
  const file = words.out === undefined ? undefined : openNew(words.out)
  const write = (text: string) => void (file === undefined ? io.stdout.write(text) : writeSync(file, text))
  try {
    write(head)
    await eachRecord(io, words, (record) => write(row(record)))
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function openNew(file: string): number {
  try {
    return openSync(file, 'wx', 0o600)
  } catch (cause) {
    throw new WritebackError('ERR_USAGE', `${file} cannot be made; it must not be there yet`, { cause })
  }
}

async function eachRecord(io: Io, words: Words, take: Parameters<typeof readAudit>[2]): Promise<void> {
  const question: AuditQuestion = {
    ...(words.request === undefined ? {} : { request: words.request }),
    ...(words.since === undefined ? {} : { sinceMs: readSince(words.since, Date.now()) }),
  }
  const directory = directoryOf(words)
  const { files, damaged } = await readable(directory, () => readAudit(directory, question, take))
  if (files === 0) throw new WritebackError('ERR_AUDIT_UNREADABLE', `there is no audit file in ${directory}`)
  if (damaged > 0)
    io.stderr.write(`writeback: left out: ${counted(damaged, 'damaged line')}; see: writeback audit verify\n`)
}

const directoryOf = ({ config }: Words): string => auditDirectoryOf(readAgentConfig(config).stateDirectory)

async function readable<T>(directory: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (cause) {
    if (cause instanceof WritebackError) throw cause
    throw new WritebackError('ERR_AUDIT_UNREADABLE', `the audit record in ${directory} cannot be read`, {
      cause,
    })
  }
}

const LOOKS = 5
const LOOK_MS = 200

async function verify(io: Io, words: Words): Promise<number> {
  const { stateDirectory } = readAgentConfig(words.config)
  // Loaded here: no other command needs them.
  const { readEnrolment } = await import('../agent/keys/enrolment-file.ts')
  const { isFleeting, verifyAudit } = await import('../agent/audit/verify-audit.ts')
  const enrolment = await readEnrolment(stateDirectory)
  if (!enrolment) throw new WritebackError('ERR_ENROLMENT_MISSING', `no enrolment in ${stateDirectory}`)
  const directory = auditDirectoryOf(stateDirectory)
  const look = () => readable(directory, () => verifyAudit(directory, enrolment.enrolled.identity))
  let verdict = await look()
  // A running agent may be in the middle of a line, or remove an old file, while it is read.
  for (let looks = 1; looks < LOOKS && isFleeting(verdict); looks += 1) {
    await sleep(LOOK_MS)
    verdict = await look()
  }
  if (words.json) say(io, JSON.stringify(verdict))
  else printVerdict(io, verdict)
  return verdict.faults.length === 0 ? EXIT.done : EXIT.failed
}

const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

function printVerdict(io: Io, verdict: AuditVerdict): void {
  for (const { file, line, what } of verdict.faults)
    say(io, file === '' ? what : line === 0 ? `${file}: ${what}` : `${file}:${line}: ${what}`)
  const { records, files, checkpoints, writes, unanswered, first, last } = verdict
  const span = `${counted(records, 'record')} (${first} to ${last})`
  say(io, `${span} in ${counted(files, 'file')}, ${counted(checkpoints, 'signed checkpoint')}`)
  say(io, `${counted(writes, 'write')}, ${unanswered} of them without a result yet`)
  say(io, verdict.faults.length === 0 ? 'the record is whole' : counted(verdict.faults.length, 'fault'))
}
