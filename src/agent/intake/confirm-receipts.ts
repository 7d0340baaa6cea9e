// Tells the store which requests this agent will carry out, and on which server. No write begins before.
import type { IntakeParts } from './intake-parts.ts'

/** One promise: this request, under this lease, on this server. */
export interface Receipt {
  readonly request: string
  readonly lease: number
  readonly server: string
}

type ReceiptParts = Pick<IntakeParts, 'client' | 'journal' | 'leases'>

/**
 * Confirms receipts and journals the accepted ones. Gives the requests whose receipt was accepted; a lost lease is
 * noted. Throws as the store client does.
 */
export async function confirmReceipts(
  parts: ReceiptParts,
  receipts: readonly Receipt[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  if (receipts.length === 0) return new Set()
  const { answer } = await parts.client.receipts({ receipts: [...receipts] }, signal)
  const accepted = new Set(
    answer.results.filter(({ result }) => result === 'accepted').map(({ request }) => request),
  )
  for (const { request, lease } of receipts) if (!accepted.has(request)) parts.leases.lose({ request, lease })
  const promised = receipts.filter(({ request }) => accepted.has(request))
  parts.journal.receipt(promised.map(({ request, lease, server }) => ({ requestId: request, lease, server })))
  return accepted
}
