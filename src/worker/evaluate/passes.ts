import { TamisError } from '../../contract/errors.ts';
import type { Weights } from '../model/weights.ts';
import type { Activations } from '../machine/activations.ts';
import { passRuns, throughBlock, throughEmbeddings } from '../runtime/passes.ts';
import type { SessionOptions } from '../runtime/session.ts';

export interface PassProgress {
  readonly done: number;
  readonly total: number;
  /** Tokens through the whole model, over the time so far. */
  readonly tokensPerSecond: number;
}

export interface PassOptions extends SessionOptions {
  readonly seqlen: number;
  readonly signal: AbortSignal;
  readonly progress?: (progress: PassProgress) => void;
}

/** Runs that `throughBlocks` makes of so many windows, one `step` each. */
export function passSteps({ family }: Weights, windows: number, seqlen: number): number {
  return (1 + family.blocks) * passRuns(windows, seqlen);
}

/** All windows through the embeddings and one block after the other: what the last one gives is left in `activations`. */
export async function throughBlocks(
  model: Weights,
  ids: Int32Array,
  activations: Activations,
  { device, threads, seqlen }: PassOptions,
  step: () => void,
): Promise<void> {
  const pass = { device, threads, seqlen, beforeRun: step };
  await throughEmbeddings(model, ids, activations, pass);
  for (let block = 0; block < model.family.blocks; block++)
    await throughBlock(model, block, { ...pass, input: activations, output: activations });
}

/** To be called before each run and after the last: tells how far it is, and stops where the signal says so. */
export function counter(
  total: number,
  tokens: number,
  { signal, progress }: Pick<PassOptions, 'signal' | 'progress'>,
): () => void {
  const started = performance.now();
  let done = 0;
  return () => {
    if (signal.aborted) throw new TamisError('cancelled');
    const seconds = (performance.now() - started) / 1000;
    progress?.({ done, total, tokensPerSecond: seconds > 0 ? (tokens * done) / total / seconds : 0 });
    done++;
  };
}

/** The token after each; the last one has none. */
export function nextTokens(ids: Int32Array): Int32Array {
  const next = new Int32Array(ids.length);
  next.set(ids.subarray(1));
  return next;
}
