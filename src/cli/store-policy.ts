// writeback store policy: the password policies that an agent published for a directory.
import type { Command } from 'commander'
import type { PoliciesAnswer } from '../protocol/administration-calls.ts'
import { alignRows, wrap } from './aligned-lines.ts'
import { policyRows } from './describe-policy.ts'
import { type Io, say } from './io.ts'
import { connectToStore, type StoreWords, withStoreWords } from './store-api.ts'

const EXAMPLES = `
Examples:
  writeback store policy show corp --config store.yaml
  writeback store policy show corp --json --config store.yaml

The policy that applies to one account is shown by: writeback store request inspect`

/** Adds the subcommands. */
export function addStorePolicyCommands(store: Command, io: Io): void {
  const policy = store.command('policy').description('password policies as agents published them')
  withStoreWords(policy.command('show <directory>').description('the policies of a directory'))
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, words: StoreWords & { readonly json?: boolean }) => {
      const callStore = await connectToStore(io, words)
      const answer = await callStore('readPolicies', { parameters: { name: directory } })
      if (words.json) return say(io, JSON.stringify(answer))
      for (const line of describePolicies(answer)) say(io, line)
    })
}

function describePolicies(answer: PoliciesAnswer): readonly string[] {
  const { directory, name, agent, publishedAt, readAt, policies, problems } = answer
  const [published, read] = [publishedAt, readAt].map((at) => new Date(at).toISOString())
  return [
    `policies of ${directory}`,
    ...alignRows([
      ['read', read ?? ''],
      ['published', `${published} by ${name} (${agent})`],
    ]),
    ...policies.flatMap((policy) => ['', ...alignRows(policyRows(policy))]),
    ...problems.flatMap(({ name, problem }) => ['', ...wrap(`cannot be read: ${name}: ${problem}`)]),
  ]
}
