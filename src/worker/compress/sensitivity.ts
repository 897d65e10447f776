import { TamisError } from '../../contract/errors.ts';
import type { Bits, Recipe } from '../../contract/recipe.ts';
import { allLayers, weightName, weightShape, type Layer } from '../families/family.ts';
import { vocabularyRanges } from '../model/weights.ts';
import {
  controlled,
  native,
  translated,
  type CompressedLayer,
  type Factor,
  type PruneOptions,
  type TensorInfo,
} from '../native.ts';
import { branchOperations, headOperations, sum, type LayerShape } from '../model/costs.ts';
import { shapeOf } from '../model/shape.ts';
import { Activations } from '../machine/activations.ts';
import type { Run, Work } from '../run/run.ts';
import { HEAD_TOKENS, openLogits } from '../runtime/forward.ts';
import { throughBlock, throughEmbeddings } from '../runtime/passes.ts';
import {
  GROWTH_SPARSITY,
  SENSITIVITY_SPARSITY,
  sensitivityMethod,
  sensitivitySample,
  solvingMethod,
} from '../schedule/needs.ts';
import { nextTokens } from '../evaluate/passes.ts';
import { calibrationOf, countRuns, passOf, solvingOperations } from './calibration.ts';
import { need } from './names.ts';
import { useFactor } from './solver.ts';
import { quantizationOptions } from './quantization-file.ts';
import { tensorsOfShard } from './shards.ts';

/**
 * How much the model minds an error: the mean KL divergence of the dense model's next-token probabilities from those of the model
 * with one layer alone pruned at 70 % by the method that will prune, SparseGPT where that does not sweep, or with all layers quantized
 * to so many bits; in nats a token. Each layer is also pruned at 90 %, to see how its own error grows.
 *
 * All branches, the dense one first and one for each layer and each width, lie side by side in one file of activations: those that
 * exist go through the next block together, so that the model is read once. The caller hands over each layer of a block with its
 * factor, and all of them to be quantized, then lets the branches through the block, and asks for the divergences at the end.
 */
export class SensitivityPass implements AsyncDisposable {
  readonly #work: Work;
  readonly #branches: Placed;
  readonly #activations: Activations;
  /** Layers whose branch exists, in the order of the branches. */
  readonly #layers: string[] = [];
  readonly #growths: Record<string, number> = {};

  private constructor(work: Work, branches: Placed, activations: Activations) {
    this.#work = work;
    this.#branches = branches;
    this.#activations = activations;
  }

