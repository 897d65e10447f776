import { TamisError } from '../../contract/errors.ts';
import type { Weights } from '../model/weights.ts';
import type { TensorInfo } from '../native.ts';
import type { Activations } from '../machine/activations.ts';
import { batchSequences, openBlock, openEmbed } from '../runtime/forward.ts';
import type { SessionOptions } from '../runtime/session.ts';

export interface PassProgress {
  readonly done: number;
  readonly total: number;
  /** Tokens through the whole model, over the time so far. */
  readonly tokensPerSecond: number;
}

export interface PassOptions extends SessionOptions {
  readonly seqlen: number;
  /** Tensors that take the place of the checkpoint's own, by block. */
  readonly weights?: (block: number) => ReadonlyMap<string, TensorInfo> | undefined;
  readonly signal: AbortSignal;
  readonly progress?: (progress: PassProgress) => void;
}

/** Runs that `throughBlocks` makes of so many windows, one `step` each. */
export function passSteps({ family }: Weights, windows: number, seqlen: number): number {
  return (1 + family.blocks) * Math.ceil(windows / batchSequences(seqlen));
}

/** All windows through the embeddings and one block after the other: what the last one gives is left in `activations`. */
export async function throughBlocks(
  model: Weights,
  ids: Int32Array,
  activations: Activations,
  options: PassOptions,
  step: () => void,
): Promise<void> {
  await embedAll(model, ids, activations, options, step);
  for (let block = 0; block < model.family.blocks; block++) await blockAll(model, block, activations, options, step);
}

/** All windows through the embeddings. */
export async function embedAll(
  model: Weights,
  ids: Int32Array,
  activations: Activations,
  options: PassOptions,
  step: () => void,
): Promise<void> {
  const embed = await openEmbed(model, options);
  try {
    const { sequences, seqlen } = activations.shape;
    const batch = batchSequences(seqlen);
    for (let first = 0; first < sequences; first += batch) {
      step();
      await activations.write(first, await embed.run(ids.subarray(first * seqlen, (first + batch) * seqlen)));
    }
    await activations.settle();
  } finally {
    await embed.close();
  }
}

/** All windows through one block, in place. */
export async function blockAll(
  model: Weights,
  index: number,
  activations: Activations,
  options: PassOptions,
  step: () => void,
): Promise<void> {
  const { device, threads, seqlen } = options;
  const weights = options.weights?.(index);
  const block = await openBlock(model, index, {
    device,
    threads,
    seqlen,
    ...(weights && { weights }),
    taps: false,
    output: true,
  });
  try {
    for await (const { first, x } of activations.batches(batchSequences(seqlen))) {
      step();
      const { output } = await block.run(x);
      if (output) await activations.write(first, output);
    }
    await activations.settle();
  } finally {
    await block.close();
  }
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

/** The mean over the predictions of each window; its last position has no next token and does not count. */
export function windowMeans(values: Float64Array, seqlen: number): Float64Array {
  return Float64Array.from({ length: values.length / seqlen }, (_, window) => {
    const own = values.subarray(window * seqlen, (window + 1) * seqlen - 1);
    return own.reduce((a, b) => a + b, 0) / (seqlen - 1);
  });
}
