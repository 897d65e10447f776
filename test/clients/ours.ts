import { readFileSync } from 'node:fs';

import { Tensor } from 'onnxruntime-node';
import { z } from 'zod';

import { datasetResultSchema } from '../../src/contract/measured.ts';
import { GraphBuilder } from '../../src/worker/graph/builder.ts';
import { openModel, type Model } from '../../src/worker/model/open.ts';
import { openBlock, openEmbed } from '../../src/worker/runtime/forward.ts';
import { Session } from '../../src/worker/runtime/session.ts';
import { cli, sample, sampleFile, tokensFile } from './exports.ts';
import { output } from './program.ts';
import { perplexityOf } from '../fixtures/measured.ts';

const device = { device: 'cpu', threads: 2 } as const;

/** The sample's first window. */
export function firstWindow(): Int32Array {
  const { ids } = z.object({ ids: z.array(z.int()) }).parse(JSON.parse(readFileSync(sampleFile, 'utf8')));
  return Int32Array.from(ids.slice(0, sample.seqlen));
}

/** The logits [tokens, vocab] that the engine computes for one window, block by block as in a run. */
export async function ourLogits(folder: string, window = firstWindow()): Promise<Float32Array> {
  const model = await openModel(folder);
  const options = { ...device, seqlen: window.length };
  await using embed = await openEmbed(model, options);
  let x = (await embed.run(window)).slice();
  for (let index = 0; index < model.family.blocks; index++) {
    await using block = await openBlock(model, index, { ...options, taps: false, output: true });
    x = (await block.run(x)).output?.slice() ?? x;
  }
  return await head(model, x);
}

async function head({ family, tensors }: Model, x: Float32Array): Promise<Float32Array> {
  const g = new GraphBuilder(tensors);
  g.output('logits', family.logits(g, family.norm(g, g.input('x', 'float32', ['tokens', family.hidden]))));
  await using session = await Session.open(g.build(), device);
  const tokens = x.length / family.hidden;
  const logits = new Float32Array(tokens * family.vocab);
  const shape = (width: number): number[] => [tokens, width];
  await session.run(
    { x: new Tensor('float32', x, shape(family.hidden)) },
    { logits: new Tensor('float32', logits, shape(family.vocab)) },
  );
  return logits;
}

/** The perplexity of the sample's windows, by `tamis eval`. */
export async function ourPerplexity(folder: string): Promise<number> {
  const evaluated = await output(process.execPath, [
    cli,
    ...['eval', folder, '--evaluation-tokens', tokensFile, '--seqlen', String(sample.seqlen), '--json'],
  ]);
  const form = z.object({
    results: z.array(datasetResultSchema),
  });
  const [result] = form.parse(JSON.parse(evaluated)).results;
  if (result?.windows !== sample.windows) throw new Error(`${result?.windows} windows`);
  return perplexityOf(result);
}
