// Loaded before the agent: shortens the wait after a refused bind, which is minutes in the product, so that many steps of it
// pass in a test. How many refusals the service account may have is left as it is.
import { installEdits } from '../test-build/source-edits.ts'

installEdits([
  {
    file: 'src/agent/directory/bind-gate.ts',
    find: '{ firstMs: 60_000, longestMs: 1_800_000 }',
    replace: '{ firstMs: 1_000, longestMs: 2_000 }',
  },
])
