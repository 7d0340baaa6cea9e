// The few search filters that go into a control (RFC 4511 §4.5.1.7), as bytes.
import { BER, type BerPart, constructed, encodeFrame, text } from './ber-write.ts'

/** A filter: all of several, none of one, one value, or any value at all. */
export type Filter =
  | { readonly all: readonly Filter[] }
  | { readonly not: Filter }
  | { readonly attribute: string; readonly equals: string }
  | { readonly present: string }

/** Encodes a filter. Values go in as bytes, so nothing in them needs an escape. */
export const encodeFilter = (filter: Filter): Buffer => encodeFrame(filterPart(filter))

function filterPart(filter: Filter): BerPart {
  if ('all' in filter) return constructed(0xa0, filter.all.map(filterPart))
  if ('not' in filter) return constructed(0xa2, [filterPart(filter.not)])
  if ('present' in filter) return text(0x87, filter.present)
  return constructed(0xa3, [text(BER.octetString, filter.attribute), text(BER.octetString, filter.equals)])
}
