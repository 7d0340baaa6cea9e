// The rule that a refused password broke.

/** Told as what would be accepted; it says nothing about the password. `at`: milliseconds since 1970. */
export type Rule =
  | { readonly kind: 'minimum_length'; readonly characters: number }
  | { readonly kind: 'character_classes'; readonly least: number; readonly of: number }
  | { readonly kind: 'no_names' }
  | { readonly kind: 'not_blocklisted' }
  | { readonly kind: 'changeable_from'; readonly at: number }
  | { readonly kind: 'not_used_before'; readonly remembered: number }
