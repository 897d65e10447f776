import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { tensorsOfShard } from '../../src/worker/compress/shards.ts';
import { perplexity } from '../../src/worker/evaluate/perplexity.ts';
import { predict } from '../../src/worker/evaluate/predictions.ts';
import { weightShape } from '../../src/worker/families/family.ts';
import { openModel, type Model } from '../../src/worker/model/open.ts';
import { vocabularyRanges } from '../../src/worker/model/weights.ts';
import { native } from '../../src/worker/native.ts';
import { openBlock, openEmbed, openHead } from '../../src/worker/runtime/forward.ts';
import {
  FIXTURE_SEQLEN,
  FIXTURE_SEQUENCES,
  fixtureExpected,
  fixtureFolder,
  modelFixtures,
  relativeDifference,
} from '../fixtures/models.ts';
import { numbersOf, readTensors } from '../fixtures/read-safetensors.ts';
import { safetensors, testFolder } from '../fixtures/safetensors.ts';
import { withPerplexity } from '../fixtures/measured.ts';

const session = { device: 'cpu', threads: 1 } as const;
const options = { ...session, seqlen: FIXTURE_SEQLEN };
const scratch = mkdtempSync(join(tmpdir(), 'tamis-forward-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The embedded tokens, which block 0 gets. */
async function embed(model: Model, ids: Int32Array): Promise<Float32Array> {
  await using graph = await openEmbed(model, { threads: 1, seqlen: FIXTURE_SEQLEN });
  const x = (await graph.run(ids)).slice();
  return x;
}

const checkpoints = modelFixtures.map((name) => ({
  name,
  folder: fixtureFolder(name),
  expected: fixtureExpected(name),
}));

describe.each(checkpoints)('$name computes what transformers computes', ({ folder, expected }) => {
  const ids = Int32Array.from(expected.readI64('tokens'));

  test('block by block, with the inputs of all layers', async () => {
    const model = await openModel(folder);
    let x = await embed(model, ids);
    for (let index = 0; index < model.family.blocks; index++) {
      await using block = await openBlock(model, index, { ...options, taps: true, output: true });
      const { output, taps } = await block.run(x);
      expect([...taps.keys()]).toEqual(['attn_in', 'attn_out', 'mlp_in', 'mlp_mid']);
      for (const [tap, value] of taps)
        expect(relativeDifference(value, expected.readF32(`${index}.${tap}`))).toBeLessThan(1e-6);
      expect(relativeDifference(output, expected.readF32(`${index}.output`))).toBeLessThan(1e-6);
      x = output?.slice() ?? x;
    }
  });

  test('with every sum: what a layer with no weights adds to, and its output', async () => {
    const model = await openModel(folder);
    const stored = readTensors(folder);
    const other = testFolder('sums');
    try {
      const x = expected.readF32('0.output');
      for (const layer of model.family.layers(1)) {
        const { tap, sum } = layer;
        if (sum === undefined) continue;
        const name = `${layer.name}.weight`;
        const weight = stored.get(name);
        const info = model.tensors.get(name);
        if (weight === undefined || info === undefined) throw new Error(`no ${name}`);
        const { rows, cols } = weightShape(layer, model.tensors);
        const w = numbersOf(weight);
        const data = new Array<number>(rows * cols).fill(0);
        const empty = other.write(
          `${sum}.safetensors`,
          safetensors({ [name]: { dtype: info.dtype, shape: info.shape, data } }),
        );
        const taps = new Set([tap, sum]);
        await using own = await openBlock(model, 1, { ...options, taps, output: false });
        await using without = await openBlock(model, 1, {
          ...options,
          weights: await tensorsOfShard(empty),
          taps,
          output: false,
        });
        const full = (await own.run(x)).taps;
        const added = (await without.run(x)).taps.get(sum);
        const input = full.get(tap) ?? new Float32Array();
        const at = (row: number, col: number): number =>
          w[layer.transposed ? col * rows + row : row * cols + col] ?? NaN;
        const expectedSum = Float32Array.from(added ?? [], (value, i) => {
          const [token, row] = [Math.floor(i / rows), i % rows];
          let output = 0;
          for (let col = 0; col < cols; col++) output += at(row, col) * (input[token * cols + col] ?? NaN);
          return value + output;
        });
        expect(expectedSum.length).toBe((input.length / cols) * rows);
        expect(relativeDifference(full.get(sum), expectedSum)).toBeLessThan(1e-6);
      }
    } finally {
      other.remove();
    }
  });

  test('to the loss of each token, over ranges of the vocabulary', async () => {
    const model = await openModel(folder);
    const x = expected.readF32('1.output');
    const logits = expected.readF32('logits');
    const { vocab } = model.family;
    const ranges = vocabularyRanges(model);
    expect(ranges.length).toBeGreaterThan(1);
    const targets = Int32Array.from(ids, (id) => (id * 7) % vocab);
    for (const range of ranges) {
      await using head = await openHead(model, range, session);
      const { logSum, max, target } = await head.run(x, targets);
      for (const [token, id] of targets.entries()) {
        const row = logits.subarray(token * vocab + range.start, token * vocab + range.end);
        expect(max[token]).toBeCloseTo(Math.max(...row), 5);
        expect(logSum[token]).toBeCloseTo(Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)), 5);
        if (id >= range.start && id < range.end)
          expect(target[token]).toBeCloseTo(logits[token * vocab + id] ?? NaN, 5);
      }
    }
    expect(ranges.at(0)?.start).toBe(0);
    expect(ranges.at(-1)?.end).toBe(vocab);
  });

  test('to the perplexity, which equals that of the logits', async () => {
    const model = await openModel(folder);
    const predicted = await predict(model, [{ name: 'fixture', tokens: ids }], {
      ...options,
      scratch,
      signal: new AbortController().signal,
    });
    const [result] = withPerplexity(predicted);
    expect(result).toMatchObject({ windows: FIXTURE_SEQUENCES, tokens: ids.length, seqlen: FIXTURE_SEQLEN });
    const logits = expected.readF32('logits');
    expect(result?.perplexity).toBeCloseTo(naivePerplexity(logits, ids, model.family.vocab), 3);
    const losses = naiveLosses(logits, ids, model.family.vocab);
    const windows = Array.from({ length: FIXTURE_SEQUENCES }, (_, window) => {
      const own = losses.slice(window * (FIXTURE_SEQLEN - 1), (window + 1) * (FIXTURE_SEQLEN - 1));
      return own.reduce((a, b) => a + b) / own.length;
    });
    const mean = windows.reduce((a, b) => a + b, 0) / windows.length;
    const variance = windows.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (windows.length - 1);
    const { standardError } = perplexity(result?.predictions ?? expect.fail('no predictions'));
    const error = Math.exp(mean) * Math.sqrt(variance / windows.length);
    expect((standardError ?? NaN) / error).toBeCloseTo(1, 4);
  });

  test('to which next tokens are the most probable, as the logits say', async () => {
    const model = await openModel(folder);
    const { vocab } = model.family;
    const logits = expected.readF32('logits');
    const best = (token: number): number => {
      const row = logits.subarray(token * vocab, (token + 1) * vocab);
      return row.indexOf(Math.max(...row));
    };
    // The last token of a window is predicted and predicts nothing: each becomes the most probable one.
    const tokens = ids.map((id, token) => ((token + 1) % FIXTURE_SEQLEN === 0 ? best(token - 1) : id));
    const wanted = { ...options, scratch, signal: new AbortController().signal };
    const [result] = await predict(model, [{ name: 'fixture', tokens }], wanted);
    const counted = tokens.map((_, token) => token).filter((token) => (token + 1) % FIXTURE_SEQLEN !== 0);
    const hits = [...counted].map((token) => result?.predictions.hits[token]);
    expect(hits).toEqual([...counted].map((token) => (best(token) === tokens[token + 1] ? 1 : 0)));
    expect(hits.filter((hit) => hit === 1).length).toBeGreaterThanOrEqual(FIXTURE_SEQUENCES);
  });
});

