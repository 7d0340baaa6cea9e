// Loaded before the agent: shortens the wait after a lost answer without a marker, which is minutes in the product.
import { installEdits } from '../test-build/source-edits.ts'

installEdits([
  {
    file: 'src/agent/writeback/lanes.ts',
    find: 'export const LATE_BYTES_MS = 120_000',
    replace: 'export const LATE_BYTES_MS = 1_500',
  },
])
