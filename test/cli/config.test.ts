// writeback config, as an administrator types it, and the schema as an editor uses it.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fastify from 'fastify'
import { parse } from 'yaml'
import { readAgentConfig } from '../../src/config/agent-config.ts'
import { startDnsServer } from '../servers/dns-server.ts'
import { makeScratchDirectory, removeScratchDirectory } from '../servers/scratch-directory.ts'
import { runWords } from './run-words.ts'

const EXAMPLES = path.resolve(import.meta.dirname, '../../config')
const directory = makeScratchDirectory()
const goodFile = path.join(directory, 'good.yaml')
const faultyFile = path.join(directory, 'faulty.yaml')
const SECRET = 'the-secret-itself'
const GOOD = `store: { url: "https://127.0.0.1:1" }
stateDirectory: state
keys: { passphraseFile: secret }
queue: { redis: "rediss://user@redis1/0", passwordFile: secret }
directories:
  corp:
    type: active-directory
    controllers: ["ldaps://127.0.0.1"]
    baseDn: DC=corp,DC=test
    bind: { name: svc, passwordFile: secret }
`

beforeAll(() => {
  writeFileSync(goodFile, GOOD)
  writeFileSync(faultyFile, GOOD.replace('baseDn', 'baseDN').replace('"https:', '"http:'))
  writeFileSync(path.join(directory, 'secret'), SECRET, { mode: 0o600 })
})
afterAll(() => removeScratchDirectory(directory))

const run = (words: string) => runWords(['config', ...words.split(' ')])

test('a file without fault ends with 0', async () => {
  const text = await run(`check agent --config ${goodFile}`)
  expect(text).toEqual({ status: 0, out: `${goodFile}: no fault\n`, err: '' })
  const json = await run(`check agent --json --config ${goodFile}`)
  expect(json).toEqual({ status: 0, out: `${JSON.stringify({ file: goodFile, faults: [] })}\n`, err: '' })
})

test('every fault is one line with file, line, column and key, and the status is 2', async () => {
  const { status, out, err } = await run(`check agent --config ${faultyFile}`)
  expect([status, err]).toEqual([2, ''])
  const lines = out.trimEnd().split('\n')
  expect(lines[0]).toBe(`${faultyFile}:1:10 store.url: must look like https://reset.example.com`)
  expect(lines.slice(1, 3).sort()).toEqual([
    expect.stringMatching(/faulty\.yaml:6:3 directories\.corp\.baseDn: is missing$/),
    expect.stringMatching(/faulty\.yaml:9:5 directories\.corp\.baseDN: this key is not known here/),
  ])
  expect(lines.slice(3)).toEqual(['3 faults'])
  const json = await run(`check agent --json --config ${faultyFile}`)
  expect([json.status, JSON.parse(json.out)]).toMatchObject([
    2,
    { file: faultyFile, faults: [{ path: 'store.url', line: 1, column: 10 }, {}, {}] },
  ])
})

test('a configuration of the store is held against the schema of the store', async () => {
  expect((await run(`check store --config ${EXAMPLES}/store.example.yaml`)).status).toBe(0)
  const { status, out } = await run(`check store --config ${EXAMPLES}/agent.example.yaml`)
  expect([status, out]).toEqual([2, expect.stringContaining('directories: this key is not known here')])
})

test('controllers that are looked for are shown as configured, and neither check nor show asks DNS', async () => {
  const dns = await startDnsServer()
  const file = path.join(directory, 'discover.yaml')
  const discover = `discover: { domain: corp.test, dnsServers: ["${dns.address}"] }`
  writeFileSync(file, GOOD.replace(/controllers: .*/, discover))
  expect(await run(`check agent --config ${file}`)).toMatchObject({ status: 0 })
  const { out } = await run(`show agent --config ${file}`)
  expect(parse(out).directories.corp).toMatchObject({
    discover: { domain: 'corp.test', dnsServers: [dns.address], lookEveryMinutes: 15 },
  })
  expect(dns.asked()).toEqual([])
  await dns.stop()
})

