// writeback keys: the keys of the running agent of this host, and a new one for passwords to be sealed to.
import type { Command } from 'commander'
import { systemClock } from '../clock/clock.ts'
import { readAgentConfig } from '../config/agent-config.ts'
import { askAgent } from './ask-agent.ts'
import { describeKeys, describeRotation } from './describe-keys.ts'
import { EXIT, type Io, type SetExit, say } from './io.ts'
import { readKeys, readRotation } from './read-keys.ts'

const EXAMPLES = `
Examples:
  writeback keys list --config /etc/writeback/agent.yaml
  writeback keys list --json --config /etc/writeback/agent.yaml | jq -r '.[] | select(.kind == "sealing").id'
  writeback keys rotate --config /etc/writeback/agent.yaml

Both ask the agent on its operators' socket: run them on the agent's host, as root or as the agent's own user. No private
key is ever printed.`

const ROTATE_HELP = `
The agent makes a new sealing key, keeps it, and publishes it to the store; from then on passwords are sealed to it. The old
key opens what was sealed to it before and is wiped when nothing can be sealed to it any more. The agent does this by itself
every keys.rotateDays; by hand it is for a key that may be in the wrong hands.

Exit statuses: 0 the store seals to the new key; 1 it does not yet, or nothing was made; 2 bad usage or configuration.`

interface Words {
  readonly config: string
  readonly json?: boolean
}

/** Adds the command. */
export function addKeysCommand(program: Command, io: Io, setExit: SetExit): void {
  const keys = program
    .command('keys')
    .description('the agent’s keys: list them, change to a new sealing key')
    .addHelpText('after', EXAMPLES)
  const add = (name: string, description: string) =>
    keys
      .command(name)
      .description(description)
      .requiredOption('--config <file>', 'the agent’s configuration, YAML')
      .option('--json', 'print the agent’s answer as JSON')
  add('list', 'print kind, id, age, end and state of every key')
    .addHelpText('after', '\nExit statuses: 0 done; 1 no answer from an agent; 2 bad usage or configuration.')
    .action((words: Words) => list(io, words))
  add('rotate', 'make a new sealing key now')
    .addHelpText('after', ROTATE_HELP)
    .action(async (words: Words) => setExit(await rotate(io, words)))
}

async function list(io: Io, words: Words): Promise<void> {
  const config = readAgentConfig(words.config)
  const keys = await askAgent(config, { method: 'GET', path: '/keys', read: readKeys })
  if (words.json) return say(io, JSON.stringify(keys))
  for (const line of describeKeys(keys, systemClock.wallMs())) say(io, line)
}

async function rotate(io: Io, words: Words): Promise<number> {
  const config = readAgentConfig(words.config)
  const rotation = await askAgent(config, {
    ...{ method: 'POST', path: '/keys/rotate', read: readRotation },
    withinMs: ROTATE_LIMIT_MS,
  })
  if (words.json) say(io, JSON.stringify(rotation))
  else for (const line of describeRotation(rotation)) say(io, line)
  return rotation.state === 'rotated' ? EXIT.done : EXIT.failed
}

// Deriving a key from the passphrase, and one call to a slow store.
const ROTATE_LIMIT_MS = 20_000
