// What Prometheus sees of a running agent, and that its own tool takes it: text, alert rules, and the names in both.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { allCanaries, newPassword } from '../servers/canaries.ts'
import { freePort } from '../servers/loopback-address.ts'
import { get } from '../servers/world-programs.ts'
import { startWorld, type World } from '../servers/writeback-world.ts'
import { isPasswordWrite } from './password-writes.ts'

const MONITORING = path.resolve(import.meta.dirname, '../../install/monitoring')

let world: World
let port: number

beforeAll(async () => {
  port = await freePort()
  world = await startWorld({ agentSettings: `ops: { port: ${port} }`, logLevel: 'info' })
}, 60_000)
afterAll(() => world?.stop())

const scrape = async (): Promise<string> => String((await world.ops('/metrics')).json)
const sample = (text: string, metric: string, labels = ''): number =>
  Number(new RegExp(`^${metric}\\{?[^\\n]*${labels}[^\\n]* ([^ \\n]+)$`, 'm').exec(text)?.[1])

test('requests, lost answers, calls and conditions are counted, and nobody’s name or password is told', async () => {
  const user = await world.createUser({ name: 'measured' })
  world.proxy?.onRequest(isPasswordWrite, { kind: 'reset', when: 'answered' })
  expect(await world.reset(user, newPassword())).toMatchObject({ outcome: 'applied' })
  expect(await world.reset(user, Buffer.from('Sh0rt!'))).toMatchObject({ outcome: 'refused' })
  const text = await scrape()
  expect(sample(text, 'writeback_requests_total', 'operation="reset",outcome="applied"')).toBe(1)
  expect(sample(text, 'writeback_requests_total', 'outcome="refused",reason="[a-z_]+"')).toBe(1)
  expect(sample(text, 'writeback_doubts_settled_total', 'outcome="applied"')).toBe(1)
  expect(sample(text, 'writeback_directory_failures_total', 'call="write",failure="lost"')).toBe(1)
  expect(sample(text, 'writeback_directory_call_seconds_count', 'call="read"')).toBeGreaterThanOrEqual(3)
  expect(sample(text, 'writeback_store_call_seconds_count', 'call="receipts"')).toBeGreaterThanOrEqual(1)
  expect(sample(text, 'writeback_request_seconds_count', 'operation="reset"')).toBe(2)
  expect(sample(text, 'writeback_ready')).toBe(1)
  const inAWeek = Date.now() / 1000 + 604_800
  for (const labels of ['kind="server",subject="https:', 'kind="server",subject="ldaps:', 'kind="authority"'])
    expect(sample(text, 'writeback_certificate_expiry_timestamp_seconds', labels)).toBeGreaterThan(inAWeek)
  expect(sample(text, 'writeback_condition', 'code="history_not_enforced",subject="corp"')).toBe(1)
  for (const secret of ['measured', ...Object.values(allCanaries()).map(String)])
    expect(text).not.toContain(secret)
}, 30_000)

test('the loopback port answers what only looks, and takes no command', async () => {
  const ask = (method: string, at: string) => get(httpRequest, { host: '127.0.0.1', port, method, path: at })
  expect(await ask('GET', '/readyz')).toMatchObject({ status: 200 })
  expect(await ask('GET', '/metrics')).toMatchObject({
    status: 200,
    json: expect.stringContaining('writeback_ready 1'),
  })
  expect(await ask('POST', '/breakers/corp/close')).toMatchObject({ status: 404 })
})

test('promtool takes the metrics and the alert rules', async () => {
  const run = promisify(execFile)
  expect(await run('promtool', ['check', 'rules', path.join(MONITORING, 'alerts.yml')])).toMatchObject({
    stdout: expect.stringContaining('SUCCESS: 13 rules found'),
  })
  const checking = run('promtool', ['check', 'metrics'])
  checking.child.stdin?.end(ownMetrics(await scrape()))
  expect(await checking).toMatchObject({ stdout: '', stderr: '' })
})

test('alert rules and dashboard ask for no metric that the agent does not have', async () => {
  const text = await scrape()
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
  for (const file of ['alerts.yml', 'dashboard.json']) {
    const asked = readFileSync(path.join(MONITORING, file), 'utf8').matchAll(
      /\bwriteback_[a-z_]+|\bprocess_[a-z_]+/g,
    )
    const names = [...asked].map(([name]) => name.replace(/_(bucket|count|sum)$/, ''))
    expect(names.length).toBeGreaterThan(8)
    expect(names.filter((name) => !known.has(name))).toEqual([])
  }
})

test('the manual names every metric of the agent, and no other', async () => {
  const manual = readFileSync(path.resolve(import.meta.dirname, '../../docs/metrics.md'), 'utf8')
  const named = [...manual.matchAll(/^\| `(writeback_[a-z_]+)`/gm)].map(([, name]) => name)
  const known = [...(await scrape()).matchAll(/^# TYPE (writeback_\S+)/gm)].map(([, name]) => name)
  expect(new Set(named)).toEqual(new Set(known))
})

// The others have the names that every Node.js program gives them.
const ownMetrics = (text: string): string =>
  `${text
    .split('\n')
    .filter((line) => /^(# (HELP|TYPE) )?writeback_/.test(line))
    .join('\n')}\n`
