// node test/history/check.ts FILE: checks a history that was written as JSON lines. Ends with 1 when a promise is broken.
import { checkHistory } from './check-history.ts'
import { describeVerdict } from './describe-verdict.ts'
import { readHistory } from './record-run.ts'

const [file] = process.argv.slice(2)
if (file === undefined) {
  process.stderr.write('usage: node test/history/check.ts FILE\n')
  process.exitCode = 2
} else {
  const verdict = checkHistory(readHistory(file))
  process.stdout.write(describeVerdict(verdict))
  process.exitCode = verdict.violations.length === 0 ? 0 : 1
}
