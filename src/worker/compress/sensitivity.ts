import { TamisError } from '../../contract/errors.ts';
import { allLayers, weightName, type Layer } from '../families/family.ts';
import { controlled, native, translated, type CompressedLayer, type Factor, type TensorInfo } from '../native.ts';
import { branchOperations, headOperations } from '../plan/costs.ts';
import { shapeOf } from '../plan/shape.ts';
import { Activations } from '../run/activations.ts';
import type { Run } from '../run/run.ts';
import { batchSequences, HEAD_TOKENS, openBlock, openLogits, vocabularyRanges } from '../runtime/forward.ts';
import { SENSITIVITY_SPARSITY, sensitivitySample } from '../schedule/needs.ts';
import { nextTokens } from '../evaluate/passes.ts';
import { sequenceOperations, type Calibration } from './calibration.ts';
import { embedSequences } from './embed.ts';
import { need } from './names.ts';
import { tensorsOfShard } from './shards.ts';

/**
 * How much the model minds an error in each layer: the mean KL divergence of the dense model's next-token probabilities from those
 * of the model with that layer alone pruned at 70 % by SparseGPT's sweep, in nats a token.
 *
 * All branches, the dense one first and one for each layer, lie side by side in one file of activations: those that exist go through
 * the next block together, so that the model is read once. The caller hands over each layer of a block with its factor, then lets
 * the branches through the block, and asks for the sensitivities at the end.
 */
export class SensitivityPass {
  readonly #run: Run;
  /** Of the sequences that are measured on. */
  readonly #sample: Calibration;
  readonly #activations: Activations;
  /** Layers whose branch exists, in the order of the branches. */
  readonly #layers: string[] = [];

  private constructor(run: Run, sample: Calibration, activations: Activations) {
    this.#run = run;
    this.#sample = sample;
    this.#activations = activations;
  }

  /** Embeds the sequences; a branch for each layer is to come. */
  static async open(run: Run, sample: Calibration): Promise<SensitivityPass> {
    const { sequences, seqlen, model } = sample;
    const layers = allLayers(model.family, run.blocks).length;
    const shape = { sequences: sequences * (1 + layers), seqlen, hidden: model.family.hidden };
    const activations = Activations.create(run.directory.file('state', 'sensitivity.f32'), shape);
    const pass = new SensitivityPass(run, sample, activations);
    try {
      await embedSequences(sample, activations);
      return pass;
    } catch (error) {
      await pass.close();
      throw error;
    }
  }

  /** The branch of a layer of the block that is next: the block with that layer alone pruned. */
  async addLayer(layer: Layer, block: number, factor: Factor): Promise<void> {
    const { model, signal } = this.#sample;
    const path = this.#run.directory.file('state', 'sensitivity.safetensors');
    const options = { method: 'sparsegpt', storage: model.dtype, sparsity: SENSITIVITY_SPARSITY } as const;
    const pruned = await controlled(signal, (control) =>
      native.prune(model.checkpoint, weightName(layer), factor, options, control),
    );
    try {
      await writeWeight(path, need(model.tensors, `${layer.name}.weight`), layer, pruned);
    } finally {
      pruned.release();
    }
    this.#layers.push(layer.name);
    const weights = await tensorsOfShard(path);
    await this.#through(block, { branches: 1, to: this.#layers.length, weights });
  }

  /** All branches but those of the block's own layers through the block as it is. */
  async advance(block: number): Promise<void> {
    const own = this.#run.model.family.layers(block).filter(({ name }) => this.#layers.includes(name)).length;
    await this.#through(block, { branches: 1 + this.#layers.length - own, to: 0 });
  }

