// writeback config: holds a configuration against its schema, shows what it comes to, and hands the schema to editors.
import { Argument, type Command } from 'commander'
import { readAgentConfig } from '../config/agent-config.ts'
import { type ConfiguredProgram, writeJsonSchema } from '../config/json-schema.ts'
import { ConfigError, type ConfigFault } from '../config/read-config.ts'
import { readStoreConfig } from '../config/store-config.ts'
import { writeYaml } from '../config/write-yaml.ts'
import { operatorsSocketOf } from './ask-agent.ts'
import { EXIT, type Io, type SetExit, say } from './io.ts'

const EXAMPLES = `
Examples:
  writeback config check agent --config /etc/writeback/agent.yaml
  writeback config show store --config store.yaml
  writeback config schema agent > agent.schema.json`

const CHECK_EXIT = `
Reads the file alone: it may be checked anywhere, also where the files that it names are not.

Exit statuses: 0 no fault; 2 faults, one a line as file:line:column key: fault; or the file cannot be read.

Examples:
  writeback config check agent --config /etc/writeback/agent.yaml
  writeback config check store --json --config store.yaml`

const SHOW_HELP = `
Every default is filled in, and paths are absolute. Of a secret it shows the name of its file, never the content.

Exit statuses: 0 done; 2 the configuration has faults.

Examples:
  writeback config show agent --config agent.yaml
  writeback config show agent --json --config agent.yaml`

const SCHEMA_HELP = `
JSON Schema, draft 7. Editors with the YAML language server take it from the first line of a file:
  # yaml-language-server: $schema=agent.schema.json

Example:
  writeback config schema store > store.schema.json`

interface Words {
  readonly config: string
  readonly json?: boolean
}

/** Adds the command. */
export function addConfigCommand(program: Command, io: Io, setExit: SetExit): void {
  const config = program
    .command('config')
    .description('the configuration files: check one, show what it comes to, print the schema')
    .addHelpText('after', EXAMPLES)
  const add = (name: string, description: string, help: string) =>
    config
      .command(name)
      .description(description)
      .addArgument(new Argument('<program>', 'whose configuration it is').choices(['agent', 'store']))
      .addHelpText('after', help)
  const reading = (command: Command) =>
    command.requiredOption('--config <file>', 'the configuration, YAML').option('--json', 'print JSON')
  reading(add('check', 'tell every fault of a file, with line and column', CHECK_EXIT)).action(
    (name: ConfiguredProgram, words: Words) => setExit(check(io, name, words)),
  )
  reading(add('show', 'print the configuration as the program would take it', SHOW_HELP)).action(
    (name: ConfiguredProgram, words: Words) => show(io, name, words),
  )
  add('schema', 'print the schema of the file, for editors', SCHEMA_HELP).action(
    (name: ConfiguredProgram) => void io.stdout.write(writeJsonSchema(name)),
  )
}

function read(program: ConfiguredProgram, file: string): object {
  if (program === 'store') return readStoreConfig(file)
  const config = readAgentConfig(file)
  return { ...config, ops: { ...config.ops, socket: operatorsSocketOf(config) } }
}

function check(io: Io, program: ConfiguredProgram, { config: file, json }: Words): number {
  const faults = faultsOf(program, file)
  if (json) say(io, JSON.stringify({ file, faults }))
  else printFaults(io, file, faults)
  return faults.length === 0 ? EXIT.done : EXIT.usage
}

function faultsOf(program: ConfiguredProgram, file: string): readonly ConfigFault[] {
  try {
    read(program, file)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}

function printFaults(io: Io, file: string, faults: readonly ConfigFault[]): void {
  for (const { path, line, column, message } of faults)
    say(io, `${file}:${line}:${column} ${path ? `${path}: ` : ''}${message}`)
  say(
    io,
    faults.length === 0 ? `${file}: no fault` : faults.length === 1 ? '1 fault' : `${faults.length} faults`,
  )
}

function show(io: Io, program: ConfiguredProgram, { config: file, json }: Words): void {
  const config = read(program, file)
  if (json) say(io, JSON.stringify(config))
  else io.stdout.write(writeYaml(config))
}
