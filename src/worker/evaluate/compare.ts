import { join } from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import type { Comparison } from '../../contract/comparison.ts';
import { withDenseFolder } from '../export/dense-folder.ts';
import { openModel, type Model } from '../model/open.ts';
import { seqlenOf } from '../prepare.ts';
import { Activations } from '../run/activations.ts';
import { Progress } from '../run/progress.ts';
import type { Told } from '../run/told.ts';
import { HEAD_TOKENS, openLogits, vocabularyRanges, type Logits } from '../runtime/forward.ts';
import type { EvaluationTokens } from './dataset.ts';
import { DivergenceSums, type Divergence } from './divergence.ts';
import { sessionOf, tokensOfAll, withScratch, type Evaluated } from './evaluate.ts';
import { batches, counter, nextTokens, passSteps, throughBlocks, windowMeans, type PassOptions } from './passes.ts';
import { joinWindows } from './perplexity.ts';

/**
 * How the next-token probabilities of a checkpoint or export, B, compare with those of another, A, over the same tokens. Both go
 * through their blocks one at a time, then their heads over one range of the vocabulary after the other: never all logits at once.
 */
export async function compareModels(wanted: Evaluated, against: string, told: Told): Promise<Comparison[]> {
  const { signal } = told;
  return await withDenseFolder(wanted.model, signal, (a) =>
    withDenseFolder(against, signal, async (b) =>
      compareFolders(wanted, { a: await openModel(a), b: await openModel(b) }, told),
    ),
  );
}

interface Pair {
  readonly a: Model;
  readonly b: Model;
}

async function compareFolders(wanted: Evaluated, { a, b }: Pair, told: Told): Promise<Comparison[]> {
  if (a.family.vocab !== b.family.vocab)
    throw new TamisError('evaluation.vocabularies', { one: a.family.vocab, other: b.family.vocab });
  const limit = Math.min(a.family.maxSeqlen, b.family.maxSeqlen);
  const seqlen = seqlenOf('evaluation.seqlen', wanted.evaluation.seqlen, limit);
  const evaluation = { ...wanted.evaluation, seqlen };
  const datasets = await tokensOfAll({ ...wanted, evaluation }, a, told);
  const session = await sessionOf(wanted);
  const progress = new Progress('evaluate-dense', 1, told.emit);
  const options: PassOptions = {
    ...session,
    seqlen,
    signal: told.signal,
    progress: ({ done, total }) => progress.reach(done / total),
  };
  const started = performance.now();
  const sums = await withScratch((scratch) => divergenceOf({ a, b }, datasets, scratch, options));
  return comparisons(datasets, sums, (performance.now() - started) / 1000);
}

async function divergenceOf(
  pair: Pair,
  datasets: readonly EvaluationTokens[],
  scratch: string,
  options: PassOptions,
): Promise<Divergence> {
  const counts = datasets.map(({ windows }) => windows);
  const windows = counts.reduce((sum, count) => sum + count, 0);
  const ids = joinWindows(datasets, counts, options.seqlen);
  const ranges = rangesOf(pair);
  const heads = ranges.length * Math.ceil(ids.length / HEAD_TOKENS);
  const passes = [pair.a, pair.b].reduce((sum, model) => sum + passSteps(model, windows, options.seqlen), 0);
  const step = counter(passes + heads, ids.length, options);
  const create = (name: string, { family }: Model): Activations =>
    Activations.create(join(scratch, name), { sequences: windows, seqlen: options.seqlen, hidden: family.hidden });
  const activations = { a: create('a.f32', pair.a), b: create('b.f32', pair.b) };
  try {
    await throughBlocks(pair.a, ids, activations.a, options, step);
    await throughBlocks(pair.b, ids, activations.b, options, step);
    const sums = new DivergenceSums(nextTokens(ids));
    for (const range of ranges) await addRange(pair, activations, sums, { ...options, ...range, step });
    step();
    return sums.result();
  } finally {
    activations.a.remove();
    activations.b.remove();
  }
}

/** Those of the model whose ranges are the smaller. */
function rangesOf({ a, b }: Pair): ReturnType<typeof vocabularyRanges> {
  const [one, other] = [vocabularyRanges(a), vocabularyRanges(b)];
  return one.length > other.length ? one : other;
}

async function addRange(
  { a, b }: Pair,
  activations: { readonly a: Activations; readonly b: Activations },
  sums: DivergenceSums,
  { start, end, step, ...options }: PassOptions & { start: number; end: number; step: () => void },
): Promise<void> {
  const opened: Logits[] = [];
  try {
    for (const model of [a, b]) opened.push(await openLogits(model, { start, end }, options));
    const [headA, headB] = opened;
    if (!headA || !headB) throw new Error('both heads are open');
    for (const [window, count] of batches(activations.a)) {
      const [rowsA, rowsB] = [activations.a.read(window, count), activations.b.read(window, count)];
      for (let token = 0; token < count * options.seqlen; token += HEAD_TOKENS) {
        step();
        const slice = (x: Float32Array, { family }: Model): Float32Array =>
          x.subarray(token * family.hidden, Math.min(x.length, (token + HEAD_TOKENS) * family.hidden));
        sums.add({
          first: window * options.seqlen + token,
          start,
          width: end - start,
          a: await headA.run(slice(rowsA, a)),
          b: await headB.run(slice(rowsB, b)),
        });
      }
    }
  } finally {
    for (const head of opened) await head.close();
  }
}

function comparisons(datasets: readonly EvaluationTokens[], sums: Divergence, seconds: number): Comparison[] {
  const windows = datasets.reduce((sum, dataset) => sum + dataset.windows, 0);
  let first = 0;
  return datasets.map(({ name, seqlen, windows: count }) => {
    const [start, end] = [first, (first += count)];
    const mean = (values: Float64Array): number => {
      const own = windowMeans(values.subarray(start * seqlen, end * seqlen), seqlen);
      return own.reduce((a, b) => a + b, 0) / count;
    };
    const comparison = {
      dataset: name,
      seqlen,
      windows: count,
      tokens: count * seqlen,
      perplexity: Math.exp(mean(sums.lossesA)),
      againstPerplexity: Math.exp(mean(sums.lossesB)),
      divergence: mean(sums.divergences),
      agreement: mean(sums.agreements),
      seconds: (seconds * count) / windows,
    };
    if (!Number.isFinite(comparison.divergence + comparison.perplexity + comparison.againstPerplexity))
      throw new TamisError('evaluation.not-finite', { dataset: name });
    return comparison;
  });
}
