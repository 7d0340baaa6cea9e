// What stands for `src/protocol/open-jwe.ts` in a simulated process: the tokens of token-jose.ts.
import { keyOf, openToken } from './token-jose.ts'

export const importOpener = keyOf
export const openJwe = openToken