  /** The first `branches` branches through a block; what it gives is stored from branch `to` on. */
  async #through(block: number, pass: Passing): Promise<void> {
    const { model, session, sequences, seqlen, batch, signal, progress, operations } = this.#sample;
    const { branches, to, weights } = pass;
    const options = { ...session, seqlen, taps: false, output: true, ...(weights && { weights }) };
    const graph = await openBlock(model, block, options);
    try {
      for await (const { first, count, x } of this.#activations.batches(batch, branches * sequences)) {
        signal.throwIfAborted();
        const { output } = await graph.run(x);
        if (!output) throw new Error('the block gave no output');
        await this.#activations.write(to * sequences + first, output);
        progress.add(operations.forward * count, count * seqlen);
      }
      await this.#activations.settle();
    } finally {
      await graph.close();
    }
  }

  /** Once every branch has been through the last block: nats a token, by layer. */
  async sensitivities(): Promise<Record<string, number>> {
    const { model, session, sequences, seqlen, tokens, signal, progress } = this.#sample;
    const { vocab, hidden } = model.family;
    const count = sequences * seqlen;
    const sums = new native.Divergences(nextTokens(tokens), this.#layers.length);
    const slice = largestDivisor(count, HEAD_TOKENS);
    const slices = Activations.open(this.#activations.path, {
      sequences: (this.#activations.shape.sequences * seqlen) / slice,
      seqlen: slice,
      hidden,
    });
    try {
      for (const range of vocabularyRanges(model)) {
        const head = await openLogits(model, range, session);
        const width = range.end - range.start;
        const work = headOperations(width, hidden, slice);
        try {
          for (let first = 0; first < count; first += slice) {
            signal.throwIfAborted();
            const logits = async (branch: number): Promise<Float32Array> => {
              progress.add(work, (slice * width) / vocab);
              return await head.run(await slices.read((branch * count + first) / slice, 1));
            };
            const dense = await logits(0);
            await controlled(signal, (control) => sums.addReference(first, range.start, width, dense, control));
            for (let branch = 0; branch < this.#layers.length; branch++) {
              const own = await logits(1 + branch);
              await controlled(signal, (control) => sums.add(branch, own, control));
            }
          }
        } finally {
          await head.close();
        }
      }
      return Object.fromEntries(
        this.#layers.map((name, branch) => [name, sensitivity(sums.result(branch).divergences)]),
      );
    } finally {
      await slices.close();
      sums.release();
    }
  }

  async close(): Promise<void> {
    await this.#activations.remove();
    this.#run.directory.remove('state', 'sensitivity.safetensors');
  }
}

/** The mean over all tokens; not below 0, where rounding may take it. */
function sensitivity(divergences: Float64Array): number {
  const mean = divergences.reduce((a, b) => a + b, 0) / divergences.length;
  if (!Number.isFinite(mean)) throw new TamisError('calibration.held-back-not-finite');
  return Math.max(0, mean);
}

interface Passing {
  readonly branches: number;
  readonly to: number;
  readonly weights?: ReadonlyMap<string, TensorInfo>;
}

/** How many sequences were held back, and their tokens. */
export function heldBackOf({ calibration }: Pick<Run, 'calibration'>): { sequences: number; seqlen: number } {
  const { seqlen = 1, heldBack = new Int32Array(0) } = calibration ?? {};
  return { sequences: heldBack.length / seqlen, seqlen };
}

/** Operations of the measurement. */
export function branchWork(run: Run): number {
  const shape = shapeOf(run.model);
  const { forward, head } = branchOperations(shape, run.blocks, sensitivitySample(heldBackOf(run)));
  return forward + head;
}

/** The sequences that sensitivities are measured on, cut from those held back. */
export function sensitivityCalibration(run: Run, calibration: Calibration): Calibration {
  const held = run.calibration?.heldBack ?? new Int32Array(0);
  const { sequences, seqlen } = sensitivitySample(heldBackOf(run));
  const tokens = new Int32Array(sequences * seqlen);
  for (let i = 0; i < sequences; i++)
    tokens.set(held.subarray(i * calibration.seqlen, i * calibration.seqlen + seqlen), i * seqlen);
  const operations = sequenceOperations(calibration.model, seqlen);
  return { ...calibration, tokens, sequences, seqlen, batch: batchSequences(seqlen), operations };
}

async function writeWeight(
  path: string,
  weight: TensorInfo,
  { name, transposed }: Layer,
  pruned: CompressedLayer,
): Promise<void> {
  const writer = await translated(() => new native.ShardWriter(path, [weight]));
  try {
    await translated(() => writer.write(`${name}.weight`, pruned, transposed ? 'transposed' : 'weight'));
    await translated(() => writer.finish());
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** The largest number up to `most` that divides `value`. */
function largestDivisor(value: number, most: number): number {
  for (let divisor = Math.min(value, most); divisor > 1; divisor--) if (value % divisor === 0) return divisor;
  return 1;
}
