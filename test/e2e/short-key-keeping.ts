// Loaded before the agent: its keys are looked after every second, and an old one is kept for seconds, not for minutes.
import { installEdits } from '../test-build/source-edits.ts'

installEdits([
  {
    file: 'src/agent/keys/sealing-keys.ts',
    find: 'export const KEEP_OLD_KEY_MS = 12 * 60_000',
    replace: 'export const KEEP_OLD_KEY_MS = 1_500',
  },
  {
    file: 'src/agent/create-housekeeping.ts',
    find: `name: 'keys', when: '45 * * * * *'`,
    replace: `name: 'keys', when: '* * * * * *'`,
  },
])
