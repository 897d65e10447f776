import { methods } from '../../contract/recipe/methods.ts';
import type { LayerResult } from '../../contract/report.ts';
import { weightName, weightShape, type Layer } from '../families/family.ts';
import { Activations } from '../machine/activations.ts';
import { controlled, native, type CompressedLayer, type Control, type Factor, type TensorInfo } from '../native.ts';
import type { Run, Work } from '../run/run.ts';
import { throughBlock, throughEmbeddings } from '../runtime/passes.ts';
import { solvingMethod } from '../schedule/needs.ts';
import { BlockWriter } from './block-writer.ts';
import { activationShape, calibrationOf, countRuns, passOf, solvingOperations } from './calibration.ts';
import { aimedFactor, passDense, type DenseBlock } from './dense-targets.ts';
import { collectGrams, takeFactor } from './grams.ts';
import { need } from './names.ts';
import { quantizationOptions } from './quantization-file.ts';
import { planLayers, type LayerPlan, type Schedule } from './schedule-layers.ts';
import { shardName, tensorsOfShard } from './shards.ts';
import { useFactor } from './solver.ts';

/** The name in `state/` of the inputs of a block. */
export function activationsFile(block: number): string {
  return `activations-${String(block).padStart(4, '0')}.f32`;
}

/** The same in the dense model, which are those of the compressed one where no block is compressed yet. */
function denseFile(block: number): string {
  return block === 0 ? activationsFile(block) : `dense-${String(block).padStart(4, '0')}.f32`;
}

/** Removes the inputs of a block that is finished. */
export function removeInputs({ directory }: Pick<Run, 'directory'>, block: number): void {
  directory.remove('state', activationsFile(block));
  directory.remove('state', denseFile(block));
}

/**
 * Compresses one block (method.md, section 8): Hessians from its dense layers, each layer pruned and quantized, the
 * block's shard and scales written, then the sequences run through the block as stored, to be the next block's inputs.
 * Nothing of it counts before the caller has recorded the block as finished: a kill at any moment repeats the block.
 * With dense targets the layers are taken in their order, each with the inputs that those before it leave; the dense model's activations
 * go through the block before that.
 * A method that looks at no data has no Hessians, and nothing runs through the block.
 */
export async function compressBlock(work: Work, block: number, schedule: Schedule): Promise<LayerResult[]> {
  const { model, recipe, blocks, emit } = work;
  const taps = byTap(model.family.layers(block));
  const kind = {
    order: recipe.quantization?.actOrder ? 'act-order' : 'natural',
    keepsHessian: methods[solvingMethod(recipe)].iterates,
  } as const;
  const plans = planLayers(work, schedule, block);
  const results: LayerResult[] = [];

  await using input = methods[recipe.method].calibrates ? openInput(work, activationsFile(block)) : null;
  await using dense = input && schedule.targets === 'dense' ? await denseBlock(work, block) : null;
  using grams = input && !dense ? await collectGrams(work, block, input, null) : null;
  using writer = await BlockWriter.open(work, block, [...taps.values()].flat());
  for (const [tap, layers] of taps) {
    using factor =
      input && dense
        ? await aimedFactor(work, block, tap, { input, dense }, await writer.written(), kind)
        : grams && (await takeFactor(work, grams, block, tap, kind));
    for (const layer of layers) {
      const plan = need(plans, layer.name);
      using compressed = await solve(work, layer, plan, factor);
      await writer.add(layer, compressed);
      const result = layerResult(work, block, layer, plan, compressed);
      results.push(result);
      emit({ type: 'layer', layer: result });
    }
  }
  await writer.finish();
  const next = block + 1;
  if (input && next < blocks) {
    const stored = await tensorsOfShard(work.directory.file(shardName(model, next)));
    await propagate(work, block, input, activationsFile(next), stored);
  }
  return results;
}

/** Layers that read the same tap stand together, so that one factor is in memory at a time. */
function byTap(layers: readonly Layer[]): Map<string, Layer[]> {
  const taps = new Map<string, Layer[]>();
  for (const layer of layers) taps.set(layer.tap, [...(taps.get(layer.tap) ?? []), layer]);
  return taps;
}

/** Stores the inputs of block 0, unless the method looks at no data. */
export async function embedInput(work: Work): Promise<void> {
  if (!methods[work.recipe.method].calibrates) return;
  await using output = Activations.create(work.directory.file('state', activationsFile(0)), activationShape(work));
  await throughEmbeddings(work.model, calibrationOf(work).tokens, output, passOf(work, 'forward'));
}

/** What the dense model has of a block; what it gives is stored to be the next one's input. */
async function denseBlock(work: Work, block: number): Promise<DenseBlock> {
  const next = block + 1;
  await using input = openInput(work, denseFile(block));
  await using output =
    next < work.blocks
      ? Activations.create(work.directory.file('state', denseFile(next)), activationShape(work))
      : null;
  return await passDense(work, block, input, output);
}

function openInput(work: Work, name: string): Activations {
  return Activations.open(work.directory.file('state', name), activationShape(work));
}

/** Prunes and quantizes a layer; `factor`: that of its input, null where the method looks at no data. */
async function solve(work: Work, layer: Layer, plan: LayerPlan, factor: Factor | null): Promise<CompressedLayer> {
  const { model, recipe, signal, clock } = work;
  const share = recipe.nm ? { n: recipe.nm.n, m: recipe.nm.m } : { sparsity: plan.sparsity };
  const quantization = quantizationOptions(recipe.quantization, layer.name);
  const options = {
    method: solvingMethod(recipe),
    storage: model.dtype,
    ...share,
    ...(quantization && { quantization }),
  };
  const prune = (by: Factor | null, control: Control): Promise<CompressedLayer> =>
    native.prune(model.checkpoint, weightName(layer), by, options, control);
  const operations = solvingOperations(recipe, weightShape(layer, model.tensors));
  return await clock.time('solve', () =>
    factor
      ? useFactor(work, factor, layer.type, prune, work.progress.sharesOf(operations))
      : controlled(signal, (control) => prune(null, control)),
  );
}

function layerResult(
  { recipe }: Run,
  block: number,
  { name, type }: Layer,
  { estimate, sensitivity, group, sparsity }: LayerPlan,
  { rows, cols, zeros, error, iterations }: CompressedLayer,
): LayerResult {
  return {
    name,
    block,
    type,
    rows,
    cols,
    estimate,
    sensitivity,
    group,
    targetSparsity: sparsity,
    sparsity: zeros / (rows * cols),
    bits: quantizationOptions(recipe.quantization, name)?.bits ?? null,
    error,
    iterations,
  };
}

/** Runs the sequences through the block as stored, to be the next block's inputs; they are on the disk when it returns. */
async function propagate(
  work: Work,
  block: number,
  input: Activations,
  name: string,
  weights: ReadonlyMap<string, TensorInfo>,
): Promise<void> {
  const { model, directory, clock } = work;
  await using output = Activations.create(directory.file('state', name), activationShape(work));
  await throughBlock(model, block, {
    ...passOf(work, 'propagate'),
    weights,
    input,
    output,
    afterRun: countRuns(work),
  });
  await clock.time('propagate', () => output.flush());
}
