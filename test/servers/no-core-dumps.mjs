// The programs refuse to start where a crash would leave a core dump. Children inherit the limit of whoever loads this.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

const LIMITS = '/proc/self/limits'
if (existsSync(LIMITS) && !/^Max core file size +0 /m.test(readFileSync(LIMITS, 'utf8')))
  execFileSync('prlimit', ['--pid', String(process.pid), '--core=0:'])
