// The simulation in the small: a seed is a run, and a handful of them break nothing.
import { execFile } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from '@jest/globals'
import { makeScratchDirectory } from '../servers/scratch-directory.ts'

const SIMULATE = path.join(import.meta.dirname, 'simulate.ts')
const scratch = makeScratchDirectory()
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** Runs the command as a person would; the options that this process was started with are not its own. */
async function simulate(...words: string[]): Promise<string> {
  const { NODE_OPTIONS: _ours, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, [SIMULATE, ...words], {
    env,
    timeout: 110_000,
  })
  return stdout
}

test('the same seed gives the same history, byte by byte', async () => {
  const files = [path.join(scratch, 'first.jsonl'), path.join(scratch, 'second.jsonl')] as const
  await simulate('--seed', '42', '--out', files[0])
  // Not the first seed of its process: what a run leaves behind must not matter to the next.
  await simulate('--seeds', '2', '--from', '41', '--out', files[1])
  const [first, second] = files.map((file) => readFileSync(file))
  expect(first?.length).toBeGreaterThan(100_000)
  expect(first?.equals(second as Buffer)).toBe(true)
}, 120_000)

test('a handful of seeds in which operators act break no promise', async () => {
  const told = await simulate('--seeds', '6', '--from', '2019')
  expect(told).toMatch(
    /6 seeds in .*, 0 runs that did not come to rest, .* 0 violations, 0 broken seeds, 0 seeds that break/,
  )
  expect(told).toMatch(/ drop dropped .* paused_here /)
}, 120_000)
