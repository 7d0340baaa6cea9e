// The order of the test files. Those that take longest begin, so that none of them is still waiting when all others are done; Jest
// itself only knows which they are where it has run before. The others go by the size of their source, as Jest guesses.
import { statSync } from 'node:fs'
import path from 'node:path'

// By the time they took on two processors, longest first; 20 s and more.
const LONGEST = [
  'e2e/expiry-and-redis',
  'faults/store-way',
  'e2e/two-agents',
  'e2e/kills',
  'e2e/service-account',
  'e2e/bounded',
  'e2e/graceful-stop',
  'e2e/lost-answers',
  'e2e/states',
  'faults/agent-process',
  'e2e/without-marker',
  'e2e/plaintext',
  'e2e/protected-accounts',
  'e2e/write-limits',
  'e2e/disaster-recovery',
  'e2e/reset',
  'e2e/key-rotation',
  'e2e/queue',
  'agent/audit/audit',
  'agent/queue/stuck-worker',
  'agent/directory/directory-faults',
  'agent/queue/queue',
  'agent/directory/random-passwords',
  'reset-store/store-crash',
  'e2e/two-domains',
  'e2e/configured-directory',
  'faults/redis-wound-back',
].map((name) => path.join(import.meta.dirname, `${name}.test.ts`))

export default class LongestFirstSequencer {
  constructor() {
    const gone = LONGEST.filter((file) => !statSync(file, { throwIfNoEntry: false }))
    if (gone.length > 0) throw new Error(`no such test file: ${gone.join(', ')}`)
  }

  sort(tests) {
    const placed = tests.map((test) => {
      const place = LONGEST.indexOf(test.path)
      return { test, place: place < 0 ? LONGEST.length : place, bytes: statSync(test.path).size }
    })
    return placed.sort((a, b) => a.place - b.place || b.bytes - a.bytes).map(({ test }) => test)
  }

  // The order does not depend on what ran before.
  cacheResults() {}
}
