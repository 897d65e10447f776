export function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** The standard error of the mean of independent values; null of fewer than two. */
export function standardError(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const middle = mean(values);
  const squares = values.map((each) => (each - middle) ** 2);
  return Math.sqrt(mean(squares) / (values.length - 1));
}
