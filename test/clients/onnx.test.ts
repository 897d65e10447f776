import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import { openTokenizer } from '../../src/worker/texts/tokenizer.ts';
import { relativeDifference } from '../fixtures/models.ts';
import { readFloats } from './compare.ts';
import { exportFolder, runFolder, runsAs, sample, sampleFile, work } from './exports.ts';
import { ourLogits, ourPerplexity } from './ours.ts';
import { client } from './program.ts';

const generated = z.object({ greedy: z.array(z.int()).length(sample.generate) });
const generatedWithText = generated.extend({ text: z.string(), ids: z.array(z.int()) });

describe.each(runsAs('onnx'))('%s', (run) => {
  const folder = exportFolder(run, 'onnx');

  const transformers = once(() =>
    client('transformers_client.py', [runFolder(run), sampleFile, `${work}/transformers.f32`], generated),
  );

  test('onnxruntime computes what Tamis computes, token by token', async () => {
    const out = `${work}/onnx.f32`;
    const form = generated.extend({ perplexity: z.number(), windows: z.literal(sample.windows), atOnce: z.number() });
    const theirs = await client('onnx_client.py', [`${folder}/onnx/model.onnx`, sampleFile, out], form);
    const logits = relativeDifference(readFloats(out), await ourLogits(runFolder(run)));
    const perplexity = await ourPerplexity(runFolder(run));
    console.log(
      `onnx, ${run}: onnxruntime's logits differ by ${logits.toExponential(1)} of their range, token by token from all at ` +
        `once by ${theirs.atOnce.toExponential(1)}; perplexity ${theirs.perplexity.toFixed(3)}, ours ${perplexity.toFixed(3)}`,
    );
    expect(logits).toBeLessThan(1e-2);
    expect(theirs.atOnce).toBeLessThan(1e-3);
    expect(Math.abs(theirs.perplexity / perplexity - 1)).toBeLessThan(2e-3);
    expect(theirs.greedy).toEqual((await transformers()).greedy);
  });

  test.each(['genai_client.py', 'transformers-js.mjs'] as const)(
    '%s generates what transformers does',
    async (file) => {
      const { greedy, text, ids } = await client(file, [folder, sampleFile], generatedWithText);
      expect(greedy).toEqual((await transformers()).greedy);
      const tokenizer = await openTokenizer(runFolder(run));
      expect(withoutStart(ids)).toEqual(withoutStart([...tokenizer.encode(text)]));
      console.log(`onnx, ${run}: ${file}: the same ${greedy.length} tokens`);
    },
  );
});

/** genai puts no `</s>` in front of a text by itself. */
function withoutStart(ids: readonly number[]): readonly number[] {
  return ids[0] === 2 ? ids.slice(1) : ids;
}

/** A function that does its work at its first call. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
}