/** exp of the mean over windows of the mean -log softmax(logits)[next token]. */
function naivePerplexity(logits: Float32Array, ids: Int32Array, vocab: number): number {
  const losses = naiveLosses(logits, ids, vocab);
  return Math.exp(losses.reduce((a, b) => a + b) / losses.length);
}

/** -log softmax(logits)[next token] of every prediction. */
function naiveLosses(logits: Float32Array, ids: Int32Array, vocab: number): number[] {
  const losses: number[] = [];
  for (const [token] of ids.entries()) {
    if ((token + 1) % FIXTURE_SEQLEN === 0) continue;
    const row = logits.subarray(token * vocab, (token + 1) * vocab);
    losses.push(Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - (row[ids[token + 1] ?? 0] ?? NaN));
  }
  return losses;
}

describe('a block', () => {
  const expected = fixtureExpected('opt-pre-norm');

  test('with taps alone gives the same taps and no output', async () => {
    const model = await openModel(fixtureFolder('opt-pre-norm'));
    await using block = await openBlock(model, 1, { ...options, taps: true, output: false });
    const { output, taps } = await block.run(expected.readF32('0.output'));
    expect(output).toBeUndefined();
    for (const [tap, value] of taps) expect(relativeDifference(value, expected.readF32(`1.${tap}`))).toBeLessThan(1e-6);
  });

  test('takes its arrays back when it is closed', async () => {
    const model = await openModel(fixtureFolder('opt-pre-norm'));
    const block = await openBlock(model, 1, { ...options, taps: true, output: true });
    const { output, taps } = await block.run(expected.readF32('0.output'));
    expect(output?.length).toBe(FIXTURE_SEQUENCES * FIXTURE_SEQLEN * 8);
    await block[Symbol.asyncDispose]();
    expect([output?.length, ...[...taps.values()].map(({ length }) => length)]).toEqual([0, 0, 0, 0, 0]);
  });

  test('takes the weights of a finished shard in the place of its own', async () => {
    const model = await openModel(fixtureFolder('opt-pre-norm'));
    const folder = testFolder('forward');
    const zeros = { dtype: 'F32', shape: [8, 24], data: new Array<number>(192).fill(0) };
    const shard = folder.write('shard.safetensors', safetensors({ 'model.decoder.layers.1.fc2.weight': zeros }));
    const weights = new Map(
      native.Checkpoint.openFile(shard)
        .tensors()
        .map((info) => [info.name, info]),
    );
    await using block = await openBlock(model, 1, { ...options, weights, taps: true, output: true });
    const x = expected.readF32('0.output');
    const { output, taps } = await block.run(x);
    expect(relativeDifference(taps.get('mlp_mid'), expected.readF32('1.mlp_mid'))).toBeLessThan(1e-6);
    // With fc2 zero the MLP adds its bias alone: all tokens differ from the dense output by fc2's part.
    const bias = model.checkpoint.readF32('model.decoder.layers.1.fc2.bias');
    const fc2 = model.checkpoint.readF32('model.decoder.layers.1.fc2.weight');
    const mid = expected.readF32('1.mlp_mid');
    const dense = expected.readF32('1.output').map((value, i) => {
      const [token, row] = [Math.floor(i / 8), i % 8];
      let product = 0;
      for (let j = 0; j < 24; j++) product += (fc2[row * 24 + j] ?? NaN) * (mid[token * 24 + j] ?? NaN);
      return value - product;
    });
    expect(bias.some((value) => value !== 0)).toBe(true);
    expect(relativeDifference(output, dense)).toBeLessThan(1e-6);
    folder.remove();
  });

  test('gives the same bits again, and a smaller last batch its own', async () => {
    const model = await openModel(fixtureFolder('opt-post-norm'));
    await using block = await openBlock(model, 0, { ...options, taps: false, output: true });
    const x = await embed(model, Int32Array.from(fixtureExpected('opt-post-norm').readI64('tokens')));
    const first = (await block.run(x)).output?.slice();
    const part = (await block.run(x.subarray(0, x.length / 2))).output?.slice();
    expect((await block.run(x)).output).toEqual(first);
    expect(part).toHaveLength(x.length / 2);
    expect(relativeDifference(part, first?.slice(0, x.length / 2) ?? x)).toBeLessThan(1e-6);
  });
});

