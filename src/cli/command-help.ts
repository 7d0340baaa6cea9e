// Exit statuses and examples in the help of the commands that say none themselves. A test holds that every command has both.
import type { Command } from 'commander'

interface Help {
  /** Undefined: the command tells them itself. */
  readonly exits?: string
  readonly examples: readonly string[]
}

const EXITS = '0 done; 1 failed; 2 bad usage or configuration.'
const OF_THE_QUEUE = '0 done; 1 not done, and why; 2 bad usage or configuration; 3 no answer from an agent.'
const READING = '0 done; 1 there is no record that can be read; 2 bad usage or configuration.'
const AGENT = '--config /etc/writeback/agent.yaml'
const STORE = '--config store.yaml'
const ID = '0199c0de-0000-7000-8000-000000000001'
const ANCHOR = '5f3c2b1a-0000-4000-8000-000000000001'
const ADD_USER = `store user add ada --display-name "Ada Example" --directory corp --anchor ${ANCHOR} ${STORE}`

/** By the names of a command from the program on. */
const HELP: Readonly<Record<string, Help>> = {
  enroll: { exits: EXITS, examples: [] },
  'breaker close': {
    exits:
      '0 done, also where it was not open; 1 failed, or no answer from an agent; 2 bad usage or configuration.',
    examples: [],
  },
  'config schema': { exits: '0 done; 2 bad usage.', examples: [] },
  'queue list': {
    exits: OF_THE_QUEUE,
    examples: [`queue list ${AGENT}`, `queue list --directory corp --limit 500 --json ${AGENT}`],
  },
  'queue show': { exits: OF_THE_QUEUE, examples: [`queue show ${ID} ${AGENT}`] },
  'queue retry': { exits: OF_THE_QUEUE, examples: [`queue retry ${ID} ${AGENT}`] },
  'queue drop': { exits: OF_THE_QUEUE, examples: [`queue drop ${ID} ${AGENT}`] },
  'queue pause': { exits: OF_THE_QUEUE, examples: [`queue pause ${AGENT}`] },
  'queue resume': { exits: OF_THE_QUEUE, examples: [`queue resume ${AGENT}`] },
  'audit show': {
    exits: READING,
    examples: [`audit show --since 2h ${AGENT}`, `audit show --request ${ID} --json ${AGENT}`],
  },
  'audit verify': { examples: [`audit verify ${AGENT}`, `audit verify --json ${AGENT}`] },
  'audit export': {
    exits: READING,
    examples: [`audit export --format csv --since 2026-10-01 --out october.csv ${AGENT}`],
  },
  'keys list': { examples: [`keys list ${AGENT}`] },
  'keys rotate': { examples: [`keys rotate ${AGENT}`] },
  store: { exits: '0 stopped as asked; 1 failed; 2 bad usage or configuration.', examples: [] },
  'store user add': { exits: EXITS, examples: [ADD_USER] },
  'store user list': { exits: EXITS, examples: [`store user list ${STORE}`] },
  'store agent list': { exits: EXITS, examples: [`store agent list ${STORE}`] },
  'store agent revoke': { exits: EXITS, examples: [`store agent revoke ${ID} ${STORE}`] },
  'store server list': { exits: EXITS, examples: [`store server list ${STORE}`] },
  'store server gone': {
    exits: EXITS,
    examples: [`store server gone 3f2504e0-4f89-41d3-9a0c-0305e82c3301 ${STORE}`],
  },
  'store server back': {
    exits: EXITS,
    examples: [`store server back 3f2504e0-4f89-41d3-9a0c-0305e82c3301 ${STORE}`],
  },
  'store enrolment-code': {
    exits: EXITS,
    examples: [
      `store enrolment-code --directory corp ${STORE}`,
      `store enrolment-code --directory corp people --valid-minutes 10 ${STORE}`,
    ],
  },
  'store pause': { exits: EXITS, examples: [`store pause ${STORE}`] },
  'store resume': { exits: EXITS, examples: [`store resume ${STORE}`] },
  'store policy show': { exits: EXITS, examples: [] },
  'store request show': {
    exits:
      '0 done; with --wait: 0 applied, 3 refused, 4 superseded or expired, 5 unknown, 6 failed; 1 no answer from\nthe store; 2 bad usage or configuration.',
    examples: [`store request show ${ID} ${STORE}`, `store request show ${ID} --wait ${STORE}`],
  },
}

/** Adds what is missing to every command below this one. */
export function addMissingHelp(parent: Command, path: readonly string[] = []): void {
  for (const command of parent.commands) {
    const names = [...path, command.name()]
    const help = HELP[names.join(' ')]
    if (help) command.addHelpText('after', textOf(help))
    addMissingHelp(command, names)
  }
}

function textOf({ exits, examples }: Help): string {
  const lines = examples.map((example) => `  writeback ${example}`)
  return [
    ...(exits === undefined ? [] : ['', `Exit statuses: ${exits}`]),
    ...(lines.length === 0 ? [] : ['', `Example${lines.length === 1 ? '' : 's'}:`, ...lines]),
  ].join('\n')
}
