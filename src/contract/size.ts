/** Pruned layers as they would be stored without their zeros. */
export interface PrunedSize {
  /** Bytes of all weight files, zeros in place. */
  readonly bytes: number;
  /** Weights in the pruned layers. */
  readonly weights: number;
  /** Bytes of one of them. */
  readonly weightBytes: number;
  /** Mean over them. */
  readonly sparsity: number;
}

/** The checkpoint with its pruned layers as one bit a weight and the values that are left, bytes. */
export function nonZeroBytes({ bytes, weights, weightBytes, sparsity }: PrunedSize): number {
  return Math.ceil(bytes - weights * weightBytes + weights / 8 + (1 - sparsity) * weights * weightBytes);
}
