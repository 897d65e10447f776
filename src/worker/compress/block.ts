import type { LayerResult } from '../../contract/report.ts';
import { weightName, type Layer } from '../families/family.ts';
import {
  controlled,
  native,
  translated,
  type CompressedLayer,
  type Control,
  type Factor,
  type Gram,
} from '../native.ts';
import { Activations } from '../machine/activations.ts';
import type { Clock } from '../machine/clock.ts';
import type { Run } from '../run/run.ts';
import { throughBlock } from '../runtime/passes.ts';
import { activationShape, countRuns, passOf, type Calibration } from './calibration.ts';
import { collectGrams, takeFactor } from './grams.ts';
import { quantizationOptions, withQuantizationFile } from './quantization-file.ts';
import type { LayerPlan } from './schedule-layers.ts';
import { shardName, tensorsOfShard } from './shards.ts';
import { need } from './names.ts';
import { useFactor } from './solver.ts';

export interface BlockTask {
  readonly run: Run;
  readonly block: number;
  readonly plans: ReadonlyMap<string, LayerPlan>;
  /** null where the method looks at no data. */
  readonly calibration: Calibration | null;
  readonly clock: Clock;
}

/** The name in `state/` of the inputs of a block. */
export function activationsFile(block: number): string {
  return `activations-${String(block).padStart(4, '0')}.f32`;
}

/**
 * Compresses one block (method.md, section 8): Hessians from its dense layers, each layer pruned and quantized, the
 * block's shard and scales written, then the sequences run through the block as stored, to be the next block's inputs.
 * Nothing of it counts before the caller has recorded the block as finished: a kill at any moment repeats the block.
 */
export async function compressBlock(task: BlockTask): Promise<LayerResult[]> {
  const { run, calibration, block } = task;
  const shard = run.directory.file(shardName(run.model, block + 1));
  const input = calibration ? openInputs(run, calibration, block) : null;
  try {
    const layers = await writeShard(task, shard, input);
    if (calibration && input && block + 1 < run.blocks) {
      await propagate(calibration, block, shard, input, run.directory.file('state', activationsFile(block + 1)));
    }
    return layers;
  } finally {
    await input?.close();
  }
}

function openInputs(run: Run, calibration: Calibration, block: number): Activations {
  return Activations.open(run.directory.file('state', activationsFile(block)), activationShape(calibration));
}

/** The block's tensors: those that are left as they are first, then the layers in the order they are compressed in. */
async function writeShard(task: BlockTask, path: string, input: Activations | null): Promise<LayerResult[]> {
  const { calibration, block, clock } = task;
  const { model } = task.run;
  const layers = [...byTap(model.family.layers(block)).values()].flat();
  const pruned = layers.map(({ name }) => `${name}.weight`);
  const kept = model.family.blockTensors(block).filter((name) => !pruned.includes(name));
  const grams = calibration && input ? await collectGrams(calibration, block, input, null) : null;

  const writer = await translated(
    () =>
      new native.ShardWriter(
        path,
        [...kept, ...pruned].map((name) => need(model.tensors, name)),
      ),
  );
  try {
    for (const name of kept) await clock.time('write', () => translated(() => writer.copy(name, model.checkpoint)));
    const results = await withQuantizationFile(task.run, block, layers, (addScales) =>
      compressLayers(task, grams, async ({ name, transposed }, compressed) => {
        const part = transposed ? 'transposed' : 'weight';
        await translated(() => writer.write(`${name}.weight`, compressed, part));
        await addScales(name, compressed);
      }),
    );
    await clock.time('write', () => translated(() => writer.finish()));
    return results;
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

type Store = (layer: Layer, compressed: CompressedLayer) => Promise<void>;

/** Compresses the layers and hands each to `store`; of every tap the factor is made, used and freed. */
async function compressLayers(task: BlockTask, grams: Map<string, Gram> | null, store: Store): Promise<LayerResult[]> {
  const { calibration, block } = task;
  const { model, recipe } = task.run;
  const order = recipe.quantization?.actOrder ? 'act-order' : 'natural';
  const results: LayerResult[] = [];
  for (const [tap, layers] of byTap(model.family.layers(block))) {
    const factor = calibration && grams ? await takeFactor(calibration, grams, block, tap, order) : null;
    for (const layer of layers) results.push(await compressLayer(task, layer, factor, store));
    factor?.release();
  }
  return results;
}

/** Layers that read the same tap stand together, so that one factor is in memory at a time. */
function byTap(layers: readonly Layer[]): Map<string, Layer[]> {
  const taps = new Map<string, Layer[]>();
  for (const layer of layers) taps.set(layer.tap, [...(taps.get(layer.tap) ?? []), layer]);
  return taps;
}

async function compressLayer(task: BlockTask, layer: Layer, factor: Factor | null, store: Store): Promise<LayerResult> {
  const { block, clock, calibration } = task;
  const { model, recipe, signal, emit } = task.run;
  const plan = need(task.plans, layer.name);
  const storage = model.dtype;
  const share = recipe.nm ? { n: recipe.nm.n, m: recipe.nm.m } : { sparsity: plan.sparsity };
  const quantization = quantizationOptions(recipe.quantization, layer.name);
  const options = { method: recipe.method, storage, ...share, ...(quantization && { quantization }) };
  const prune = (by: Factor | null, control: Control): Promise<CompressedLayer> =>
    native.prune(model.checkpoint, weightName(layer), by, options, control);
  const compressed = await clock.time('solve', () =>
    calibration && factor
      ? useFactor(calibration, factor, layer.type, prune)
      : controlled(signal, (control) => prune(null, control)),
  );
  await clock.time('write', () => store(layer, compressed));
  const result: LayerResult = {
    name: layer.name,
    block,
    type: layer.type,
    rows: compressed.rows,
    cols: compressed.cols,
    estimate: plan.estimate,
    sensitivity: plan.sensitivity,
    group: plan.group,
    targetSparsity: plan.sparsity,
    sparsity: compressed.zeros / (compressed.rows * compressed.cols),
    bits: quantization?.bits ?? null,
    error: compressed.error,
  };
  compressed.release();
  emit({ type: 'layer', layer: result });
  return result;
}

/** Runs the sequences through the block as its shard holds it. */
async function propagate(
  calibration: Calibration,
  block: number,
  shard: string,
  input: Activations,
  path: string,
): Promise<void> {
  const weights = await tensorsOfShard(shard);
  const output = Activations.create(path, activationShape(calibration));
  try {
    await throughBlock(calibration.model, block, {
      ...passOf(calibration, 'propagate'),
      weights,
      input,
      output,
      afterRun: countRuns(calibration),
    });
    await calibration.clock.time('propagate', () => output.flush());
  } finally {
    await output.close();
  }
}
