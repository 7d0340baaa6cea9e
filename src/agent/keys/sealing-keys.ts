// The life of the sealing keys: a new one is kept durable before the store hears of it, the old one opens for as long as any
// request may be sealed to it, and is then wiped. Each step can be the last one of a process, and the next one goes on from it.
import { WritebackError } from '../../errors/writeback-error.ts'
import { stateSealingKey } from '../../protocol/sealing-key.ts'
import { generateSealingKey, type KeptSealingKey, readKeyFile, writeKeyFile } from './key-file.ts'
import type { Keys, SealingKey } from './open-keys.ts'

/** How long an old key opens at least after the store accepted its successor, by the store's clock: 10 minutes and a margin. */
export const KEEP_OLD_KEY_MS = 12 * 60_000

// So many rotations within that time are enough for anybody; the contract takes 16.
const MOST_KEPT = 8
// A store that was restored has lost what it was told, and seals to an old key until it hears of the new one: each round of a
// minute says it again.
const REPEAT_MS = 50_000
// A clock that stood so far ahead when a key was made cannot be believed about its age.
const LARGEST_LEAD_MS = 86_400_000
const NOTICEABLE_MS = 60_000

/** What the keys are tended with. */
export interface SealingKeyParts {
  readonly stateDirectory: string
  readonly keys: Keys
  /** The passphrase of the key file; the result is wiped here. */
  readonly readPassphrase: () => Promise<Buffer | undefined>
  /** Publishes what this agent holds, oldest first. Throws as the store client does. */
  readonly publish: (
    statements: readonly string[],
  ) => Promise<{ readonly storeTime: number; readonly needed: readonly string[] }>
  /** Ids of the keys that requests in this agent's journal are sealed to. */
  readonly keysOfOpenRequests: () => Promise<ReadonlySet<string>>
  /** Milliseconds since 1970 at the store, and whether that is known well. */
  readonly nowMs: () => number
  readonly isTimeKnown: () => boolean
  readonly monotonicMs: () => number
  readonly rotateAfterMs: number
  /** Told the ids of keys that were made, accepted, and wiped. */
  readonly told: (step: 'made' | 'accepted' | 'wiped', keys: readonly string[]) => void
}

/** `rotated`: the store seals to this key now. `full`: too many old keys are kept, nothing was made. */
export type Rotation =
  | { readonly state: 'rotated'; readonly key: string }
  | { readonly state: 'full'; readonly key: null }

/** The keeper of the sealing keys. */
export interface SealingKeys {
  /** Does what is due: makes, publishes, wipes. Throws ERR_KEYS_* and as the store client does; comes again. */
  readonly tend: () => Promise<void>
  /**
   * Changes to a new key now. One that is there and that the store has not accepted yet is taken first. Throws as `tend`: the
   * key is then kept, and published by the next `tend`.
   */
  readonly rotate: () => Promise<Rotation>
}

/** Makes the keeper. One step at a time; a second call waits for the first. */
export function createSealingKeys(parts: SealingKeyParts): SealingKeys {
  let last: Promise<unknown> = Promise.resolve()
  let publishedMs = Number.NEGATIVE_INFINITY
  const inTurn = <T>(step: () => Promise<T>): Promise<T> => {
    const turn = last.then(step)
    last = turn.catch(() => {})
    return turn
  }
  const publish = async () => {
    publishedMs = Number.NEGATIVE_INFINITY
    const needed = await publishKeys(parts)
    publishedMs = parts.monotonicMs()
    return needed
  }
  const tend = async () => {
    if (isDue(parts)) await makeKey(parts)
    const isQuiet =
      newestOf(parts).acceptedAt !== undefined &&
      parts.keys.sealingKeys.length === 1 &&
      parts.monotonicMs() - publishedMs < REPEAT_MS
    if (isQuiet) return
    const { storeTime, needed } = await publish()
    if (await wipeOld(parts, storeTime, needed)) await publish()
  }
  const rotate = async (): Promise<Rotation> => {
    const isMade = newestOf(parts).acceptedAt === undefined && parts.keys.sealingKeys.length > 1
    if (!isMade) {
      if (parts.keys.sealingKeys.length >= MOST_KEPT) return { state: 'full', key: null }
      await makeKey(parts)
    }
    await publish()
    return { state: 'rotated', key: newestOf(parts).publicKey.kid }
  }
  return { tend: () => inTurn(tend), rotate: () => inTurn(rotate) }
}

