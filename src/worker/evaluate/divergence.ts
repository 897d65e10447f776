/** Of each token, how one model's next-token probabilities compare with another's. All [tokens]. */
export interface Divergence {
  /** KL(A ‖ B) = sum p_A (log p_A - log p_B) over the vocabulary, in nats. */
  readonly divergences: Float64Array;
  /** -log p of the token that followed, by A and by B, in nats. */
  readonly lossesA: Float64Array;
  readonly lossesB: Float64Array;
  /** 1 where both find the same token the most probable. */
  readonly agreements: Float64Array;
}

/** A range of the vocabulary as both models see it: logits [tokens, width] of the tokens from `first` on. */
export interface LogitsPair {
  readonly first: number;
  /** The id of the first column. */
  readonly start: number;
  readonly width: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/**
 * Adds up the divergence of two models as their logits come, one range of the vocabulary after the other: sums of exponentials are
 * kept relative to the largest logit so far. Float64 throughout.
 */
export class DivergenceSums {
  readonly #targets: Int32Array;
  readonly #a: ModelSums;
  readonly #b: ModelSums;
  /** sum exp(a - max a) (a - b) */
  readonly #differences: Float64Array;

  /** `targets`: the token that followed each. */
  constructor(targets: Int32Array) {
    this.#targets = targets;
    this.#a = new ModelSums(targets.length);
    this.#b = new ModelSums(targets.length);
    this.#differences = new Float64Array(targets.length);
  }

  add({ first, start, width, a, b }: LogitsPair): void {
    for (let token = 0; token < a.length / width; token++) {
      const at = first + token;
      const rowA = a.subarray(token * width, (token + 1) * width);
      const rowB = b.subarray(token * width, (token + 1) * width);
      this.#differences[at] = (this.#differences[at] ?? 0) * this.#a.raise(at, rowA, start);
      this.#b.raise(at, rowB, start);
      this.#addRow(at, rowA, rowB);
      const target = (this.#targets[at] ?? 0) - start;
      if (target < 0 || target >= width) continue;
      this.#a.target[at] = rowA[target] ?? 0;
      this.#b.target[at] = rowB[target] ?? 0;
    }
  }

  /** The exponentials of a row, each computed once: they are what a comparison takes longest for. */
  #addRow(at: number, rowA: Float32Array, rowB: Float32Array): void {
    const [maxA, maxB] = [this.#a.max[at] ?? 0, this.#b.max[at] ?? 0];
    let [sumA, sumB, difference] = [this.#a.sum[at] ?? 0, this.#b.sum[at] ?? 0, this.#differences[at] ?? 0];
    for (let i = 0; i < rowA.length; i++) {
      const logitA = rowA[i] ?? 0;
      const logitB = rowB[i] ?? 0;
      const power = Math.exp(logitA - maxA);
      sumA += power;
      sumB += Math.exp(logitB - maxB);
      difference += power * (logitA - logitB);
    }
    this.#a.sum[at] = sumA;
    this.#b.sum[at] = sumB;
    this.#differences[at] = difference;
  }

  /** Once all ranges have been added. */
  result(): Divergence {
    const [a, b] = [this.#a, this.#b];
    const [logA, logB] = [a.logSums(), b.logSums()];
    return {
      divergences: this.#differences.map(
        (difference, i) => difference / (a.sum[i] ?? 0) - (logA[i] ?? 0) + (logB[i] ?? 0),
      ),
      lossesA: logA.map((logSum, i) => logSum - (a.target[i] ?? 0)),
      lossesB: logB.map((logSum, i) => logSum - (b.target[i] ?? 0)),
      agreements: a.top.map((id, i) => (id === b.top[i] ? 1 : 0)),
    };
  }
}

/** Of each token, one model's logits so far. */
class ModelSums {
  readonly max: Float64Array;
  /** sum exp(logit - max) */
  readonly sum: Float64Array;
  /** The id of the largest logit, the first of them where several are. */
  readonly top: Float64Array;
  readonly target: Float64Array;

  constructor(tokens: number) {
    this.max = new Float64Array(tokens).fill(-Infinity);
    this.sum = new Float64Array(tokens);
    this.top = new Float64Array(tokens);
    this.target = new Float64Array(tokens);
  }

  /** Finds the largest of a token's logits, with `row` among them; gives what sums relative to the one before are multiplied with. */
  raise(at: number, row: Float32Array, start: number): number {
    const before = this.max[at] ?? 0;
    let max = before;
    for (let i = 0; i < row.length; i++) {
      const logit = row[i] ?? 0;
      if (logit <= max) continue;
      max = logit;
      this.top[at] = start + i;
    }
    const shrink = Math.exp(before - max);
    this.max[at] = max;
    this.sum[at] = (this.sum[at] ?? 0) * shrink;
    return shrink;
  }

  logSums(): Float64Array {
    return this.max.map((max, i) => max + Math.log(this.sum[i] ?? 0));
  }
}
