import path from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { Activations } from '../run/activations.ts';
import { batchSequences, openBlock, openEmbed, openHead, vocabularyRanges, type Weights } from '../runtime/forward.ts';
import type { SessionOptions } from '../runtime/session.ts';
import type { TensorInfo } from '../native.ts';

export interface EvaluationSet {
  readonly name: string;
  /** Token ids; whatever is left after the last whole window is dropped. */
  readonly tokens: Int32Array;
}

export interface EvaluationProgress {
  readonly done: number;
  readonly total: number;
  /** Tokens through the whole model, over the time so far. */
  readonly tokensPerSecond: number;
}

export interface WindowOptions {
  readonly seqlen: number;
  /** At most so many windows of each set. */
  readonly windows?: number | undefined;
  readonly signal: AbortSignal;
  readonly progress?: (progress: EvaluationProgress) => void;
}

export interface EvaluationOptions extends SessionOptions, WindowOptions {
  /** A folder for the activations, [windows, seqlen, hidden] in float32; they are removed at the end. */
  readonly scratch: string;
  /** Tensors that take the place of the checkpoint's own, by block. */
  readonly weights?: (block: number) => ReadonlyMap<string, TensorInfo> | undefined;
}

export interface Perplexity {
  readonly name: string;
  readonly seqlen: number;
  readonly windows: number;
  /** Tokens in the windows. */
  readonly tokens: number;
  /** exp of the mean over windows of the mean negative log-likelihood of a window's seqlen - 1 predictions. */
  readonly perplexity: number;
  /** This set's share of the time. */
  readonly seconds: number;
}

/**
 * Perplexity as the papers measure it (docs/method.md, section 9): non-overlapping windows of `seqlen` tokens, the tail dropped. All
 * windows of all sets go through one block before the next is opened, so that no more than a block's weights are in memory.
 */
export async function perplexities(
  model: Weights,
  sets: readonly EvaluationSet[],
  options: EvaluationOptions,
): Promise<Perplexity[]> {
  const { seqlen } = options;
  if (seqlen > model.family.maxSeqlen)
    throw new TamisError('evaluation.seqlen', { seqlen, limit: model.family.maxSeqlen });
  return await measure(sets, options, (windows) => windowLosses(model, windows, options));
}

/** Windows of all sets, one after another. */
export interface Windows {
  /** [count * seqlen] */
  readonly ids: Int32Array;
  readonly count: number;
}

/** Cuts the sets into windows; `losses` gives the mean negative log-likelihood of each, in float64 nats. */
export async function measure(
  sets: readonly EvaluationSet[],
  options: WindowOptions,
  losses: (windows: Windows) => Promise<Float64Array>,
): Promise<Perplexity[]> {
  const { seqlen } = options;
  const counts = sets.map((set) => windowCount(set, options));
  const windows = counts.reduce((a, b) => a + b, 0);
  const ids = joinWindows(sets, counts, seqlen);
  const started = performance.now();
  const means = await losses({ ids, count: windows });
  const seconds = (performance.now() - started) / 1000;
  let start = 0;
  return sets.map(({ name }, i) => {
    const count = counts[i] ?? 0;
    const mean = means.subarray(start, (start += count)).reduce((a, b) => a + b, 0) / count;
    return {
      name,
      seqlen,
      windows: count,
      tokens: count * seqlen,
      perplexity: Math.exp(mean),
      seconds: (seconds * count) / windows,
    };
  });
}

function windowCount({ name, tokens }: EvaluationSet, { seqlen, windows }: WindowOptions): number {
  const count = Math.floor(tokens.length / seqlen);
  if (count === 0) throw new TamisError('evaluation.too-short', { dataset: name, tokens: tokens.length, seqlen });
  return Math.min(count, windows ?? count);
}

function joinWindows(sets: readonly EvaluationSet[], counts: readonly number[], seqlen: number): Int32Array {
  const ids = new Int32Array(counts.reduce((a, b) => a + b, 0) * seqlen);
  let start = 0;
  for (const [i, { tokens }] of sets.entries()) {
    const part = tokens.subarray(0, (counts[i] ?? 0) * seqlen);
    ids.set(part, start);
    start += part.length;
  }
  return ids;
}

