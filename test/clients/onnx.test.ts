import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import { openTokenizer } from '../../src/worker/calibration/tokenizer.ts';
import { relativeDifference } from '../fixtures/opt.ts';
import { readFloats } from './compare.ts';
import { exportFolder, runFolder, runsAs, sample, sampleFile, work } from './exports.ts';
import { ourLogits } from './ours.ts';
import { client } from './program.ts';

const generated = z.object({ greedy: z.array(z.int()).length(sample.generate) });
const generatedWithText = generated.extend({ text: z.string(), ids: z.array(z.int()) });

describe.each(runsAs('onnx'))('%s', (run) => {
  const folder = exportFolder(run, 'onnx');

  /** What `transformers` generates with the run's folder. */
  async function expectedGreedy(): Promise<number[]> {
    const out = `${work}/transformers.f32`;
    return (await client('transformers_client.py', [runFolder(run), sampleFile, out], generated)).greedy;
  }

  test('onnxruntime computes what Tamis computes, token by token', async () => {
    const out = `${work}/onnx.f32`;
    const form = generated.extend({ atOnce: z.number() });
    const { greedy, atOnce } = await client('onnx_client.py', [`${folder}/onnx/model.onnx`, sampleFile, out], form);
    const ours = await ourLogits(runFolder(run));
    const logits = relativeDifference(readFloats(out), ours);
    console.log(
      `onnx, ${run}: onnxruntime's logits differ by ${logits.toExponential(1)} of their range, with the cache from ` +
        `without it by ${atOnce.toExponential(1)}`,
    );
    expect(logits).toBeLessThan(1e-2);
    expect(atOnce).toBeLessThan(1e-2);
    expect(greedy).toEqual(await expectedGreedy());
  });

  test.each(['genai_client.py', 'transformers-js.mjs'] as const)(
    '%s generates what transformers does',
    async (file) => {
      const { greedy, text, ids } = await client(file, [folder, sampleFile], generatedWithText);
      expect(greedy).toEqual(await expectedGreedy());
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
