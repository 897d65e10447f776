import path from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { Activations } from '../machine/activations.ts';
import { vocabularyRanges, type Weights } from '../model/weights.ts';
import { batchSequences, openHead } from '../runtime/forward.ts';
import { counter, nextTokens, passSteps, throughBlocks, type PassOptions } from './passes.ts';

export interface EvaluationSet {
  readonly name: string;
  /** Token ids; whatever is left after the last whole window is dropped. */
  readonly tokens: Int32Array;
}

export interface WindowOptions {
  readonly seqlen: number;
  /** At most so many windows of each set. */
  readonly windows?: number | undefined;
}

export interface EvaluationOptions extends PassOptions, WindowOptions {
  /** A folder for the activations, [windows, seqlen, hidden] in float32; they are removed at the end. */
  readonly scratch: string;
}

/**
 * What a model made of the next tokens of windows: of each token, one window after another, [windows * seqlen]. The last one of a window
 * has no next token and does not count.
 */
export interface Predictions {
  readonly seqlen: number;
  /** Negative log-likelihood of the next token, nats. */
  readonly losses: Float64Array;
  /** 1 where no token was more probable than the next one, else 0. */
  readonly hits: Uint8Array;
}

export interface Predicted {
  readonly name: string;
  readonly seqlen: number;
  readonly windows: number;
  /** Tokens in the windows. */
  readonly tokens: number;
  readonly predictions: Predictions;
  /** This set's share of the time. */
  readonly seconds: number;
}

/**
 * A model's predictions on sets of tokens, cut into windows of `seqlen` that do not overlap, the tail dropped. All windows of all sets go
 * through one block before the next is opened, so that no more than a block's weights are in memory.
 */
export async function predict(
  model: Weights,
  sets: readonly EvaluationSet[],
  options: EvaluationOptions,
): Promise<Predicted[]> {
  const { seqlen } = options;
  if (seqlen > model.family.maxSeqlen)
    throw new TamisError('evaluation.seqlen', { seqlen, limit: model.family.maxSeqlen });
  return await predictWindows(sets, options, (windows) => throughModel(model, windows, options));
}

/** Windows of all sets, one after another. */
export interface Windows {
  /** [count * seqlen] */
  readonly ids: Int32Array;
  readonly count: number;
}

/** Cuts the sets into windows, of which `compute` gives the predictions, and those apart again. */
export async function predictWindows(
  sets: readonly EvaluationSet[],
  options: WindowOptions,
  compute: (windows: Windows) => Promise<Predictions>,
): Promise<Predicted[]> {
  const { seqlen } = options;
  const counts = sets.map((set) => windowCount(set, options));
  const windows = counts.reduce((a, b) => a + b, 0);
  const ids = joinWindows(sets, counts, seqlen);
  const started = performance.now();
  const { losses, hits } = await compute({ ids, count: windows });
  const seconds = (performance.now() - started) / 1000;
  let end = 0;
  return sets.map(({ name }, i) => {
    const count = counts[i] ?? 0;
    const tokens = count * seqlen;
    const [first, last] = [end, (end += tokens)];
    return {
      name,
      seqlen,
      windows: count,
      tokens,
      predictions: { seqlen, losses: losses.subarray(first, last), hits: hits.subarray(first, last) },
      seconds: (seconds * count) / windows,
    };
  });
}

export function windowCount({ name, tokens }: EvaluationSet, { seqlen, windows }: WindowOptions): number {
  const count = Math.floor(tokens.length / seqlen);
  if (count === 0) throw new TamisError('evaluation.too-short', { dataset: name, tokens: tokens.length, seqlen });
  return Math.min(count, windows ?? count);
}

export function joinWindows(sets: readonly EvaluationSet[], counts: readonly number[], seqlen: number): Int32Array {
  const ids = new Int32Array(counts.reduce((a, b) => a + b, 0) * seqlen);
  let start = 0;
  for (const [i, { tokens }] of sets.entries()) {
    const part = tokens.subarray(0, (counts[i] ?? 0) * seqlen);
    ids.set(part, start);
    start += part.length;
  }
  return ids;
}

async function throughModel(
  model: Weights,
  { ids, count: windows }: Windows,
  options: EvaluationOptions,
): Promise<Predictions> {
  const { seqlen } = options;
  const batch = batchSequences(seqlen);
  const headSteps = vocabularyRanges(model).length * Math.ceil(windows / batch);
  const step = counter(passSteps(model, windows, seqlen) + headSteps, ids.length, options);
  const file = path.join(options.scratch, 'evaluation.f32');
  await using activations = Activations.scratch(file, { sequences: windows, seqlen, hidden: model.family.hidden });
  await throughBlocks(model, ids, activations, options, step);
  const predictions = await headAll(model, ids, activations, options, step);
  step();
  return predictions;
}

/**
 * The predictions from what the last block gave. The head goes over all windows once for each range of the vocabulary; a token's log-sums
 * are added up.
 */
export async function headAll(
  model: Weights,
  ids: Int32Array,
  activations: Activations,
  options: PassOptions,
  step: () => void,
): Promise<Predictions> {
  const targets = nextTokens(ids);
  const logSums = new Float64Array(targets.length).fill(-Infinity);
  const highest = new Float64Array(targets.length).fill(-Infinity);
  const logits = new Float64Array(targets.length);
  for (const range of vocabularyRanges(model)) {
    await using head = await openHead(model, range, options);
    for await (const { first: window, x } of activations.batches(batchSequences(options.seqlen))) {
      step();
      const first = window * options.seqlen;
      const own = targets.subarray(first, first + x.length / model.family.hidden);
      const { logSum, max, target } = await head.run(x, own);
      for (const [i, partial] of logSum.entries()) {
        const id = targets[first + i] ?? 0;
        logSums[first + i] = logAddExp(logSums[first + i] ?? 0, partial);
        highest[first + i] = Math.max(highest[first + i] ?? 0, max[i] ?? 0);
        if (id >= range.start && id < range.end) logits[first + i] = target[i] ?? 0;
      }
    }
  }
  return {
    seqlen: options.seqlen,
    losses: logSums.map((logSum, i) => logSum - (logits[i] ?? 0)),
    hits: Uint8Array.from(logits, (logit, i) => (logit >= (highest[i] ?? NaN) ? 1 : 0)),
  };
}

/** log(exp(a) + exp(b)). */
function logAddExp(a: number, b: number): number {
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}

/** The mean of each window's values over its predictions: [windows * seqlen] -> [windows]. */
export function windowMeans(values: Float64Array | Uint8Array, seqlen: number): Float64Array {
  return Float64Array.from({ length: values.length / seqlen }, (_, window) => {
    let sum = 0;
    for (let at = window * seqlen; at < (window + 1) * seqlen - 1; at++) sum += values[at] ?? NaN;
    return sum / (seqlen - 1);
  });
}
