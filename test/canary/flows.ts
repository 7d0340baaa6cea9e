// Every way a request can go, each with passwords of its own. A flow that does not end as it should throws.
import { readFileSync, writeFileSync } from 'node:fs'
import type { CreateRequestAnswer, Verdict } from '../../src/protocol/sealer-calls.ts'
import { isAbout, isPasswordWrite } from '../e2e/password-writes.ts'
import type { DirectoryKind } from '../servers/directory-kinds.ts'
import type { RecordedMessage, RequestFault } from '../servers/ldap-faults.ts'
import { sealFor, type Target } from '../servers/world-requests.ts'
import { DIRECTORY, type World, type WorldUser } from '../servers/writeback-world.ts'
import type { CanaryWorld } from './canary-world.ts'

// A machine that does much else is slow, which says nothing about leaks.
const PATIENCE_MS = 120_000
const SHORT_LIFETIME_S = 10
const USUAL_LIFETIME_S = 300

type Flow = (canary: CanaryWorld) => Promise<void>

/** Throws unless the verdict has these values. */
function expectEnd(verdict: Verdict, outcome: Verdict['outcome'], reasons: readonly string[] = []): void {
  const { outcome: found, reason } = verdict as Verdict & { reason?: string }
  if (found !== outcome || (reasons.length > 0 && !reasons.includes(reason ?? '')))
    throw new Error(
      `a flow ended otherwise than as ${outcome} ${reasons.join(' or ')}: ${JSON.stringify(verdict)}`,
    )
}

const reset = async (world: World<DirectoryKind>, user: Target, password: Buffer): Promise<Verdict> =>
  world.verdict(await world.ask(user, password), PATIENCE_MS)

const lines = (...passwords: readonly Buffer[]): string => passwords.map((one) => `${one}\n`).join('')

async function commandEnds(run: Promise<{ text: string }>, word: string): Promise<void> {
  const { text } = await run
  if (!text.includes(word)) throw new Error(`a command did not say "${word}": ${text}`)
}

const writesOf =
  (user: WorldUser) =>
  (message: RecordedMessage): boolean =>
    isPasswordWrite(message) && isAbout(message, user)

async function resetUnder(canary: CanaryWorld, fault: RequestFault) {
  const user = await canary.createUser()
  const rule = canary.world.proxy?.onRequest(writesOf(user), fault)
  const password = canary.fresh('new password')
  expectEnd(await reset(canary.world, user, password), 'applied')
  return rule
}

async function changeRefused(canary: CanaryWorld, what: 'current' | 'history'): Promise<void> {
  const user = await canary.createUser()
  const current = what === 'current' ? canary.fresh('old password') : user.old
  const next = what === 'current' ? canary.fresh('new password') : user.old
  const asked = canary.commands.store(['request', 'change', user.accountName, '--password-stdin', '--wait'], {
    input: lines(current, next),
  })
  await commandEnds(asked, 'refused')
}

/** A sealed value of the right form whose ciphertext somebody changed. */
async function damagedSeal(canary: CanaryWorld): Promise<void> {
  const { world, fresh } = canary
  const user = await canary.createUser()
  const call = { directory: DIRECTORY, operation: 'reset', options: {} }
  const created = (await world.admin('createRequest', call, { anchor: user.anchor }))
    .json as CreateRequestAnswer
  const sealed = await sealFor(created, [fresh('new password')])
  const ciphertext = `${sealed.ciphertext.startsWith('A') ? 'B' : 'A'}${sealed.ciphertext.slice(1)}`
  const handedIn = await world.admin('seal', { ...sealed, ciphertext }, { id: created.request })
  if (handedIn.status !== 200) throw new Error(`the store refuses the sealed value: ${handedIn.status}`)
  expectEnd(await world.verdict(created.request, PATIENCE_MS), 'failed')
}

