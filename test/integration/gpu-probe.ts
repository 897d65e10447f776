/**
 * Run by gpu.test.ts with a software adapter in its environment: prunes every layer of the demo model on the CPU and on the GPU, from
 * the same weights and Hessians, and prints as JSON which share of the weights is pruned by both or by neither.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { weightName, type Layer } from '../../src/worker/families/family.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { native, type Factor, type Gpu } from '../../src/worker/native.ts';
import { openBlock, openEmbed } from '../../src/worker/runtime/forward.ts';
import { numbersOf, readFile } from '../fixtures/read-safetensors.ts';

const [name = ''] = process.argv.slice(2);
const SEQLEN = 256;
const SEQUENCES = 8;

const model = await openModel(fileURLToPath(new URL('../../resources/demo-model', import.meta.url)));
const gpu = await native.openGpu(name);
const control = new native.Control();
const session = { device: 'cpu', threads: 2, seqlen: SEQLEN } as const;
const folder = mkdtempSync(join(tmpdir(), 'tamis-gpu-probe-'));

async function factorOf(x: Float32Array, rows: number, on: Gpu | null): Promise<Factor> {
  const gram = new native.Gram(x.length / rows, on);
  await gram.add(x, rows, control);
  return await native.factorize(gram, 2 / SEQUENCES, 0.01, 'natural', control);
}

async function pruned(layer: Layer, factor: Factor): Promise<boolean[]> {
  const options = { method: 'sparsegpt', storage: model.dtype, sparsity: 0.7 } as const;
  const compressed = await native.prune(model.checkpoint, weightName(layer), factor, options, control);
  const path = join(folder, 'layer.safetensors');
  const { rows, cols } = compressed;
  const writer = new native.ShardWriter(path, [{ name: 'w', dtype: model.dtype, shape: [rows, cols] }]);
  await writer.write('w', compressed, 'weight');
  await writer.finish();
  const tensor = readFile(path).get('w');
  return tensor ? numbersOf(tensor).map((value) => value === 0) : [];
}

const agreement: Record<string, number> = {};
try {
  const ids = Int32Array.from({ length: SEQUENCES * SEQLEN }, (_, i) => (i * i * 1009) % model.family.vocab);
  const embed = await openEmbed(model, session);
  let x = (await embed.run(ids)).slice();
  await embed.close();
  for (let block = 0; block < model.family.blocks; block++) {
    const graph = await openBlock(model, block, { ...session, taps: true, output: true });
    const { output = x, taps } = await graph.run(x);
    for (const [tap, values] of taps) {
      const [ours, theirs] = [await factorOf(values, ids.length, gpu), await factorOf(values, ids.length, null)];
      for (const layer of model.family.layers(block).filter((each) => each.tap === tap)) {
        const [masks, others] = [await pruned(layer, ours), await pruned(layer, theirs)];
        agreement[layer.name] = masks.filter((zero, i) => zero === others[i]).length / others.length;
      }
    }
    x = output.slice();
    await graph.close();
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(JSON.stringify(agreement));