  /** Embeds the sequences of `sensitivityWork`; the branches are to come. */
  static async open(work: Work, branches: Branches): Promise<SensitivityPass> {
    const { model, blocks, directory } = work;
    const { tokens, sequences, seqlen } = calibrationOf(work);
    const firstOfBits = 1 + (branches.layers ? allLayers(model.family, blocks).length : 0);
    const shape = {
      sequences: sequences * (firstOfBits + branches.bits.length),
      seqlen,
      hidden: model.family.hidden,
    };
    const activations = Activations.scratch(directory.file('state', 'sensitivity.f32'), shape);
    const pass = new SensitivityPass(work, { ...branches, firstOfBits }, activations);
    try {
      await throughEmbeddings(model, tokens, activations, passOf(work, 'forward'));
      return pass;
    } catch (error) {
      await pass[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The branches of a block whose branches have come through all blocks before it, its factors by tap. */
  async addBlock(block: number, factors: ReadonlyMap<string, Factor>): Promise<void> {
    const { family } = this.#work.model;
    const layers = family.layers(block);
    const { bits: widths, layers: hasLayers, firstOfBits } = this.#branches;
    const { recipe } = this.#work;
    if (hasLayers) {
      const method = sensitivityMethod(solvingMethod(recipe));
      for (const layer of layers) {
        const prunedTo = (sparsity: number): Promise<CompressedLayer> =>
          this.#compressed(layer, factors, { method, sparsity });
        const furtherError = await errorOf(prunedTo(GROWTH_SPARSITY));
        const weights = await this.#written([layer], async () => {
          const pruned = await prunedTo(SENSITIVITY_SPARSITY);
          this.#growths[layer.name] = growth(pruned.error ?? NaN, furtherError);
          return pruned;
        });
        this.#layers.push(layer.name);
        await this.#through(block, { branches: 1, to: this.#layers.length, weights });
      }
    }
    const { quantization } = recipe;
    const method = solvingMethod({ ...recipe, sparsity: 0 });
    for (const [i, bits] of widths.entries()) {
      const width = quantization && { ...quantization, bits };
      const to = firstOfBits + i;
      const weights = await this.#written(layers, (layer) => {
        const options = quantizationOptions(width, layer.name);
        return this.#compressed(layer, factors, { method, sparsity: 0, ...(options && { quantization: options }) });
      });
      await this.#through(block, { from: block === 0 ? 0 : to, branches: 1, to, weights });
    }
    const own = hasLayers ? layers.length : 0;
    await this.#through(block, { branches: 1 + this.#layers.length - own, to: 0 });
  }

  /** All branches through a block that none of them changes. */
  async advance(block: number): Promise<void> {
    const { bits, firstOfBits } = this.#branches;
    await this.#through(block, { branches: 1 + this.#layers.length, to: 0 });
    if (bits.length > 0) await this.#through(block, { from: firstOfBits, branches: bits.length, to: firstOfBits });
  }

  async #compressed(
    layer: Layer,
    factors: ReadonlyMap<string, Factor>,
    own: Omit<PruneOptions, 'storage'>,
  ): Promise<CompressedLayer> {
    const { model, recipe, progress } = this.#work;
    const options = { storage: model.dtype, ...own };
    const operations = branchOperationsOf(recipe, own.sparsity ?? 0, weightShape(layer, model.tensors));
    return await useFactor(
      this.#work,
      need(factors, layer.tap),
      layer.type,
      (by, control) => native.prune(model.checkpoint, weightName(layer), by, options, control),
      progress.sharesOf(operations),
    );
  }

  /** Writes layers of one block, compressed one after the other, where the block's graph finds them: until the next are written. */
  async #written(
    layers: readonly Layer[],
    compress: (layer: Layer) => Promise<CompressedLayer>,
  ): Promise<Map<string, TensorInfo>> {
    const { model, directory } = this.#work;
    const path = directory.file('state', 'sensitivity.safetensors');
    const specs = layers.map(({ name }) => need(model.tensors, `${name}.weight`));
    using writer = await translated(() => new native.ShardWriter(path, specs));
    for (const layer of layers) {
      using compressed = await compress(layer);
      const part = layer.transposed ? 'transposed' : 'weight';
      await translated(() => writer.write(`${layer.name}.weight`, compressed, part));
    }
    await translated(() => writer.finish());
    return await tensorsOfShard(path);
  }

  /** So many branches, of those in the file, through a block; what it gives is stored from branch `to` on. */
  async #through(block: number, { from = 0, branches, to, weights }: Passing): Promise<void> {
    const { sequences } = calibrationOf(this.#work);
    await throughBlock(this.#work.model, block, {
      ...passOf(this.#work, 'forward'),
      weights,
      input: this.#activations,
      sequences: { first: from * sequences, count: branches * sequences },
      output: this.#activations,
      to: to * sequences,
      afterRun: countRuns(this.#work),
    });
  }

  /** Once every branch has been through the last block. */
  async results(): Promise<BranchResults> {
    const { model, devices, signal, progress } = this.#work;
    const { sequences, seqlen, tokens } = calibrationOf(this.#work);
    const { vocab, hidden } = model.family;
    const count = sequences * seqlen;
    const { bits } = this.#branches;
    const branches = this.#layers.length + bits.length;
    using sums = new native.Divergences(nextTokens(tokens), branches);
    const slice = largestDivisor(count, HEAD_TOKENS);
    await using slices = Activations.open(this.#activations.path, {
      sequences: (this.#activations.shape.sequences * seqlen) / slice,
      seqlen: slice,
      hidden,
    });
    for (const range of vocabularyRanges(model)) {
      await using head = await openLogits(model, range, devices.session);
      const width = range.end - range.start;
      const operations = headOperations(width, hidden, slice);
      for (let first = 0; first < count; first += slice) {
        signal.throwIfAborted();
        const logits = async (branch: number): Promise<Float32Array> => {
          progress.add(operations, (slice * width) / vocab);
          return await head.run(await slices.read((branch * count + first) / slice, 1));
        };
        const dense = await logits(0);
        await controlled(signal, (control) => sums.addReference(first, range.start, width, dense, control));
        for (let branch = 0; branch < branches; branch++) {
          const own = await logits(1 + branch);
          await controlled(signal, (control) => sums.add(branch, own, control));
        }
      }
    }
    const named = (names: readonly (string | number)[], from: number): Record<string, number> =>
      Object.fromEntries(names.map((name, i) => [name, mean(sums.result(from + i).divergences)]));
    return { layers: named(this.#layers, 0), bits: named(bits, this.#layers.length), growths: this.#growths };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#activations[Symbol.asyncDispose]();
    this.#work.directory.remove('state', 'sensitivity.safetensors');
  }
}

/** The error of a layer of which nothing else is wanted. */
async function errorOf(compressing: Promise<CompressedLayer>): Promise<number> {
  using compressed = await compressing;
  return compressed.error ?? NaN;
}

/** A further error, as a multiple of the first; 1 where that is 0, which tells nothing. */
function growth(error: number, further: number): number {
  return error === 0 ? 1 : further / error;
}

/** The mean over all tokens; not below 0, where rounding may take it. */
function mean(divergences: Float64Array): number {
  const value = divergences.reduce((a, b) => a + b, 0) / divergences.length;
  if (!Number.isFinite(value)) throw new TamisError('calibration.held-back-not-finite');
  return Math.max(0, value);
}

/** What branches are made for. */
export interface Branches {
  /** One for each layer, pruned alone. */
  readonly layers: boolean;
  /** One for each of these, with all layers quantized. */
  readonly bits: readonly Bits[];
}

interface Placed extends Branches {
  /** The dense one is at 0, then come those of the layers. */
  readonly firstOfBits: number;
}

/** What is measured with the branches. */
export interface BranchResults {
  /** Nats a token, by layer. */
  readonly layers: Record<string, number>;
  /** Nats a token, by bits. */
  readonly bits: Record<string, number>;
  /** A layer's error at 90 %, as a multiple of that at 70 %. */
  readonly growths: Record<string, number>;
}

interface Passing {
  /** The first of so many branches; the dense one where it is left out. */
  readonly from?: number;
  readonly branches: number;
  /** Where what becomes of the first is stored. */
  readonly to: number;
  readonly weights?: ReadonlyMap<string, TensorInfo>;
}

/** How many sequences were held back, and their tokens. */
export function heldBackOf({ calibration }: Pick<Run, 'calibration'>): { sequences: number; seqlen: number } {
  const { seqlen = 1, heldBack = new Int32Array(0) } = calibration ?? {};
  return { sequences: heldBack.length / seqlen, seqlen };
}

/** Operations of the measurement. */
export function branchWork(run: Run, { layers, bits }: Branches): number {
  const sample = sensitivitySample(heldBackOf(run));
  const branches = { ...sample, layers, bits: bits.length };
  const shape = shapeOf(run.model);
  const { forward, head } = branchOperations(shape, run.blocks, branches);
  const solving = (sparsity: number): number =>
    run.blocks * sum(shape.layers.map((layer) => branchOperationsOf(run.recipe, sparsity, layer)));
  return (
    forward + head + (layers ? solving(SENSITIVITY_SPARSITY) + solving(GROWTH_SPARSITY) : 0) + bits.length * solving(0)
  );
}

/** Operations of a layer that is pruned alone, or quantized at a sparsity of 0. */
function branchOperationsOf(recipe: Recipe, sparsity: number, layer: Pick<LayerShape, 'rows' | 'cols'>): number {
  const method = sensitivityMethod(solvingMethod(recipe));
  return solvingOperations({ ...recipe, method, sparsity, nm: null, quantization: null }, layer);
}

/** The work with the sequences that sensitivities are measured on, cut from those held back. */
export function sensitivityWork(work: Work): Work {
  const calibration = calibrationOf(work);
  const { sequences, seqlen } = sensitivitySample(heldBackOf(work));
  const tokens = new Int32Array(sequences * seqlen);
  for (let i = 0; i < sequences; i++) {
    const start = i * calibration.seqlen;
    tokens.set(calibration.heldBack.subarray(start, start + seqlen), i * seqlen);
  }
  return { ...work, calibration: { ...calibration, tokens, sequences, seqlen } };
}

/** The largest number up to `most` that divides `value`. */
function largestDivisor(value: number, most: number): number {
  for (let divisor = Math.min(value, most); divisor > 1; divisor--) if (value % divisor === 0) return divisor;
  return 1;
}