/** Mean negative log-likelihood of every window, in float64 nats: [windows]. */
async function windowLosses(
  model: Weights,
  { ids, count: windows }: Windows,
  options: EvaluationOptions,
): Promise<Float64Array> {
  const { seqlen } = options;
  const { blocks, hidden } = model.family;
  const batch = batchSequences(seqlen);
  const step = counter((1 + blocks + vocabularyRanges(model).length) * Math.ceil(windows / batch), ids.length, options);
  const file = path.join(options.scratch, 'evaluation.f32');
  const activations = Activations.create(file, { sequences: windows, seqlen, hidden });
  try {
    await embedAll(model, ids, activations, options, step);
    for (let block = 0; block < blocks; block++) await blockAll(model, block, activations, options, step);
    const losses = await headAll(model, ids, activations, options, step);
    step();
    return losses;
  } finally {
    activations.remove();
  }
}

async function embedAll(
  model: Weights,
  ids: Int32Array,
  activations: Activations,
  options: EvaluationOptions,
  step: () => void,
): Promise<void> {
  const embed = await openEmbed(model, options);
  try {
    for (const [start, count] of batches(activations)) {
      step();
      activations.write(start, await embed.run(ids.subarray(start * options.seqlen, (start + count) * options.seqlen)));
    }
  } finally {
    await embed.close();
  }
}

async function blockAll(
  model: Weights,
  index: number,
  activations: Activations,
  options: EvaluationOptions,
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
    for (const [start, count] of batches(activations)) {
      step();
      const { output } = await block.run(activations.read(start, count));
      if (output) activations.write(start, output);
    }
  } finally {
    await block.close();
  }
}

/** The head goes over all windows once for each range of the vocabulary; a token's log-sums are added up. */
async function headAll(
  model: Weights,
  ids: Int32Array,
  activations: Activations,
  options: EvaluationOptions,
  step: () => void,
): Promise<Float64Array> {
  const targets = nextTokens(ids);
  const logSums = new Float64Array(targets.length).fill(-Infinity);
  const logits = new Float64Array(targets.length);
  for (const range of vocabularyRanges(model)) {
    const head = await openHead(model, range, options);
    try {
      for (const [start, count] of batches(activations)) {
        step();
        const first = start * options.seqlen;
        const { logSum, target } = await head.run(
          activations.read(start, count),
          targets.subarray(first, first + count * options.seqlen),
        );
        for (const [i, partial] of logSum.entries()) {
          const id = targets[first + i] ?? 0;
          logSums[first + i] = logAddExp(logSums[first + i] ?? 0, partial);
          if (id >= range.start && id < range.end) logits[first + i] = target[i] ?? 0;
        }
      }
    } finally {
      await head.close();
    }
  }
  return meanLosses(logSums, logits, options.seqlen);
}

/** log(exp(a) + exp(b)). */
function logAddExp(a: number, b: number): number {
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}

/** The mean over a window's predictions; its last position has no next token and does not count. */
export function meanLosses(logSums: Float64Array, logits: Float64Array, seqlen: number): Float64Array {
  return Float64Array.from({ length: logSums.length / seqlen }, (_, window) => {
    let sum = 0;
    for (let i = window * seqlen; i < (window + 1) * seqlen - 1; i++) sum += (logSums[i] ?? 0) - (logits[i] ?? 0);
    return sum / (seqlen - 1);
  });
}

/** The token after each; the last one has none. */
export function nextTokens(ids: Int32Array): Int32Array {
  const next = new Int32Array(ids.length);
  next.set(ids.subarray(1));
  return next;
}

function* batches({ shape: { sequences, seqlen } }: Activations): Generator<[start: number, count: number]> {
  const batch = batchSequences(seqlen);
  for (let start = 0; start < sequences; start += batch) yield [start, Math.min(batch, sequences - start)];
}

/** To be called before each run and after the last: tells how far it is, and stops where the signal says so. */
export function counter(total: number, tokens: number, { signal, progress }: WindowOptions): () => void {
  const started = performance.now();
  let done = 0;
  return () => {
    if (signal.aborted) throw new TamisError('cancelled');
    const seconds = (performance.now() - started) / 1000;
    progress?.({ done, total, tokensPerSecond: seconds > 0 ? (tokens * done) / total / seconds : 0 });
    done++;
  };
}
