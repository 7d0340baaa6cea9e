// What docs/disaster-recovery.md promises: parts of the agent or the store are lost, or put back to an older copy, the steps of that page
// are followed, and no password is written twice or brought back. On OpenLDAP: nothing of it is about the kind of directory.
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { changedPassword, laterPassword, newPassword } from '../servers/canaries.ts'
import { runCommand } from '../servers/child-process.ts'
import type { LdapProxy } from '../servers/ldap-proxy.ts'
import { enrol } from '../servers/world-agents.ts'
import { nodeArguments } from '../servers/world-programs.ts'
import { DIRECTORY, startWorld, type World, type WorldUser } from '../servers/writeback-world.ts'
import { isPasswordWrite, passwordWrites } from './password-writes.ts'

let world: World<'openldap'>
let proxy: LdapProxy
let state: string
let users = 0

beforeAll(async () => {
  world = await startWorld({ kind: 'openldap', directorySettings: '    operationTimeoutSeconds: 3' })
  proxy = world.proxy as LdapProxy
  state = world.agent.stateDirectory
}, 60_000)
afterAll(() => world.stop())

const newUser = () => {
  users += 1
  return world.createUser({ name: `lost${users}` })
}
const aside = (name: string) => path.join(world.directory, name)
const copy = (from: string, to: string) => cpSync(from, to, { recursive: true })
const markerOf = async (user: WorldUser) => (await world.domain.readAccount(user.dn)).marker
const writeback = (...words: string[]) => runCommand(process.execPath, [...nodeArguments(), ...words])
const APPLIED = expect.objectContaining({ outcome: 'applied' })

/** A reset whose answer is lost, with the agent killed right after it was written. */
async function dieWriting(user: WorldUser): Promise<string> {
  proxy.forget()
  const lost = proxy.onRequest(isPasswordWrite, { kind: 'swallow-response' })
  const request = await world.ask(user, newPassword())
  await lost.hit
  await world.agent.kill()
  return request
}

function loseJournal(): void {
  const files = readdirSync(state).filter((name) => name.startsWith('journal.sqlite'))
  expect(files.length).toBeGreaterThan(0)
  for (const name of files) rmSync(path.join(state, name))
}

test('a journal that is lost amid a write: the marker tells what became of it, and the record stays whole', async () => {
  const user = await newUser()
  const request = await dieWriting(user)
  loseJournal()
  await world.agent.start()
  expect(await world.verdict(request, 60_000)).toEqual(APPLIED)
  expect(passwordWrites(proxy, user)).toMatchObject({ sent: 1 })
  await writeback('audit', 'verify', '--config', world.agentConfigFile)
}, 90_000)

test('a Redis that is put back to an older copy brings nothing back', async () => {
  const user = await newUser()
  await world.agent.stop()
  copy(path.join(state, 'redis'), aside('redis-copy'))
  await world.agent.start()
  proxy.forget()
  expect(await world.reset(user, newPassword())).toEqual(APPLIED)
  await world.agent.stop()
  rmSync(path.join(state, 'redis'), { recursive: true })
  renameSync(aside('redis-copy'), path.join(state, 'redis'))
  await world.agent.start()
  expect(await world.reset(user, laterPassword())).toEqual(APPLIED)
  expect(passwordWrites(proxy, user)).toEqual({ sent: 2, accepted: 2 })
}, 60_000)

test('a host that is put back to a snapshot amid a write neither repeats it nor brings its password back', async () => {
  const user = await newUser()
  const request = await dieWriting(user)
  copy(state, aside('snapshot'))
  await world.agent.start()
  expect(await world.verdict(request, 60_000)).toEqual(APPLIED)
  expect(await world.reset(user, laterPassword())).toEqual(APPLIED)
  const marker = await markerOf(user)
  await world.agent.stop()
  rmSync(state, { recursive: true })
  copy(aside('snapshot'), state)
  await world.agent.start()
  expect(await world.reset(await newUser(), newPassword())).toEqual(APPLIED)
  expect([await markerOf(user), passwordWrites(proxy, user).sent]).toEqual([marker, 2])
  // What the agent makes of it now is kept beside the first word, and does not replace it.
  expect(await world.verdict(request)).toEqual(APPLIED)
  await writeback('audit', 'verify', '--config', world.agentConfigFile)
}, 90_000)

test('a store that is put back to an older copy asks for nothing again, and goes on with higher numbers', async () => {
  const [user, forgotten] = [await newUser(), await newUser()]
  const data = aside('store')
  await world.store.stop()
  copy(data, aside('store-copy'))
  await world.store.start()
  expect(await world.reset(user, newPassword())).toEqual(APPLIED)
  const request = await world.ask(forgotten, newPassword())
  expect(await world.verdict(request)).toEqual(APPLIED)
  const markers = [await markerOf(user), await markerOf(forgotten)]
  await world.store.stop()
  rmSync(data, { recursive: true })
  renameSync(aside('store-copy'), data)
  await world.store.start()
  expect(await world.admin('verdict', undefined, { id: request })).toMatchObject({ status: 404 })
  expect([await markerOf(user), await markerOf(forgotten)]).toEqual(markers)
  expect(await world.reset(user, laterPassword())).toEqual(APPLIED)
  const sequenceOf = (marker = '') => Number(marker.split(':')[2])
  expect(sequenceOf(await markerOf(user))).toBeGreaterThan(sequenceOf(markers[0]))
}, 60_000)

/** Puts the state directory away and enrols another agent in an empty one. */
async function enrolAnew(oldState: string): Promise<void> {
  renameSync(state, aside(oldState))
  mkdirSync(state, { mode: 0o700 })
  await enrol(world.admin, nodeArguments(), { name: oldState, configFile: world.agent.configFile }, [
    { directory: DIRECTORY, domain: world.domain, proxy },
  ])
  await world.agent.start()
}

test('an agent without its keys does not start; another one takes its place, with what it left unsettled', async () => {
  const user = await newUser()
  const request = await dieWriting(user)
  rmSync(path.join(state, 'keys.json'))
  await expect(writeback('agent', '--config', world.agentConfigFile)).rejects.toThrow('ERR_KEYS_UNUSABLE')
  await world.admin('revokeAgent', undefined, { id: world.agent.id })
  await enrolAnew('state-lost')
  // The new agent has no key that the old request was sealed to, but it fences what may still be under way of it.
  expect(await world.reset(user, changedPassword())).toEqual(APPLIED)
  expect(await world.verdict(request, 0)).toMatchObject({ state: 'in_progress' })
}, 60_000)

test('a store that is lost with its keys is followed by another one, which the markers of the first do not hinder', async () => {
  const user = await newUser()
  expect(await world.reset(user, newPassword())).toEqual(APPLIED)
  await world.agent.stop()
  await world.store.stop()
  rmSync(aside('store'), { recursive: true })
  await world.store.start()
  await enrolAnew('state-of-lost-store')
  const { accountName: name, anchor, directory } = user
  await world.admin('addUser', { name, displayName: name, directory, anchor })
  expect(await world.reset(user, laterPassword())).toEqual(APPLIED)
}, 60_000)
