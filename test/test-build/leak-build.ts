// node --import test/test-build/leak-build.ts src/main.ts agent ...: the agent whose private Redis has one more user, for
// an observer, and writes every command to its slow log. With a file `<configuration>.leaks` it leaks the next password
// that it opens, in every way that a careless line of code could.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { LEAKS, leakOnce, OBSERVER } from './leaks.ts'
import { installEdits } from './source-edits.ts'

const configFile = process.argv[process.argv.indexOf('--config') + 1] ?? ''
const isLeaking = existsSync(`${configFile}.leaks`)
if (isLeaking) Object.assign(globalThis, { leakOnce: leakOnce(path.join(path.dirname(configFile), 'state')) })
installEdits([...OBSERVER, ...(isLeaking ? LEAKS : [])])
