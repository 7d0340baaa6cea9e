// Who may see the board: the token opens a session, guesses are slowed down, and a session ends by itself.
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../clock/clock.ts'
import { fitsTokenHash } from '../keys/operator-token.ts'

/** What became of a knock: the name of a new session, or how long to wait before the next try. */
export type Knock =
  | { readonly kind: 'open'; readonly session: string }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'wait'; readonly seconds: number }

/** The door of one board. */
export interface BoardDoor {
  readonly knock: (token: string) => Promise<Knock>
  readonly isOpenFor: (session: string | undefined) => boolean
  readonly leave: (session: string | undefined) => void
}

const SESSION_MS = 8 * 3_600_000
const MOST_SESSIONS = 32
const FREE_GUESSES = 5
const FIRST_WAIT_MS = 10_000
const LONGEST_WAIT_MS = 300_000
const SESSION_BYTES = 32

/** Makes the door. Everybody comes from this host, so guesses are counted together. */
export function createBoardDoor(tokenHash: string, clock: Clock): BoardDoor {
  const sessions = new Map<string, number>()
  let wrong = 0
  let closedUntilMs = Number.NEGATIVE_INFINITY
  // One at a time: many at once would be judged before the first of them counts, and cost memory.
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0

  const judge = async (token: string): Promise<Knock> => {
    const restMs = closedUntilMs - clock.monotonicMs()
    if (restMs > 0) return { kind: 'wait', seconds: Math.ceil(restMs / 1000) }
    if (!(await fitsTokenHash(tokenHash, token))) {
      wrong += 1
      const over = wrong - FREE_GUESSES
      if (over >= 0)
        closedUntilMs = clock.monotonicMs() + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** over)
      return { kind: 'wrong' }
    }
    wrong = 0
    const session = randomBytes(SESSION_BYTES).toString('base64url')
    sessions.set(session, clock.monotonicMs() + SESSION_MS)
    if (sessions.size > MOST_SESSIONS) sessions.delete(sessions.keys().next().value ?? '')
    return { kind: 'open', session }
  }
  return {
    knock: async (token) => {
      if (waiting >= FREE_GUESSES) return { kind: 'wait', seconds: 1 }
      waiting += 1
      const turn = last.then(() => judge(token))
      last = turn.catch(() => {})
      return turn.finally(() => {
        waiting -= 1
      })
    },
    // A name of 256 random bits cannot be guessed by the time that a look into the table takes.
    isOpenFor: (session = '') => {
      const untilMs = sessions.get(session) ?? Number.NEGATIVE_INFINITY
      if (clock.monotonicMs() < untilMs) return true
      sessions.delete(session)
      return false
    },
    leave: (session = '') => void sessions.delete(session),
  }
}
