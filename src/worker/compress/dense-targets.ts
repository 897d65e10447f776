import { weightShape, type Layer } from '../families/family.ts';
import { Activations } from '../machine/activations.ts';
import { driftOperations, driftRows, firstOfTaps, forwardOperations, gramOperations } from '../model/costs.ts';
import { shapeOf } from '../model/shape.ts';
import { controlled, native, type Factor, type TensorInfo } from '../native.ts';
import type { Work } from '../run/run.ts';
import { throughBlock } from '../runtime/passes.ts';
import { activationShape, calibrationOf, countRuns, passOf } from './calibration.ts';
import { addRows, takeFactor, TapMap, type FactorKind } from './grams.ts';
import { layerOf, need } from './names.ts';
import { newGram } from './solver.ts';

/** What the dense model has of a block, by name: of each tap its layers' inputs, or what their output is added to; in files. */
export class DenseBlock extends Map<string, Activations> implements AsyncDisposable {
  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.values()) await each[Symbol.asyncDispose]();
    this.clear();
  }
}

/** Takes the dense model's sequences through a block, once for all of its taps; what comes out is on the disk when it returns. */
export async function passDense(
  work: Work,
  block: number,
  input: Activations,
  output: Activations | null,
): Promise<DenseBlock> {
  const { model, directory, clock } = work;
  const found = new DenseBlock();
  try {
    for (const layer of firstOfTaps(model.family.layers(block))) {
      const name = driftingOf(layer);
      const hidden = driftRows({ ...layer, ...weightShape(layer, model.tensors) });
      const path = directory.file('state', `tap-${name}.f32`);
      found.set(name, Activations.scratch(path, { ...activationShape(work), hidden }));
    }
    await throughBlock(model, block, {
      ...passOf(work, 'forward'),
      input,
      output,
      taps: new Set(found.keys()),
      afterRun: countRuns(work),
      onTaps: async (taps, { first }) => {
        for (const [name, values] of taps) await need(found, name).write(first, values);
      },
    });
    if (output) await clock.time('forward', () => output.flush());
    return found;
  } catch (error) {
    await found[Symbol.asyncDispose]();
    throw error;
  }
}

/** What layers make up for the drift of: what their output is added to, or else what they read. */
function driftingOf({ sum, tap }: Layer): string {
  return sum ?? tap;
}

/**
 * The factor of one tap of a block whose layers before it are compressed (`weights`), for layers that are to make up for the drift of the
 * compressed model from the dense one (method.md, section 12): of what they read, or of what their output is added to. The sequences go
 * through the block so far.
 * @param input of the block in the model as compressed so far
 */
export async function aimedFactor(
  work: Work,
  block: number,
  tap: string,
  { input, dense }: { input: Activations; dense: DenseBlock },
  weights: ReadonlyMap<string, TensorInfo>,
  kind: FactorKind,
): Promise<Factor> {
  const { model, recipe, signal, clock, progress } = work;
  const { seqlen, sequences } = calibrationOf(work);
  const layer = need(new Map(model.family.layers(block).map((each) => [each.tap, each])), tap);
  const { rows, cols } = weightShape(layer, model.tensors);
  const { sum } = layer;
  const drifting = driftingOf(layer);
  const operations = forwardOperations(shapeOf(model).layers, seqlen, drifting);
  using grams = new TapMap([[tap, await newGram(work, tap, cols, layer.type)]]);
  using drift = new native.Drift(cols, sum === undefined ? null : rows);
  const gram = need(grams, tap);
  await throughBlock(model, block, {
    ...passOf(work, 'forward'),
    weights,
    input,
    output: null,
    taps: new Set([tap, drifting]),
    afterRun: ({ count }) => progress.add(operations * count, count * seqlen),
    onTaps: async (found, { first, count }) => {
      const x = need(found, tap);
      const theirs = need(found, drifting);
      const origin = { layer: layerOf(model, block, tap), first, seqlen };
      await clock.time('gram', () => addRows(origin, signal, (control) => gram.add(x, count * seqlen, control)));
      const own = await need(dense, drifting).read(first, count);
      for (const { half, from, to } of halvesOf(first, count)) {
        const tokens = (to - from) * seqlen;
        const part = (of: Float32Array): Float32Array => {
          const width = of.length / (count * seqlen);
          return of.subarray(from * seqlen * width, to * seqlen * width);
        };
        await clock.time('gram', () =>
          addRows({ ...origin, first: first + from }, signal, (control) =>
            drift.add(half, part(own), part(theirs), part(x), tokens, control),
          ),
        );
      }
      const tokens = count * seqlen;
      progress.add(gramOperations(cols, tokens) + driftOperations({ rows, cols, sum }, tokens));
    },
  });
  using factor = await takeFactor(work, grams, block, tap, kind);
  return await clock.time('factor', () =>
    controlled(signal, (control) => factor.aimed(drift, 2 / sequences, recipe.denseShare, control)),
  );
}

/** A run's sequences, `from` up to `to`, by the half of the drift that they belong to; those of one sequence take turns. */
function halvesOf(first: number, count: number): { half: number; from: number; to: number }[] {
  if (count === 1) return [{ half: first % 2, from: 0, to: 1 }];
  const middle = Math.ceil(count / 2);
  return [
    { half: 0, from: 0, to: middle },
    { half: 1, from: middle, to: count },
  ];
}
