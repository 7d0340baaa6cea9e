// Real servers do the work in most tests, so the limits are generous; what hangs still fails.
import './test/servers/no-core-dumps.mjs'

export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  injectGlobals: false,
  testTimeout: 30_000,
  // Most tests wait for their servers: three at once on two cores.
  maxWorkers: 3,
  testSequencer: '<rootDir>/test/longest-first-sequencer.mjs',
  cacheDirectory: '<rootDir>/.cache/jest',
  workerIdleMemoryLimit: '768MB',
  transform: { '\\.ts$': '<rootDir>/test/strip-types.mjs' },
  coverageProvider: 'v8',
  reporters: [
    process.env.WRITEBACK_FILE_LINES ? '<rootDir>/test/file-line-reporter.mjs' : 'default',
    '<rootDir>/test/closing-line-reporter.mjs',
  ],
}
