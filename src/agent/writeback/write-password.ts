// Opens the sealed passwords, holds them against the policy, hands them to the directory in ONE modify, wipes them. Beside
// keys and directory the only place that sees clear bytes.
import type { Account } from '../decisions/account.ts'
import type { ClearBytes } from '../decisions/clear-bytes.ts'
import type { Effect, PolicyReading, WriterSession } from '../directory/directory.ts'
import { type BrokenRule, checkPassword, explainRefusal } from './check-password.ts'
import { type Sent, sendWrite } from './send-write.ts'
import type { Work, WritebackParts } from './writeback-parts.ts'

/** `unsent`: a rule is broken for certain, nothing was sent. `broken` beside an answer: what explains the refusal. */
export type Written =
  | { readonly kind: 'unsent'; readonly broken: BrokenRule }
  | ({ readonly kind: 'sent'; readonly broken: BrokenRule | undefined } & Sent)

/** A request that carries sealed passwords. */
export type PasswordWork = Work & { readonly document: { readonly operation: 'reset' | 'change' } }

/**
 * Checks, then writes. Throws ERR_SEALED_INVALID or ERR_PASSWORD_UNREPRESENTABLE before anything is sent, and what
 * reading a policy anew throws.
 */
export async function writePassword(
  parts: WritebackParts,
  work: PasswordWork,
  session: WriterSession,
  account: Account,
  policy: PolicyReading,
): Promise<Written> {
  const { document } = work
  return parts.keys.withOpened(document.sealed, sealedForOf(work), async (passwords) => {
    const candidate = { account, policy, old: document.operation === 'change' ? passwords[0] : undefined }
    const next = passwords.at(-1) as ClearBytes
    const certain = await checkPassword(next, candidate, work, session)
    if (certain) return { kind: 'unsent', broken: certain }
    const sent = await sendWrite(parts, work, session, account, effectOf(document, passwords))
    const isPolicy = sent.answer.kind === 'refused' && sent.answer.refusal.kind === 'password_policy'
    const named = sent.answer.kind === 'refused' ? sent.answer.refusal.brokenRule : undefined
    const broken = isPolicy ? await explainRefusal(next, { ...candidate, named }, work, session) : undefined
    return { kind: 'sent', broken, ...sent }
  })
}

function effectOf(document: PasswordWork['document'], passwords: readonly ClearBytes[]): Effect {
  const [first, second] = passwords as [ClearBytes, ClearBytes]
  if (document.operation === 'change') return { kind: 'change', oldPassword: first, newPassword: second }
  const { unlock, mustChangeAtNextSignIn: mustChange } = document.options
  return { kind: 'reset', password: first, unlock, mustChange }
}

const sealedForOf = ({ document }: PasswordWork) => ({
  requestId: document.id,
  operation: document.operation,
  anchor: document.subject.anchor,
  directory: document.directory,
  expiresAt: document.expiresAt,
})
