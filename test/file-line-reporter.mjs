// One line for each test file, as it ends. Why a test failed is kept for the end of the whole run, where it is looked for.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const LOGS = path.resolve(import.meta.dirname, '../.cache/logs')
const FAILURES = path.join(LOGS, 'failures')

export default class FileLineReporter {
  onRunStart() {
    mkdirSync(LOGS, { recursive: true })
    rmSync(FAILURES, { force: true })
  }

  onTestFileResult(
    _test,
    { testFilePath, perfStats, numPassingTests, numFailingTests, testExecError, failureMessage },
  ) {
    const file = path.relative(process.cwd(), testFilePath)
    const failed = numFailingTests + (testExecError && numFailingTests === 0 ? 1 : 0)
    const took = ((perfStats.end - perfStats.start) / 1000).toFixed(1)
    console.log(`${file}: ${numPassingTests} passed${failed > 0 ? `, ${failed} failed` : ''}, ${took} s`)
    if (failed > 0)
      writeFileSync(FAILURES, `${file}\n${stripVTControlCharacters(failureMessage ?? '')}\n`, { flag: 'a' })
  }
}