describe('perplexities', () => {
  const ids = Int32Array.from(fixtureExpected('opt-pre-norm').readI64('tokens'));
  const run = async (
    more: Partial<Parameters<typeof predict>[2]>,
    tokens = ids,
  ): Promise<ReturnType<typeof withPerplexity>> => {
    const model = await openModel(fixtureFolder('opt-pre-norm'));
    const sets = [
      { name: 'one', tokens },
      { name: 'two', tokens: tokens.subarray(10) },
    ];
    const wanted = { ...options, scratch, signal: new AbortController().signal, ...more };
    return withPerplexity(await predict(model, sets, wanted));
  };

  test('of several sets are those of each alone, tails dropped', async () => {
    const [one, two] = await run({}, Int32Array.from([...ids, 1, 2, 3]));
    expect(one?.windows).toBe(2);
    expect(two?.windows).toBe(1);
    const logits = fixtureExpected('opt-pre-norm').readF32('logits');
    expect(two?.perplexity).toBeCloseTo(naivePerplexity(logits.slice(10 * 90), ids.slice(10), 90), 3);
    expect(one?.perplexity).toBeCloseTo(naivePerplexity(logits, ids, 90), 3);
  });

  test('take at most so many windows', async () => {
    const [one] = await run({ windows: 1 });
    expect(one?.windows).toBe(1);
  });

  test('tell how far they are, and end at the total', async () => {
    const seen: number[] = [];
    let total = 0;
    await run({ progress: (progress) => ((total = progress.total), seen.push(progress.done)) });
    expect(seen).toEqual(Array.from({ length: total + 1 }, (_, i) => i));
  });

  test('stop at the signal', async () => {
    const controller = new AbortController();
    const stopped = run({ signal: controller.signal, progress: ({ done }) => done === 2 && controller.abort() });
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('refuse a text shorter than a window and windows beyond the positions', async () => {
    await expect(run({}, ids.subarray(0, 15))).rejects.toMatchObject({
      code: 'evaluation.too-short',
      params: { dataset: 'two' },
    });
    await expect(run({ seqlen: 17 })).rejects.toMatchObject({
      code: 'evaluation.seqlen',
      params: { seqlen: 17, limit: 16 },
    });
  });
});
