// What stands for `src/protocol/compact-jws.ts` in a simulated process: the tokens of token-jose.ts.
import { CompactSign, compactVerify } from './token-jose.ts'

type Key = Parameters<InstanceType<typeof CompactSign>['sign']>[0]
type Header = Parameters<InstanceType<typeof CompactSign>['setProtectedHeader']>[0]

export const keepSigner = (): void => {}

export const signCompact = (bytes: Uint8Array, header: Header, key: Key): Promise<string> =>
  new CompactSign(bytes).setProtectedHeader(header).sign(key)

export async function verifyCompact(jws: string, findKey: (header: Header) => Promise<Key>) {
  const { payload, protectedHeader: header } = await compactVerify(jws, findKey)
  return { payload, header }
}
