import { TamisError } from '../../contract/errors.ts';
import { controlled, native, type Factor, type Gram } from '../native.ts';
import type { Activations } from '../machine/activations.ts';
import { throughBlock } from '../runtime/passes.ts';
import { countRuns, passOf, type Calibration } from './calibration.ts';
import { layerOf, need } from './names.ts';
import { newGram } from './solver.ts';

/**
 * Runs all calibration sequences through one dense block and accumulates `Xᵀ X` of each of its taps.
 * With `output` the block's outputs are stored as well; without it nothing after the last tap is computed.
 * @returns tap name -> Gram of [cols, cols] over sequences * seqlen rows
 */
export async function collectGrams(
  calibration: Calibration,
  block: number,
  input: Activations,
  output: Activations | null,
): Promise<Map<string, Gram>> {
  const { model, seqlen, signal, clock, progress, operations } = calibration;
  const types = new Map(model.family.layers(block).map(({ tap, type }) => [tap, type]));
  const grams = new Map<string, Gram>();
  await throughBlock(model, block, {
    ...passOf(calibration, 'forward'),
    input,
    output,
    afterRun: countRuns(calibration),
    onTaps: async (taps, { first, count }) => {
      for (const [tap, x] of taps) {
        const rows = count * seqlen;
        const gram = grams.get(tap) ?? (await newGram(calibration, tap, x.length / rows, need(types, tap)));
        grams.set(tap, gram);
        await clock.time('gram', () =>
          addRows(gram, x, rows, { layer: layerOf(model, block, tap), first, seqlen }, signal),
        );
      }
      progress.add(operations.gram * count);
    },
  });
  return grams;
}

interface Place {
  /** The first one that reads the tap. */
  readonly layer: string;
  readonly first: number;
  readonly seqlen: number;
}

async function addRows(gram: Gram, x: Float32Array, rows: number, place: Place, signal: AbortSignal): Promise<void> {
  try {
    await controlled(signal, (control) => gram.add(x, rows, control));
  } catch (error) {
    if (!(error instanceof TamisError) || error.code !== 'numeric.not-finite') throw error;
    const sample = place.first + Math.floor(Number(error.params['row']) / place.seqlen);
    throw new TamisError('calibration.not-finite', { layer: place.layer, sample });
  }
}

/**
 * U with UᵀU = H⁻¹ of one tap, H = 2/sequences * Xᵀ X (method.md, sections 1 and 2), its columns in the order in which layers are to be
 * compressed; takes the tap's Gram out of the map and uses it up.
 * More damping than the recipe's is a warning in the run's log.
 */
export async function takeFactor(
  calibration: Calibration,
  grams: Map<string, Gram>,
  block: number,
  tap: string,
  order: 'natural' | 'act-order',
): Promise<Factor> {
  const { model, clock, sequences, signal, percdamp } = calibration;
  const gram = need(grams, tap);
  grams.delete(tap);
  const layer = layerOf(model, block, tap);
  try {
    const factor = await clock.time('factor', () =>
      controlled(signal, (control) => native.factorize(gram, 2 / sequences, percdamp, order, control)),
    );
    if (factor.retries > 0) {
      calibration.emit({
        type: 'warning',
        code: 'factor.damped',
        params: { layer, damping: factor.damping, retries: factor.retries },
      });
    }
    return factor;
  } catch (error) {
    if (error instanceof TamisError && error.code === 'factor.not-positive-definite')
      throw new TamisError('factor.failed', { layer });
    throw error;
  }
}
