// Text of others on a terminal.

/** The text without what could move the cursor or turn the writing around: it may be what a server on the network said. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
