import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import type { ExportFormat } from '../../src/contract/exports.ts';
import { relativeDifference } from '../fixtures/models.ts';
import { readTensors } from '../fixtures/read-safetensors.ts';
import { expectWeights, readFloats } from './compare.ts';
import { exportFolder, runFolder, runsAs, sample, sampleFile, work } from './exports.ts';
import { ourLogits, ourPerplexity } from './ours.ts';
import { client } from './program.ts';

const computed = z.object({ perplexity: z.number(), windows: z.int(), layers: z.array(z.string()) });

describe.each(['dense', 'compressed-tensors', 'gptq', 'gptq_v2'] satisfies ExportFormat[])('%s', (format) => {
  // Its initializer of GPT-2 touches weights that packed modules do not have (export.conv1d).
  const loaded = runsAs(format).filter((run) => format === 'dense' || !run.startsWith('gpt2'));
  test.each(loaded)('%s: transformers computes what Tamis computes', async (run) => {
    const out = `${work}/transformers.f32`;
    const theirs = await client('transformers_client.py', [exportFolder(run, format), sampleFile, out], computed);
    const logits = relativeDifference(readFloats(out), await ourLogits(runFolder(run)));
    const perplexity = await ourPerplexity(runFolder(run));
    console.log(
      `${format}, ${run}: logits differ by ${logits.toExponential(1)} of their range; perplexity ` +
        `${theirs.perplexity.toFixed(3)}, ours ${perplexity.toFixed(3)} (${theirs.layers.join(', ')})`,
    );
    expect(theirs.windows).toBe(sample.windows);
    expect(logits).toBeLessThan(1e-2);
    expect(Math.abs(theirs.perplexity / perplexity - 1)).toBeLessThan(2e-3);
  });
});

test.each(runsAs('compressed-tensors'))('%s: compressed-tensors gives the weights of the run', async (run) => {
  const out = `${work}/compressed-tensors/${runsAs('compressed-tensors').indexOf(run)}`;
  await client('compressed_tensors_reader.py', [exportFolder(run, 'compressed-tensors'), out], z.object({}));
  const { tensors } = expectWeights(out, runFolder(run));
  expect(tensors).toBe(readTensors(runFolder(run)).size);
  console.log(`compressed-tensors, ${run}: ${tensors} tensors, equal to the bit`);
});
