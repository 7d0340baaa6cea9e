// node --import test/test-build/unguarded-build.ts src/main.ts ...: the program without its refusal of debugging options,
// to show what they would print.
import { installEdits } from './source-edits.ts'

installEdits([
  {
    file: 'src/cli/unsafe-runtime.ts',
    find: '  for (const name of UNSAFE_VARIABLES)',
    replace: '  if (io) return\n  for (const name of UNSAFE_VARIABLES)',
  },
])
