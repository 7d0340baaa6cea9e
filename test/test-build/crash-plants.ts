// Bugs that the crash matrix must find when they are planted into the agent.
import type { SourceEdit } from './source-edits.ts'

/** One planted bug. */
export interface Plant {
  readonly what: string
  /** The crash point at which it shows. */
  readonly point: string
  readonly edits: readonly SourceEdit[]
}

/** By name. */
export const PLANTS: Readonly<Record<string, Plant>> = {
  'intent-is-proof': {
    what: 'a journaled intent is taken for a write that the directory confirmed',
    point: 'C18',
    edits: [
      {
        file: 'src/agent/writeback/past-writes.ts',
        find: `landed: writes.find(({ answer }) => answer === 'accepted'),`,
        replace: `landed: writes.find(({ answer }) => answer === 'accepted' || answer === undefined),`,
      },
    ],
  },
  'outcome-first': {
    what: 'the outcome is kept and reported before the write is sent',
    point: 'C17',
    edits: [
      {
        file: 'src/agent/writeback/write-once.ts',
        find: 'return readAnswer(parts, work, session, account, await tryWrite(parts, work, session, account, policy))',
        replace:
          'tryWrite(parts, work, session, account, policy).catch(() => {}); return end({ outcome: "applied" }, here)',
      },
    ],
  },
  'late-intent': {
    what: 'the intent is journaled after the write',
    point: 'C22',
    edits: [
      {
        file: 'src/agent/writeback/attempt.ts',
        find: '  const entry = parts.journal.intent(intent, told)',
        replace: '  const entry = 0\n  const keep = () => parts.journal.intent(intent, told)',
      },
      {
        file: 'src/agent/writeback/attempt.ts',
        find: 'close: (answer) => keepAnswer(parts, intent, answer, told)',
        replace: 'close: (answer) => { keep(); keepAnswer(parts, intent, answer, told) }',
      },
    ],
  },
  'blind-retry': {
    what: 'what may have been written is not looked for: the request is written again',
    point: 'C22',
    edits: [
      {
        file: 'src/agent/writeback/process-request.ts',
        find: 'const isInDoubt = isDoubtful(doubt)',
        replace: 'const isInDoubt = false',
      },
      {
        file: 'src/agent/writeback/judge-account.ts',
        find: `if (position.kind === 'applied') {`,
        replace: 'if (false) {',
      },
    ],
  },
}
