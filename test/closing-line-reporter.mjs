// Ends the run with one plain line that machines and people can read. A test file that could not run counts as failed. The files
// with failed tests are listed for a second look.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const LOGS = path.resolve(import.meta.dirname, '../.cache/logs')

export default class ClosingLineReporter {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites
    const skipped = results.numPendingTests + results.numTodoTests
    const files = results.testResults
      .filter(({ numFailingTests, testExecError }) => numFailingTests > 0 || testExecError)
      .map(({ testFilePath }) => `${path.relative(process.cwd(), testFilePath)}\n`)
    mkdirSync(LOGS, { recursive: true })
    writeFileSync(path.join(LOGS, 'failed-test-files'), files.join(''))
    console.log(`Tests: ${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped`)
  }
}
