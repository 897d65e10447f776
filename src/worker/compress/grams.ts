import { TamisError } from '../../contract/errors.ts';
import { controlled, native, type Control, type Factor, type Gram } from '../native.ts';
import type { Activations } from '../machine/activations.ts';
import type { Work } from '../run/run.ts';
import { throughBlock } from '../runtime/passes.ts';
import { calibrationOf, countRuns, passOf, sequenceOperations } from './calibration.ts';
import { layerOf, need } from './names.ts';
import { newGram } from './solver.ts';

/** Native objects of a block's taps, by tap; those that are still there are freed together. */
export class TapMap<T extends Disposable> extends Map<string, T> implements Disposable {
  [Symbol.dispose](): void {
    for (const each of this.values()) each[Symbol.dispose]();
    this.clear();
  }
}

/**
 * Runs all calibration sequences through one dense block and accumulates `Xᵀ X` of each of its taps.
 * With `output` the block's outputs are stored as well; without it nothing after the last tap is computed.
 * @returns tap name -> Gram of [cols, cols] over sequences * seqlen rows
 */
export async function collectGrams(
  work: Work,
  block: number,
  input: Activations,
  output: Activations | null,
): Promise<TapMap<Gram>> {
  const { model, signal, clock, progress } = work;
  const { seqlen } = calibrationOf(work);
  const operations = sequenceOperations(model, seqlen);
  const types = new Map(model.family.layers(block).map(({ tap, type }) => [tap, type]));
  const grams = new TapMap<Gram>();
  try {
    await throughBlock(model, block, {
      ...passOf(work, 'forward'),
      input,
      output,
      afterRun: countRuns(work),
      onTaps: async (taps, { first, count }) => {
        for (const [tap, x] of taps) {
          const rows = count * seqlen;
          const gram = grams.get(tap) ?? (await newGram(work, tap, x.length / rows, need(types, tap)));
          grams.set(tap, gram);
          const origin = { layer: layerOf(model, block, tap), first, seqlen };
          await clock.time('gram', () => addRows(origin, signal, (control) => gram.add(x, rows, control)));
        }
        progress.add(operations.gram * count);
      },
    });
    return grams;
  } catch (error) {
    grams[Symbol.dispose]();
    throw error;
  }
}

/** Where rows of a tap come from. */
interface RowsOrigin {
  /** The first layer that reads the tap. */
  readonly layer: string;
  /** The number of the first sequence. */
  readonly first: number;
  readonly seqlen: number;
}

/** Adds up what rows of a tap come to. Error calibration.not-finite, by the layer and the sequence. */
export async function addRows(
  origin: RowsOrigin,
  signal: AbortSignal,
  add: (control: Control) => Promise<void>,
): Promise<void> {
  try {
    await controlled(signal, add);
  } catch (error) {
    if (!(error instanceof TamisError) || error.code !== 'numeric.not-finite') throw error;
    const sample = origin.first + Math.floor(Number(error.params['row']) / origin.seqlen);
    throw new TamisError('calibration.not-finite', { layer: origin.layer, sample });
  }
}

/** What a factor is made for. */
export interface FactorKind {
  readonly order: 'natural' | 'act-order';
  readonly keepsHessian: boolean;
}

/**
 * U with UᵀU = H⁻¹ of one tap, H = 2/sequences * Xᵀ X (method.md, sections 1 and 2), its columns in the order in which layers are to be
 * compressed, with the Hessian itself where a method will need it; takes the tap's Gram out of the map and uses it up.
 * More damping than the recipe's is a warning in the run's log.
 */
export async function takeFactor(
  work: Work,
  grams: TapMap<Gram>,
  block: number,
  tap: string,
  { order, keepsHessian }: FactorKind,
): Promise<Factor> {
  const { model, recipe, clock, signal, emit } = work;
  using gram = need(grams, tap);
  grams.delete(tap);
  const layer = layerOf(model, block, tap);
  const scale = 2 / calibrationOf(work).sequences;
  try {
    const factor = await clock.time('factor', () =>
      controlled(signal, (control) => native.factorize(gram, scale, recipe.percdamp, order, keepsHessian, control)),
    );
    const { retries, damping } = factor;
    if (retries > 0) emit({ type: 'warning', code: 'factor.damped', params: { layer, damping, retries } });
    return factor;
  } catch (error) {
    if (error instanceof TamisError && error.code === 'factor.not-positive-definite')
      throw new TamisError('factor.failed', { layer });
    throw error;
  }
}
