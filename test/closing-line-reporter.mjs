// Ends the run with one plain line that machines and people can read. A test file that could not run counts as failed.
export default class ClosingLineReporter {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites
    const skipped = results.numPendingTests + results.numTodoTests
    console.log(`Tests: ${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped`)
  }
}
