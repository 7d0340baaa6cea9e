// Rules in plain English, for command lines and pages.
import type { Rule } from './rule.ts'

const CLASSES = 'uppercase letters, lowercase letters, digits, symbols, letters without case'

/** The rule as part of a sentence that may begin "accepted is" or "asked for is". Times are UTC, in ISO form. */
export function describeRule(rule: Rule): string {
  switch (rule.kind) {
    case 'minimum_length':
      return `at least ${counted(rule.characters, 'character')}`
    case 'character_classes':
      return `characters of at least ${rule.least} of these ${rule.of} kinds: ${CLASSES}`
    case 'no_names':
      return 'a password that holds neither the account name nor a part of the display name'
    case 'not_blocklisted':
      return 'a password that is not on the list of forbidden passwords'
    case 'changeable_from':
      return `a change at ${new Date(rule.at).toISOString()} or later`
    case 'not_used_before':
      return `a password other than the last ${counted(rule.remembered, 'password')} of this account`
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