function newestOf({ keys }: Pick<SealingKeyParts, 'keys'>): SealingKey {
  const newest = keys.sealingKeys.at(-1)
  if (!newest) throw new WritebackError('ERR_KEYS_UNUSABLE', 'the key file holds no sealing key')
  return newest
}

function isDue(parts: SealingKeyParts): boolean {
  const { acceptedAt, createdAt } = newestOf(parts)
  // One that the store has not accepted is to be published, not followed by another.
  if (acceptedAt === undefined || !parts.isTimeKnown() || parts.keys.sealingKeys.length >= MOST_KEPT)
    return false
  const now = parts.nowMs()
  return now - createdAt >= parts.rotateAfterMs || createdAt - now > LARGEST_LEAD_MS
}

async function makeKey(parts: SealingKeyParts): Promise<void> {
  const made = await generateSealingKey(Math.round(parts.nowMs()))
  const known = newestOf(parts).publicKey.kid
  await changeFile(parts, (kept) => {
    // One that an earlier try left there, and could not say to be durable, is taken: it is written once more.
    if (kept.at(-1)?.key.kid !== known) return kept
    if (kept.length >= MOST_KEPT)
      throw new WritebackError('ERR_KEYS_UNUSABLE', `the key file holds ${kept.length} sealing keys already`)
    return [...kept, made]
  })
  parts.told('made', [newestOf(parts).publicKey.kid])
}

/** Publishes every key; notes when the store accepted the newest one. */
async function publishKeys(
  parts: SealingKeyParts,
): Promise<{ readonly storeTime: number; readonly needed: readonly string[] }> {
  const { keys } = parts
  const statements = await Promise.all(
    keys.sealingKeys.map(({ publicKey, createdAt }) => stateSealingKey(publicKey, keys.identity, createdAt)),
  )
  const answer = await parts.publish(statements)
  const { storeTime } = answer
  // A store whose clock stood ahead must not keep an old key for ever.
  const isWrong = ({ acceptedAt }: { readonly acceptedAt?: number | undefined }) =>
    acceptedAt === undefined || acceptedAt - storeTime > NOTICEABLE_MS
  if (keys.sealingKeys.some(isWrong)) {
    const isNew = newestOf(parts).acceptedAt === undefined
    const published = new Set(keys.sealingKeys.map(({ publicKey }) => publicKey.kid))
    await changeFile(parts, (kept) =>
      kept.map((one) =>
        isWrong(one) && published.has(one.key.kid) ? { ...one, acceptedAt: storeTime } : one,
      ),
    )
    if (isNew) parts.told('accepted', [newestOf(parts).publicKey.kid])
  }
  return answer
}

/** Wipes the old keys that nothing can be sealed to any more; true when there were some. */
async function wipeOld(
  parts: SealingKeyParts,
  storeTime: number,
  needed: readonly string[],
): Promise<boolean> {
  const all = parts.keys.sealingKeys
  // The key after an old one is what took its place at the store.
  const replaced = all.filter((_, index) => {
    const successor = all[index + 1]
    return successor?.acceptedAt !== undefined && storeTime - successor.acceptedAt >= KEEP_OLD_KEY_MS
  })
  const idle = replaced.map(({ publicKey }) => publicKey.kid).filter((kid) => !needed.includes(kid))
  if (idle.length === 0) return false
  const open = await parts.keysOfOpenRequests()
  const old = new Set(idle.filter((kid) => !open.has(kid)))
  if (old.size === 0) return false
  await changeFile(parts, (kept) => kept.filter(({ key }) => !old.has(key.kid)))
  parts.told('wiped', [...old])
  return true
}

/** Changes the file first, then what opens: what the store hears of is on the disk. */
async function changeFile(
  { stateDirectory, keys, readPassphrase }: SealingKeyParts,
  change: (kept: readonly KeptSealingKey[]) => readonly KeptSealingKey[],
): Promise<void> {
  const passphrase = await readPassphrase()
  try {
    const set = await readKeyFile(stateDirectory, passphrase)
    if (!set) throw new WritebackError('ERR_KEYS_UNUSABLE', `no key file in ${stateDirectory}`)
    const sealing = [...change(set.sealing)]
    await writeKeyFile(stateDirectory, { ...set, sealing }, passphrase)
    await keys.replaceSealingKeys(sealing)
  } finally {
    passphrase?.fill(0)
  }
}
