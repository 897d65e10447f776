/** What a perplexity was measured on. Two perplexities compare only where all of it is the same. */
export interface Measure {
  readonly dataset: string;
  readonly seqlen: number;
  readonly windows: number;
}

/** The same text for the same measure, and for no other. */
export function measureKey({ dataset, seqlen, windows }: Measure): string {
  return JSON.stringify([dataset, seqlen, windows]);
}
