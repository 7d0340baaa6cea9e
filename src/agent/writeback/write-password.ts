// The one write: opens the sealed password, hands it to the directory in ONE modify, wipes it. Beside keys and
// directory the only place that sees clear bytes.
import type { Account } from '../decisions/account.ts'
import type { ClearBytes } from '../decisions/clear-bytes.ts'
import type { WriteAnswer } from '../decisions/write-answer.ts'
import type { WriterSession } from '../directory/directory.ts'
import { beginAttempt } from './attempt.ts'
import { findWriteObstacle } from './find-obstacle.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** What came of the write, and the marker it carried. `withheld`: an obstacle came up before the first byte. */
export interface Written {
  readonly answer: WriteAnswer
  readonly markerAfter: string
  readonly withheld: boolean
}

/**
 * Records the intent, then writes. Throws ERR_SEALED_INVALID or ERR_PASSWORD_UNREPRESENTABLE before anything is sent.
 */
export async function writePassword(
  parts: WritebackParts,
  work: Work,
  session: WriterSession,
  account: Account,
): Promise<Written> {
  const { document } = work
  return parts.keys.withOpened(document.sealed, sealedForOf(work), async ([password]) => {
    const { markerAfter, close } = beginAttempt(parts, work, session, account, 'write')
    let withheld = false
    const answer = await session.write({
      objectGuid: account.objectGuid,
      effect: {
        kind: 'reset',
        password: password as ClearBytes,
        unlock: document.options.unlock,
        mustChange: document.options.mustChangeAtNextSignIn,
      },
      markerBefore: account.marker,
      markerAfter,
      mayStart: () => {
        withheld = findWriteObstacle(parts, work, session) !== undefined
        return !withheld
      },
    })
    close(answer)
    return { answer, markerAfter, withheld }
  })
}

const sealedForOf = ({ document }: Work) => ({
  requestId: document.id,
  operation: document.operation,
  anchor: document.subject.anchor,
  directory: document.directory,
  expiresAt: document.expiresAt,
})
