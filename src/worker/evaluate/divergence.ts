import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { withDenseFolder } from '../formats/dense-folder.ts';
import type { Rows } from '../graph/builder.ts';
import { controlled, native, translated, type Divergence, type Divergences } from '../native.ts';
import { Progress } from '../run/progress.ts';
import type { Told } from '../run/told.ts';
import { isOnnxFolder } from '../runtime/onnx-model.ts';
import type { SessionOptions } from '../runtime/session.ts';
import type { EvaluationTokens } from '../texts/dataset.ts';
import { seqlenOf } from '../texts/sources.ts';
import { sessionOf, tokensOfAll, withScratch, type Evaluated } from './evaluate.ts';
import { openLogitsModel, type LogitsHead, type LogitsModel } from './logits.ts';
import { counter, nextTokens, type PassOptions } from './passes.ts';
import { joinWindows, windowMeans } from './predictions.ts';

/** How far the next-token probabilities of a model, B, are from those of another, A, over the same tokens. */
export interface ModelDivergence {
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

/**
 * How the next-token probabilities of a checkpoint or export, B (`against`), compare with those of another, A, over the same tokens.
 * Each goes through its blocks, then both through their heads, one range of the vocabulary after the other: never all logits at once.
 */
export async function modelDivergences(wanted: Evaluated, against: string, told: Told): Promise<ModelDivergence[]> {
  const session = await sessionOf(wanted);
  return await withLogits(wanted.model, session, told, (a) =>
    withLogits(against, session, told, (b) => pairDivergences({ wanted, session, told, a, b })),
  );
}

async function withLogits<T>(
  path: string,
  session: SessionOptions,
  { signal }: Told,
  use: (model: LogitsModel) => Promise<T>,
): Promise<T> {
  const opened = async (folder: string): Promise<T> => {
    await using model = await openLogitsModel(folder, session);
    return await use(model);
  };
  return isOnnxFolder(path) ? await opened(path) : await withDenseFolder(path, signal, opened);
}

interface Pair {
  readonly a: LogitsModel;
  readonly b: LogitsModel;
}

interface Task extends Pair {
  readonly wanted: Evaluated;
  readonly session: SessionOptions;
  readonly told: Told;
}

async function pairDivergences({ wanted, session, told, a, b }: Task): Promise<ModelDivergence[]> {
  const [one, other] = [a.vocabulary.family, b.vocabulary.family];
  if (one.vocab !== other.vocab)
    throw new TamisError('evaluation.vocabularies', { one: one.vocab, other: other.vocab });
  const limit = Math.min(one.maxSeqlen, other.maxSeqlen);
  const seqlen = seqlenOf('evaluation.seqlen', wanted.evaluation.seqlen, limit);
  const evaluation = { ...wanted.evaluation, seqlen };
  const datasets = await tokensOfAll({ ...wanted, evaluation }, a.vocabulary, told);
  const progress = new Progress('evaluate-dense', 1, told.emit);
  const options: PassOptions = {
    ...session,
    seqlen,
    signal: told.signal,
    progress: ({ done, total }) => progress.reach(done / total),
  };
  const started = performance.now();
  const sums = await withScratch((scratch) => divergenceOf({ a, b }, datasets, scratch, options));
  return divergencesOf(datasets, sums, (performance.now() - started) / 1000);
}

async function divergenceOf(
  { a, b }: Pair,
  datasets: readonly EvaluationTokens[],
  scratch: string,
  options: PassOptions,
): Promise<Divergence> {
  const { seqlen } = options;
  const counts = datasets.map(({ windows }) => windows);
  const windows = counts.reduce((sum, count) => sum + count, 0);
  const ids = joinWindows(datasets, counts, seqlen);
  const ranges = rangesOf({ a, b });
  const passes = a.steps(windows, seqlen) + b.steps(windows, seqlen);
  const step = counter(passes + ranges.length * windows, ids.length, options);
  for (const [name, model] of Object.entries({ a, b })) {
    const own = join(scratch, name);
    mkdirSync(own);
    await model.prepare(ids, own, options, step);
  }
  using sums = new native.Divergences(nextTokens(ids), 1);
  for (const range of ranges) {
    await using headA = await a.open(range, options);
    await using headB = await b.open(range, options);
    for (let window = 0; window < windows; window++) {
      step();
      await addWindow({ a: headA, b: headB }, { window, seqlen, range }, sums, options.signal);
    }
  }
  step();
  return await translated(() => sums.result(0));
}

/** Those of the model whose ranges are the smaller, unless one of the two can only give all of its vocabulary. */
function rangesOf({ a, b }: Pair): readonly Rows[] {
  const [fewer, more] = a.ranges.length < b.ranges.length ? [a.ranges, b.ranges] : [b.ranges, a.ranges];
  return fewer.length === 1 ? fewer : more;
}

interface Heads {
  readonly a: LogitsHead;
  readonly b: LogitsHead;
}

interface WindowRange {
  readonly window: number;
  readonly seqlen: number;
  readonly range: Rows;
}

/** Both models' slices of a window side by side, A as the reference. */
async function addWindow(
  heads: Heads,
  { window, seqlen, range: { start, end } }: WindowRange,
  sums: Divergences,
  signal: AbortSignal,
): Promise<void> {
  const width = end - start;
  const others = heads.b.slices(window);
  let first = window * seqlen;
  try {
    for await (const logits of heads.a.slices(window)) {
      const other = await others.next();
      if (other.done) throw new Error('both models have the same slices');
      await controlled(signal, async (control) => {
        await sums.addReference(first, start, width, logits, control);
        await sums.add(0, other.value, control);
      });
      first += logits.length / width;
    }
  } finally {
    await others.return();
  }
}

function divergencesOf(datasets: readonly EvaluationTokens[], sums: Divergence, seconds: number): ModelDivergence[] {
  const windows = datasets.reduce((sum, dataset) => sum + dataset.windows, 0);
  let first = 0;
  return datasets.map(({ name, seqlen, windows: count }) => {
    const [start, end] = [first, (first += count)];
    const mean = (values: Float64Array): number => {
      const own = windowMeans(values.subarray(start * seqlen, end * seqlen), seqlen);
      return own.reduce((a, b) => a + b, 0) / count;
    };
    const [a, b, divergence] = [mean(sums.referenceLosses), mean(sums.losses), mean(sums.divergences)];
    if (!Number.isFinite(a + b + divergence)) throw new TamisError('evaluation.not-finite', { dataset: name });
    return {
      dataset: name,
      seqlen,
      windows: count,
      tokens: count * seqlen,
      perplexity: Math.exp(a),
      againstPerplexity: Math.exp(b),
      divergence,
      agreement: mean(sums.agreements),
      seconds: (seconds * count) / windows,
    };
  });
}
