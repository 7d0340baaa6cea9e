// A process whose audit record lies on a small file system of its own, which it fills and empties again. argv: state directory,
// file with the identity key. The state's `audit` directory is that file system. Prints what it saw as JSON.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { verifyAudit } from '../../../src/agent/audit/verify-audit.ts'
import { openKeys } from '../../../src/agent/keys/open-keys.ts'
import { answer, begin, carryOut, conclude, openRecord } from './recorded.ts'

const [state = '', keyFile = ''] = process.argv.slice(2)
const { agent, keys } = JSON.parse(readFileSync(keyFile, 'utf8'))
const { identity } = await openKeys(keys)
const recorded = openRecord(state, { agent, ...identity })
const { journal, audit, conditions } = recorded
const filler = path.join(state, 'audit', 'filler')

function fillUp(): void {
  for (let size = 65_536; size >= 1; size >>= 1)
    try {
      writeFileSync(filler, Buffer.alloc(size), { flag: 'a' })
    } catch {
      // No room for so much; for less, perhaps.
    }
}

await audit.start()
await carryOut(recorded, 'before', 1)
// Under way when the disk fills up.
const isSent = await begin(recorded, 'caught', 2)
fillUp()
answer(journal, 'caught')
await conclude(recorded, 'caught')
const mayBeSent: boolean[] = []
for (let at = 0; mayBeSent.at(-1) !== false && at < 100; at += 1) {
  const request = `full${at}`
  mayBeSent.push(await begin(recorded, request, 10 + at))
  answer(journal, request, mayBeSent.at(-1) ? 'accepted' : 'not_sent')
}
const whileFull = { isWritable: audit.isWritable(), conditions: conditions.list() }
rmSync(filler)
for (let tries = 0; tries < 100 && !audit.isWritable(); tries += 1) await sleep(50)
const isMended = { isWritable: audit.isWritable(), conditions: conditions.list() }
await carryOut(recorded, 'after', 1_000)
for (let at = 0; at < mayBeSent.length; at += 1) await conclude(recorded, `full${at}`)
await recorded.close()
const records = readdirSync(path.join(state, 'audit'))
  .filter((name) => name.endsWith('.jsonl'))
  .flatMap((name) =>
    readFileSync(path.join(state, 'audit', name), 'utf8')
      .trimEnd()
      .split('\n'),
  )
  .map((line) => JSON.parse(line))
const verdict = await verifyAudit(path.join(state, 'audit'), identity.publicKey.kid)
process.stdout.write(JSON.stringify({ isSent, mayBeSent, whileFull, isMended, records, verdict }))
