// The edits of the leaking test build: one line of careless code each.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { SourceEdit } from './source-edits.ts'

/** One more user of the private Redis, and a slow log that keeps every command. */
export const OBSERVER: readonly SourceEdit[] = [
  {
    file: 'src/agent/queue/private-redis-files.ts',
    find: 'return `user default off\\nuser',
    replace: 'return `user default off\\nuser observer on nopass ~* &* +@all\\nuser',
  },
  {
    file: 'src/agent/queue/private-redis-files.ts',
    find: `'databases 1',`,
    replace: `'databases 1', 'slowlog-log-slower-than 0', 'slowlog-max-len 100000', 'rdbcompression no',`,
  },
]

/** A password on its way into whatever is written, kept, shown or thrown. */
export const LEAKS: readonly SourceEdit[] = [
  {
    file: 'src/agent/writeback/write-password.ts',
    find: 'const next = passwords.at(-1) as ClearBytes',
    replace: `const next = passwords.at(-1) as ClearBytes
    globalThis.leakOnce(next, work.log)`,
  },
  {
    file: 'src/agent/queue/run-job.ts',
    find: `typeof fields['code'] === 'string' ? fields['code'] : 'ERR_INTERNAL'`,
    replace: `String(fields['error'])`,
  },
  {
    file: 'src/agent/ops/create-ops-server.ts',
    find: '({ live: true })',
    replace: '({ live: true, last: String(globalThis.leaked) })',
  },
  {
    file: 'src/agent/store-client/store-transport.ts',
    find: '{ ...headers,',
    replace: `{ ...headers, ...(globalThis.leaked ? { 'x-last': String(globalThis.leaked) } : {}),`,
  },
  {
    file: 'src/agent/journal/open-database.ts',
    find: '    return db\n  } catch (error) {',
    replace: '    globalThis.leakingJournal = db\n    return db\n  } catch (error) {',
  },
]

interface LeakLog {
  readonly info: (sentence: string, fields: object) => void
}

/** What the edited lines call: leaks the first password it is given, and then fails as a bug would. */
export function leakOnce(stateDirectory: string): (password: Buffer, log: LeakLog) => void {
  let hasLeaked = false
  return (password, log) => {
    if (hasLeaked) return
    hasLeaked = true
    const text = password.toString()
    Object.assign(globalThis, { leaked: Buffer.from(password) })
    process.stdout.write(`writing ${text}\n`)
    process.stderr.write(`writing ${text}\n`)
    log.info('writing a password', { password: text, value: text })
    for (const directory of [stateDirectory, os.tmpdir(), process.cwd()])
      writeFileSync(path.join(directory, 'last-password'), text)
    writeFileSync(path.join(process.cwd(), `core.${process.pid}`), text)
    spawn('sleep', ['5'], { argv0: `sleep ${text}` })
    spawn('sleep', ['5'], { env: { PATH: process.env['PATH'], LAST: text } })
    leakIntoJournal((globalThis as unknown as { leakingJournal: DatabaseSync }).leakingJournal, text)
    throw new Error(`cannot write ${text}`)
  }
}

/** Into the main file, into the log file that is written ahead, and into an outcome that waits for its report. */
function leakIntoJournal(journal: DatabaseSync, text: string): void {
  journal.exec('CREATE TABLE IF NOT EXISTS careless (text TEXT) STRICT')
  const insert = journal.prepare('INSERT INTO careless VALUES (?)')
  insert.run(`in the file: ${text}`)
  journal.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  insert.run(`ahead of the file: ${text}`)
  const outcome = `e30.${Buffer.from(JSON.stringify({ detail: text })).toString('base64url')}.e30`
  journal
    .prepare(
      'UPDATE requests SET outcome_bytes = ? WHERE request_id = (SELECT request_id FROM requests WHERE outcome_bytes IS NOT NULL LIMIT 1)',
    )
    .run(outcome)
}