/** All at once: they do not touch each other. */
export const SIDE_BY_SIDE: Readonly<Record<string, Flow>> = {
  'reset applied': async ({ createUser, commands, fresh }) => {
    const { accountName } = await createUser()
    const words = ['request', 'reset', accountName, '--password-stdin', '--wait']
    await commandEnds(commands.store(words, { input: lines(fresh('new password')) }), 'applied')
  },
  'change applied': async ({ createUser, commands, fresh }) => {
    const { accountName, old } = await createUser()
    const words = ['request', 'change', accountName, '--password-stdin', '--wait', '--json']
    await commandEnds(commands.store(words, { input: lines(old, fresh('new password')) }), 'applied')
  },
  'unlock applied': async ({ createUser, commands }) => {
    const { accountName } = await createUser()
    await commandEnds(commands.store(['request', 'unlock', accountName, '--wait']), 'applied')
  },
  inspect: async ({ createUser, commands }) => {
    const { accountName } = await createUser()
    await commandEnds(commands.store(['request', 'inspect', accountName]), 'policy')
  },
  'reset refused: too short': async ({ createUser, world, fresh }) => {
    const short = fresh('new password', (text) => text.slice(0, 14))
    expectEnd(await reset(world, await createUser(), short), 'refused', ['password_too_short'])
  },
  'reset refused: the name is in it': async ({ createUser, world, fresh }) => {
    const user = await createUser()
    const named = fresh('new password', (text) => `${text}${user.accountName}`)
    expectEnd(await reset(world, user, named), 'refused')
  },
  'change refused: wrong current password': (canary) => changeRefused(canary, 'current'),
  'change refused: used before': (canary) => changeRefused(canary, 'history'),
  'reset refused: protected': async ({ world, fresh, createGuarded }) => {
    expectEnd(await reset(world, await createGuarded(), fresh('new password')), 'refused', [
      'account_protected',
    ])
  },
  'reset refused: not found': async ({ world, fresh }) => {
    const anchor = crypto.randomUUID()
    await world.admin('addUser', { name: 'ghost', displayName: 'Ghost', directory: DIRECTORY, anchor })
    expectEnd(await reset(world, { anchor }, fresh('new password')), 'refused', ['account_not_found'])
  },
  'sealed value damaged': damagedSeal,
  'answer lost': async (canary) => {
    await resetUnder(canary, { kind: 'swallow-response' })
  },
  'answer late': async (canary) => {
    await resetUnder(canary, { kind: 'delay-response', ms: 5_000 })
  },
  'write late': async (canary) => {
    const rule = await resetUnder(canary, { kind: 'hold' })
    await rule?.release()
  },
  'directory answers with rubbish': async (canary) => {
    await resetUnder(canary, { kind: 'raw', bytes: () => Buffer.from('GET / HTTP/1.1\r\n\r\n') })
  },
}

/** One after the other: they disturb everything else. */
export const ALONE: Readonly<Record<string, Flow>> = {
  'directory away': async (canary) => {
    const { world, redis, redisContents } = canary
    const user = await canary.createUser()
    await world.proxy?.refuseConnections()
    world.proxy?.disconnectAll()
    const request = await world.ask(user, canary.fresh('new password'))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    redisContents.push(await redis.read())
    await world.proxy?.acceptConnections()
    expectEnd(await world.verdict(request, PATIENCE_MS), 'applied')
  },
  'agent killed in the middle of a write': async (canary) => {
    const { world, redis, redisContents } = canary
    const user = await canary.createUser()
    const held = world.proxy?.onRequest(writesOf(user), { kind: 'swallow-request' })
    const request = await world.ask(user, canary.fresh('new password'))
    await held?.hit
    redisContents.push(await redis.read())
    await world.agent.kill()
    await world.agent.start()
    expectEnd(await world.verdict(request, PATIENCE_MS), 'applied')
  },
}

/** Ends while no agent runs; `meanwhile` is done then. */
export async function expireUnseen(canary: CanaryWorld, meanwhile: () => Promise<void>): Promise<void> {
  const { world, redis, redisContents } = canary
  const user = await canary.createUser()
  redisContents.push(await redis.read())
  await world.agent.stop()
  await setLifetime(canary, SHORT_LIFETIME_S)
  const request = await world.ask(user, canary.fresh('new password'))
  await meanwhile()
  expectEnd(await world.verdict(request, PATIENCE_MS), 'expired')
  await setLifetime(canary, USUAL_LIFETIME_S)
  await world.agent.start()
}

/** How long a request may wait, from now on. */
async function setLifetime({ world }: CanaryWorld, seconds: number): Promise<void> {
  await world.store.stop()
  const text = readFileSync(world.storeConfigFile, 'utf8')
  writeFileSync(
    world.storeConfigFile,
    text.replace(/^requestLifetimeSeconds: .*$/m, `requestLifetimeSeconds: ${seconds}`),
  )
  await world.store.start()
}
