// When certificates end: of a chain the one that ends first, of a file of authorities the one that ends last, of a client's its own.
import { X509Certificate } from 'node:crypto'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'

// No real chain is longer; a loop in what a server sent must end.
const LONGEST_CHAIN = 16

/** When the first certificate of a peer's chain ends, up to the authority; milliseconds since 1970, undefined without one. */
export function endOfPeerChain(socket: Pick<TLSSocket, 'getPeerCertificate'>): number | undefined {
  const ends: number[] = []
  let at: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  for (let depth = 0; at?.raw !== undefined && depth < LONGEST_CHAIN; depth += 1) {
    ends.push(new X509Certificate(at.raw).validToDate.getTime())
    if (at.issuerCertificate === at) break
    at = at.issuerCertificate
  }
  return ends.length === 0 ? undefined : Math.min(...ends)
}

/** When the first certificate of a PEM text ends, the leaf where its chain follows; undefined without one. */
export const endOfLeaf = (text: string): number | undefined => endsOf(text)[0]

/** When the last certificate of a PEM text ends, as a text that is being renewed has old and new; undefined without one. */
export function endOfPem(text: string): number | undefined {
  const ends = endsOf(text)
  return ends.length === 0 ? undefined : Math.max(...ends)
}

function endsOf(text: string): readonly number[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block).validToDate.getTime())
}