test('what is shown has the defaults and absolute paths, can be read again, and holds no secret', async () => {
  const { status, out, err } = await run(`show agent --config ${goodFile}`)
  expect([status, err]).toEqual([0, ''])
  expect(out).not.toContain(SECRET)
  const config = readAgentConfig(goodFile)
  const shown = { ...config, ops: { socket: path.join(directory, 'state/ops.sock') } }
  expect(parse(out)).toEqual(shown)
  const shownFile = path.join(directory, 'shown.yaml')
  writeFileSync(shownFile, out)
  expect(readAgentConfig(shownFile)).toEqual(shown)
  const json = await run(`show agent --json --config ${goodFile}`)
  expect([JSON.parse(json.out), json.out.includes(SECRET)]).toEqual([shown, false])
  const store = await run(`show store --config ${EXAMPLES}/store.example.yaml`)
  expect(parse(store.out)).toMatchObject({
    log: { level: 'info' },
    tls: { keyFile: `${EXAMPLES}/store.key` },
  })
})

test('a configuration with faults is not shown', async () => {
  const { status, out, err } = await run(`show agent --config ${faultyFile}`)
  expect([status, out]).toEqual([2, ''])
  expect(err).toContain(`${faultyFile}:1:10 store.url`)
})

test.each(['check agent', 'show agent --json', 'check nobody --config x', 'schema', 'schema nobody', ''])(
  'config %s is bad usage',
  async (words) => {
    expect(await run(words)).toMatchObject({ status: 2, out: '' })
  },
)

test('a file that is not there is told', async () => {
  const { status, err } = await run(`check agent --config ${directory}/none.yaml`)
  expect([status, err]).toEqual([2, expect.stringContaining('ERR_CONFIG_UNREADABLE')])
})

/** Judges as an editor does: a JSON Schema validator that changes nothing and leaves nothing out. */
async function editorFor(program: string) {
  const schema = JSON.parse((await run(`schema ${program}`)).out)
  const ajv = { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } } as const
  const server = fastify({ ajv })
  server.post('/', { schema: { body: schema } }, () => 'fits')
  return async (yaml: string) => {
    const answer = await server.inject({ method: 'POST', url: '/', payload: parse(yaml) })
    return answer.statusCode === 200 ? answer.body : answer.json().message
  }
}

test('the schema takes the examples, and tells an editor of a wrong key, value and kind', async () => {
  const judge = await editorFor('agent')
  const example = (name: string) => readFileSync(path.join(EXAMPLES, name), 'utf8')
  expect(await judge(example('agent.example.yaml'))).toBe('fits')
  expect(await judge(example('agent.openldap.example.yaml'))).toBe('fits')
  expect(await judge(GOOD)).toBe('fits')
  expect(await judge(GOOD.replace('stateDirectory', 'stateDir'))).toContain('stateDirectory')
  expect(await judge(`${GOOD}log: { level: loud }`)).toContain('log/level')
  expect(await judge(GOOD.replace('ldaps:', 'ldap:'))).toContain('directories/corp')
  const judgeStore = await editorFor('store')
  expect(await judgeStore(example('store.example.yaml'))).toBe('fits')
  expect(await judgeStore(example('store.example.yaml').replace('port: 8443', 'port: 70000'))).toContain(
    'listen/port',
  )
})

test('the schema beside the examples is the one that is printed, and the first line of each example names it', async () => {
  for (const program of ['agent', 'store']) {
    const file = readFileSync(path.join(EXAMPLES, `${program}.schema.json`), 'utf8')
    expect((await run(`schema ${program}`)).out).toBe(file)
  }
  const firstLine = (name: string) => readFileSync(path.join(EXAMPLES, name), 'utf8').split('\n')[0]
  const names = ['agent.example.yaml', 'agent.openldap.example.yaml', 'store.example.yaml']
  expect(names.map(firstLine)).toEqual(
    ['agent', 'agent', 'store'].map((name) => `# yaml-language-server: $schema=${name}.schema.json`),
  )
})
