/** Two models over the same tokens: how the next-token probabilities of B compare with those of A. */
export interface Comparison {
  readonly dataset: string;
  readonly seqlen: number;
  readonly windows: number;
  readonly tokens: number;
  /** The perplexity of A on these tokens. */
  readonly perplexity: number;
  /** The perplexity of B on these tokens. */
  readonly againstPerplexity: number;
  /** Mean KL(A ‖ B) of a prediction, nats. */
  readonly divergence: number;
  /** Share of the predictions in which both find the same token the most probable. */
  readonly agreement: number;
  readonly seconds: number;
}
