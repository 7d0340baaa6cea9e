// Tells the store which requests this agent will carry out, and on which server. No write begins before. Whoever asks for
// a receipt that is being given already waits for that one.
import type { Leases } from '../decisions/leases.ts'
import type { Journal } from '../journal/journal.ts'
import type { StoreClient } from '../store-client/create-store-client.ts'

/** One promise: this request, under this lease, on this server. */
export interface Receipt {
  readonly request: string
  readonly lease: number
  readonly server: string
}

/** Gives receipts, each once at a time. */
export interface Receipts {
  /**
   * Confirms receipts and journals the accepted ones. Gives the requests whose receipt was accepted; a lost lease is
   * noted. Throws as the store client does.
   */
  readonly confirm: (receipts: readonly Receipt[], signal: AbortSignal) => Promise<ReadonlySet<string>>
}

interface ReceiptParts {
  readonly client: StoreClient
  readonly journal: Journal
  readonly leases: Leases
}
type Accepted = ReadonlySet<string>

const keyOf = ({ request, lease, server }: Receipt): string => `${request} ${lease} ${server}`

/** Makes the one place of an agent that gives receipts. */
export function createReceipts(parts: ReceiptParts): Receipts {
  const underWay = new Map<string, Promise<Accepted>>()
  const begin = (receipts: readonly Receipt[], signal: AbortSignal): void => {
    if (receipts.length === 0) return
    const call = send(parts, receipts, signal)
    for (const receipt of receipts) underWay.set(keyOf(receipt), call)
    const forget = () => {
      for (const receipt of receipts) underWay.delete(keyOf(receipt))
    }
    call.then(forget, forget)
  }
  return {
    confirm: async (receipts, signal) => {
      begin(
        receipts.filter((receipt) => !underWay.has(keyOf(receipt))),
        signal,
      )
      const calls = receipts.map(async (receipt) => ({
        request: receipt.request,
        isAccepted: (await underWay.get(keyOf(receipt)))?.has(receipt.request) ?? false,
      }))
      const answers = await Promise.all(calls)
      return new Set(answers.filter(({ isAccepted }) => isAccepted).map(({ request }) => request))
    },
  }
}

async function send(
  parts: ReceiptParts,
  receipts: readonly Receipt[],
  signal: AbortSignal,
): Promise<Accepted> {
  const { answer } = await parts.client.receipts({ receipts: [...receipts] }, signal)
  const accepted = new Set(
    answer.results.filter(({ result }) => result === 'accepted').map(({ request }) => request),
  )
  for (const { request, lease } of receipts) if (!accepted.has(request)) parts.leases.lose({ request, lease })
  const promised = receipts.filter(({ request }) => accepted.has(request))
  parts.journal.receipt(promised.map(({ request, lease, server }) => ({ requestId: request, lease, server })))
  return accepted
}
