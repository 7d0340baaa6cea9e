// writeback board: makes the token that opens the queue board.
import type { Command } from 'commander'
import { type Io, say } from './io.ts'

const HELP = `
Prints a new token once, and the hash of it for the agent's configuration; nothing is kept. The board is served on 127.0.0.1
when ops.board is configured, after the agent is started again.

Exit statuses: 0 done; 2 bad usage.

Examples:
  writeback board token
  writeback board token --json`

/** Adds the command. */
export function addBoardCommand(program: Command, io: Io): void {
  program
    .command('board')
    .description('the page that shows the agent’s queues in a browser')
    .addHelpText('after', HELP)
    .command('token')
    .description('make a token for operators, and the hash that the configuration takes')
    .option('--json', 'print both as JSON')
    .addHelpText('after', HELP)
    .action(async (words: { readonly json?: boolean }) => {
      // Loaded here: no other command needs it.
      const { makeOperatorToken } = await import('../agent/keys/operator-token.ts')
      const { token, hash } = await makeOperatorToken()
      if (words.json) return say(io, JSON.stringify({ token, tokenHash: hash }))
      for (const line of [
        `token: ${token}`,
        'Keep it now: it is not shown again. The configuration of the agent takes its hash:',
        '',
        'ops:',
        '  board:',
        '    port: 8480',
        `    tokenHash: "${hash}"`,
      ])
        say(io, line)
    })
}
