import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { modelDivergences, type ModelDivergence } from '../../src/worker/evaluate/divergence.ts';
import { evaluate, type Evaluated } from '../../src/worker/evaluate/evaluate.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { vocabularyRanges } from '../../src/worker/model/weights.ts';
import { native } from '../../src/worker/native.ts';
import { onnxModel } from '../../src/worker/runtime/onnx-model.ts';
import { Session } from '../../src/worker/runtime/session.ts';
import { wholeGraph } from '../../src/worker/runtime/whole.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { writeTinyOpt, writeTokens } from '../fixtures/tiny-opt.ts';
import { perplexityOf } from '../fixtures/measured.ts';

const { path: root, remove } = testFolder('compare');
const vocab = 1200;
const seqlen = 24;
const [one, other, tokens] = [join(root, 'one'), join(root, 'other'), join(root, 'tokens.safetensors')];
const told = { signal: new AbortController().signal, emit: () => undefined };
const session = { device: 'cpu', threads: 1 } as const;

beforeAll(() => {
  process.env['TAMIS_CACHE'] = join(root, 'cache');
  writeTinyOpt(one, { vocab, seed: 1 });
  // Wider, so that its head has other ranges.
  writeTinyOpt(other, { vocab, seed: 2, hidden: 64, ffn: 64, blocks: 1 });
  writeTokens(tokens, [200], 3, vocab);
});
afterAll(remove);

function wanted(model: string): Evaluated {
  const dataset = { name: 'ev', corpus: { kind: 'tokens' as const, path: tokens } };
  return { model, evaluation: { datasets: [dataset], windows: null, seqlen }, ...session };
}

/** Probabilities of every window's tokens, [windows][seqlen][vocab], from one graph of the whole model. */
async function probabilities(folder: string): Promise<number[][][]> {
  const model = await openModel(folder);
  await using whole = onnxModel(await Session.open(wholeGraph(model).build(), session), model.family, seqlen);
  const ids = Int32Array.from(native.Checkpoint.openFile(tokens).readI64('tokens'));
  const windows: number[][][] = [];
  for (let start = 0; start + seqlen <= ids.length; start += seqlen) {
    const rows: number[][] = [];
    for await (const { logits } of whole.logits(ids.subarray(start, start + seqlen)))
      for (let at = 0; at < logits.length; at += vocab) rows.push(softmax([...logits.subarray(at, at + vocab)]));
    windows.push(rows);
  }
  return windows;
}

function softmax(logits: readonly number[]): number[] {
  const powers = logits.map((logit) => Math.exp(logit));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

test('a comparison is that of two whole softmaxes', async () => {
  const heads = [await openModel(one), await openModel(other)].map((model) => vocabularyRanges(model).length);
  expect(Math.min(...heads)).toBeGreaterThan(1);
  const [[compared], p, q] = [
    await modelDivergences(wanted(one), other, told),
    await probabilities(one),
    await probabilities(other),
  ];
  const ids = native.Checkpoint.openFile(tokens).readI64('tokens');
  const predictions = p.flatMap((window, w) =>
    window.slice(0, -1).map((shares, i) => ({ p: shares, q: q[w]?.[i] ?? [], next: ids[w * seqlen + i + 1] ?? 0 })),
  );
  const best = (shares: readonly number[]): number => shares.indexOf(Math.max(...shares));
  const kl = mean(
    predictions.map((each) => each.p.reduce((sum, share, id) => sum + share * Math.log(share / (each.q[id] ?? 0)), 0)),
  );
  expect(compared).toMatchObject({ dataset: 'ev', seqlen, windows: 8, tokens: 192 });
  expect(kl).toBeGreaterThan(0.01);
  expect((compared?.divergence ?? NaN) / kl).toBeCloseTo(1, 5);
  expect(compared?.agreement).toBeCloseTo(mean(predictions.map((each) => (best(each.p) === best(each.q) ? 1 : 0))), 12);
  const perplexity = (of: 'p' | 'q'): number =>
    Math.exp(mean(predictions.map((each) => -Math.log(each[of][each.next] ?? 0))));
  expect((compared?.perplexity ?? NaN) / perplexity('p')).toBeCloseTo(1, 5);
  expect((compared?.againstPerplexity ?? NaN) / perplexity('q')).toBeCloseTo(1, 5);
});

test('its perplexities are those that each model has alone', async () => {
  const [compared]: ModelDivergence[] = await modelDivergences(wanted(one), other, told);
  const [alone] = await evaluate(wanted(one), told);
  const [against] = await evaluate(wanted(other), told);
  expect((compared?.perplexity ?? NaN) / perplexityOf(alone)).toBeCloseTo(1, 6);
  expect((compared?.againstPerplexity ?? NaN) / perplexityOf(against)).toBeCloseTo(1, 6);
});

test('models of two vocabularies are refused', async () => {
  const third = writeTinyOpt(join(root, 'third'), { vocab: 1300 });
  await expect(modelDivergences(wanted(one), third, told)).rejects.toMatchObject({
    code: 'evaluation.vocabularies',
    params: { one: 1200, other: 1300 },
  });
});
