// node --import test/test-build/unguarded-build.ts src/main.ts ...: the program without its refusal of debugging options,
// to show what they would print.
import { installEdits } from './source-edits.ts'

installEdits([
  {
    file: 'src/cli/unsafe-runtime.ts',
    find: '  const found = findUnsafeRuntime(io, facts)\n',
    replace: '  if (io) return\n  const found = findUnsafeRuntime(io, facts)\n',
  },
])
