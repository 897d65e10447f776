import { join } from 'node:path';

import { weightName, type Layer } from '../../src/worker/families/family.ts';
import { tensorsOfShard } from '../../src/worker/compress/shards.ts';
import { native, type Factor } from '../../src/worker/native.ts';
import { prepare } from '../../src/worker/prepare.ts';
import { openBlock, openEmbed } from '../../src/worker/runtime/forward.ts';
import { numbersOf, readFile } from '../fixtures/read-safetensors.ts';
import { readReportOf } from './helpers.ts';

/**
 * Prunes every layer of a run again on the CPU, from the weights and the inputs that the run had: its own blocks before it, as they are
 * stored. All calibration sequences must fit into one run of a graph.
 * @returns by layer the share of its weights that are pruned in both or in neither
 */
export async function maskAgreement(run: string, scratch: string): Promise<Record<string, number>> {
  const { recipe, layers } = readReportOf(run);
  const told = { signal: new AbortController().signal, emit: () => undefined };
  const alone = { ...recipe, gpu: 'none', evaluation: { ...recipe.evaluation, datasets: [] } };
  const { model, calibration } = await prepare(alone, told);
  if (calibration === null) throw new Error('the run has no calibration');
  const { tokens, sequences, seqlen } = calibration;
  const options = { device: 'cpu', threads: recipe.threads ?? 1, seqlen } as const;
  const control = new native.Control();
  const targets = new Map(layers.map(({ name, targetSparsity }) => [name, targetSparsity]));

  const masks = async (layer: Layer, factor: Factor): Promise<boolean[]> => {
    const how = { method: 'sparsegpt', storage: model.dtype, sparsity: targets.get(layer.name) ?? NaN } as const;
    const compressed = await native.prune(model.checkpoint, weightName(layer), factor, how, control);
    const { rows, cols } = compressed;
    const writer = new native.ShardWriter(scratch, [{ name: 'w', dtype: model.dtype, shape: [rows, cols] }]);
    await writer.write('w', compressed, 'weight');
    await writer.finish();
    return zerosOf(scratch, 'w');
  };

  const agreement: Record<string, number> = {};
  await using embed = await openEmbed(model, options);
  let x = (await embed.run(tokens)).slice();
  for (let block = 0; block < (recipe.blocks ?? model.family.blocks); block++) {
    const shards = String(model.family.blocks + 1).padStart(5, '0');
    const shard = join(run, `model-${String(block + 2).padStart(5, '0')}-of-${shards}.safetensors`);
    await using dense = await openBlock(model, block, { ...options, taps: true, output: false });
    const { taps } = await dense.run(x);
    for (const [tap, values] of taps) {
      const gram = new native.Gram(values.length / tokens.length);
      await gram.add(values, tokens.length, control);
      const factor = await native.factorize(gram, 2 / sequences, recipe.percdamp, 'natural', false, control);
      for (const layer of model.family.layers(block).filter((each) => each.tap === tap)) {
        const [own, found] = [await masks(layer, factor), zerosOf(shard, `${layer.name}.weight`)];
        agreement[layer.name] = own.filter((zero, i) => zero === found[i]).length / own.length;
      }
    }
    const weights = await tensorsOfShard(shard);
    await using stored = await openBlock(model, block, { ...options, weights, taps: false, output: true });
    x = (await stored.run(x)).output?.slice() ?? x;
  }
  return agreement;
}

function zerosOf(file: string, name: string): boolean[] {
  const tensor = readFile(file).get(name);
  if (!tensor) throw new Error(`${file} does not hold ${name}`);
  return numbersOf(tensor).map((value) => value === 0);
}
