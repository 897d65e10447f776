import path from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { Activations } from '../machine/activations.ts';
import { vocabularyRanges, type Weights } from '../model/weights.ts';
import { batchSequences, openHead } from '../runtime/forward.ts';
import { counter, nextTokens, passSteps, throughBlocks, windowMeans, type PassOptions } from './passes.ts';

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

/** Mean negative log-likelihood of every window, in float64 nats: [windows]. */
async function windowLosses(
  model: Weights,
  { ids, count: windows }: Windows,
  options: EvaluationOptions,
): Promise<Float64Array> {
  const { seqlen } = options;
  const batch = batchSequences(seqlen);
  const headSteps = vocabularyRanges(model).length * Math.ceil(windows / batch);
  const step = counter(passSteps(model, windows, seqlen) + headSteps, ids.length, options);
  const file = path.join(options.scratch, 'evaluation.f32');
  const activations = Activations.create(file, { sequences: windows, seqlen, hidden: model.family.hidden });
  try {
    await throughBlocks(model, ids, activations, options, step);
    const losses = await headAll(model, ids, activations, options, step);
    step();
    return losses;
  } finally {
    await activations.remove();
  }
}

/**
 * Mean negative log-likelihood of every window from what the last block gave: [windows], float64 nats. The head goes over all windows
 * once for each range of the vocabulary; a token's log-sums are added up.
 */
export async function headAll(
  model: Weights,
  ids: Int32Array,
  activations: Activations,
  options: PassOptions,
  step: () => void,
): Promise<Float64Array> {
  const targets = nextTokens(ids);
  const logSums = new Float64Array(targets.length).fill(-Infinity);
  const logits = new Float64Array(targets.length);
  for (const range of vocabularyRanges(model)) {
    const head = await openHead(model, range, options);
    try {
      for await (const { first: window, x } of activations.batches(batchSequences(options.seqlen))) {
        step();
        const first = window * options.seqlen;
        const own = targets.subarray(first, first + x.length / model.family.hidden);
        const { logSum, target } = await head.run(x, own);
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
  return windowMeans(
    logSums.map((logSum, i) => logSum - (logits[i] ?? 0)),
    options.seqlen,
  );
}

/** log(exp(a) + exp(b)). */
function logAddExp(a: number, b: number): number {
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}
