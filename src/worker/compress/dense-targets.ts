import { weightShape } from '../families/family.ts';
import type { Activations } from '../machine/activations.ts';
import { driftOperations, forwardOperations, gramOperations } from '../model/costs.ts';
import { shapeOf } from '../model/shape.ts';
import { controlled, native, type Factor, type TensorInfo } from '../native.ts';
import type { Work } from '../run/run.ts';
import { openBlock } from '../runtime/forward.ts';
import { throughBlock } from '../runtime/passes.ts';
import { calibrationOf, passOf } from './calibration.ts';
import { addRows, takeFactor, TapMap, type FactorKind } from './grams.ts';
import { layerOf, need } from './names.ts';
import { newGram } from './solver.ts';

/** The inputs of a block in the model as compressed so far, and in the dense one. */
export interface Streams {
  readonly compressed: Activations;
  readonly dense: Activations;
}

/**
 * The factor of one tap of a block whose layers before it are compressed (`weights`), for layers that are to make up for the drift between
 * the streams (method.md, section 12): of what they read, or of what their output is added to. Both go through the block so far, side by
 * side.
 */
export async function aimedFactor(
  work: Work,
  block: number,
  tap: string,
  { compressed, dense }: Streams,
  weights: ReadonlyMap<string, TensorInfo>,
  kind: FactorKind,
): Promise<Factor> {
  const { model, recipe, signal, clock, progress } = work;
  const { seqlen, sequences } = calibrationOf(work);
  const layer = need(new Map(model.family.layers(block).map((each) => [each.tap, each])), tap);
  const { rows, cols } = weightShape(layer, model.tensors);
  const { sum } = layer;
  const drifting = sum ?? tap;
  const operations = forwardOperations(shapeOf(model).layers, seqlen, drifting);
  const pass = passOf(work, 'forward');
  using grams = new TapMap([[tap, await newGram(work, tap, cols, layer.type)]]);
  using drift = new native.Drift(cols, sum === undefined ? null : rows);
  const gram = need(grams, tap);
  await using denseBlock = await clock.time('forward', () =>
    openBlock(model, block, { ...pass, taps: new Set([drifting]), output: false }),
  );
  await throughBlock(model, block, {
    ...pass,
    weights,
    input: compressed,
    output: null,
    taps: new Set([tap, drifting]),
    afterRun: ({ count }) => progress.add(2 * operations * count, count * seqlen),
    onTaps: async (found, { first, count }) => {
      const x = need(found, tap);
      const theirs = need(found, drifting);
      const origin = { layer: layerOf(model, block, tap), first, seqlen };
      await clock.time('gram', () => addRows(origin, signal, (control) => gram.add(x, count * seqlen, control)));
      const input = await dense.read(first, count);
      const own = need((await clock.time('forward', () => denseBlock.run(input))).taps, drifting);
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
