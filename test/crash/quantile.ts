// Quantiles of measured times.

/** The smallest value that at least this share of the values does not exceed; 0 of none. */
export const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((one, other) => one - other)[
    Math.min(values.length - 1, Math.ceil(values.length * share) - 1)
  ] ?? 0
