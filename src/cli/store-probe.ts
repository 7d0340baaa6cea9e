// writeback store probe: the accounts that the store resets on a clock, how that went last, and one more now.
import type { Command } from 'commander'
import { systemClock } from '../clock/clock.ts'
import type { Probe } from '../protocol/administration-calls.ts'
import { alignRows } from './aligned-lines.ts'
import { describeAge } from './describe-age.ts'
import { EXIT, type Io, type SetExit, say } from './io.ts'
import { exitOf } from './print-verdict.ts'
import { connectToStore, type StoreWords, withStoreWords } from './store-api.ts'
import { showVerdict } from './store-request.ts'

const LIST_HELP = `
Exit statuses: 0 every probe is in time, and its last one that ended was applied; 1 one is not. An operator's monitoring can
run it as it is.

Examples:
  writeback store probe list --config store.yaml
  writeback store probe list --json --config store.yaml | jq '.probes[] | select(.late)'`

const RUN_HELP = `
The password is random; it is made and sealed in the store, and nobody learns it. While a probe of the user is open, it is
that one.

Exit statuses with --wait:
  0  applied      3  refused      4  superseded or expired      5  unknown      6  failed

Examples:
  writeback store probe run probe --wait --config store.yaml`

type Words = StoreWords & { readonly json?: boolean; readonly wait?: boolean }

/** Adds the subcommands. */
export function addStoreProbeCommands(store: Command, io: Io, setExit: SetExit): void {
  const probe = store
    .command('probe')
    .description('accounts that the store resets on a clock, to know of a broken way before a user does')
  withStoreWords(probe.command('list').description('how the last probe of each user ended'))
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', LIST_HELP)
    .action(async (words: Words) => setExit(await list(io, words)))
  withStoreWords(probe.command('run <user>').description('begin a probe now'))
    .option('--wait', 'wait for the verdict; the exit status tells it')
    .option('--json', 'print JSON, one value a line')
    .addHelpText('after', RUN_HELP)
    .action(async (user: string, words: Words) => setExit(await run(io, user, words)))
}

async function list(io: Io, words: Words): Promise<number> {
  const answer = await (await connectToStore(io, words))('listProbes')
  if (words.json) say(io, JSON.stringify(answer))
  else if (answer.probes.length === 0) say(io, 'the store probes no user')
  else for (const line of answer.probes.flatMap((one) => describe(one, systemClock.wallMs()))) say(io, line)
  return answer.probes.every(isWell) ? EXIT.done : EXIT.failed
}

async function run(io: Io, user: string, words: Words): Promise<number> {
  const callStore = await connectToStore(io, words)
  const begun = await callStore('runProbe', { body: { user } })
  const line = `probe ${begun.request} is on its way`
  if (!words.wait) {
    say(io, words.json ? JSON.stringify(begun) : line)
    return exitOf(null)
  }
  // Whoever gives up waiting still knows what to ask for.
  io.stderr.write(`${line}\n`)
  return showVerdict(io, callStore, begun.request, words)
}

const isWell = ({ last, late, problem }: Probe): boolean =>
  !late && problem === null && (last === null || last.outcome === null || last.outcome === 'applied')

function describe(probe: Probe, nowMs: number): readonly string[] {
  const { user, everyMs, last, lastAppliedAt, late, problem } = probe
  const ago = (at: number) => `${describeAge(nowMs - at)} ago`
  return [
    `${user}, every ${describeAge(everyMs)}`,
    ...alignRows([
      ['last', last === null ? 'none yet' : `${wordsOf(last)}, begun ${ago(last.createdAt)}`],
      ...(last === null ? [] : [['', last.request] as const]),
      ['applied', `${lastAppliedAt === null ? 'never' : ago(lastAppliedAt)}${late ? ', LATE' : ''}`],
      ...(problem === null ? [] : [['problem', problem] as const]),
    ]),
  ]
}

const wordsOf = ({ state, outcome, reason }: NonNullable<Probe['last']>): string =>
  outcome === null ? state.replace('_', ' ') : [outcome, ...(reason === null ? [] : [reason])].join(' ')
