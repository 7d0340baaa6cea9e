// A process that carries requests out and dies, or is killed, while its audit record is written. argv: state directory, file
// with its identity key, number of the first request, which request ends before its answer is known.
import { readFileSync, writeSync } from 'node:fs'
import { openKeys } from '../../../src/agent/keys/open-keys.ts'
import { answer, begin, conclude, openRecord } from './recorded.ts'

const [state = '', keyFile = '', from = '0'] = process.argv.slice(2)
const { agent, keys } = JSON.parse(readFileSync(keyFile, 'utf8'))
const { identity } = await openKeys(keys)
const recorded = openRecord(state, { agent, ...identity }, { keeping: { fileBytes: 40_000 } })
await recorded.audit.start()

const lane = async (number: number) => {
  for (let at = 0; ; at += 1) {
    const request = `${from}-${number}-${at}`
    if (!(await begin(recorded, request, at + 1))) throw new Error('the record cannot be written')
    // Only now the write would go out.
    writeSync(1, `sent ${request}\n`)
    answer(recorded.journal, request)
    await conclude(recorded, request)
    writeSync(1, `ended ${request}\n`)
  }
}
await Promise.all([0, 1, 2, 3].map(lane))
