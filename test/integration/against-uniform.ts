import { join } from 'node:path';

import { parseRecipe, type RecipeInput } from '../../src/contract/recipe.ts';
import type { Report } from '../../src/contract/report.ts';
import { compress } from '../../src/worker/engine.ts';
import { writeTokens } from '../fixtures/tiny-opt.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';

export interface Against {
  readonly auto: Report;
  readonly uniform: Report;
  /** Perplexities of what came out, on the evaluation text. */
  readonly perplexity: { readonly auto: number; readonly uniform: number };
}

/** The targets at which `auto` may not be worse than uniform. */
export const targets = [0.5, 0.6, 0.7, 0.8] as const;

type Data = Pick<RecipeInput, 'calibration' | 'evaluation' | 'device' | 'threads'>;

/** Random ids that every tiny model knows, in files in `folder`: 40 sequences, 16 to be held back, 256 windows to evaluate on. */
export function randomData(folder: string): Data {
  const [seqlen, vocab] = [16, 90];
  const tokens = (name: string, shape: readonly number[], seed: number): { kind: 'tokens'; path: string } => ({
    kind: 'tokens',
    path: writeTokens(join(folder, `${name}.safetensors`), shape, seed, vocab),
  });
  return {
    calibration: { corpus: tokens('calibration', [56, seqlen], 2), sequences: 40, seqlen },
    evaluation: { datasets: [{ name: 'random', corpus: tokens('evaluation', [256 * seqlen], 3) }], seqlen },
    device: 'cpu',
    threads: 1,
  };
}

/** Compresses by `auto` and uniformly, into two new folders in `folder`. */
export async function againstUniform(recipe: Unscheduled, sparsity: number, folder: string): Promise<Against> {
  const run = async (kind: 'auto' | 'uniform'): Promise<Report> =>
    await compressedBy(kind, recipe, sparsity, join(folder, kind));
  const [auto, uniform] = [await run('auto'), await run('uniform')];
  return { auto, uniform, perplexity: { auto: perplexityOf(auto), uniform: perplexityOf(uniform) } };
}

type Unscheduled = Omit<RecipeInput, 'scheduler' | 'sparsity'>;

/** Compresses by a scheduler, into a new folder. */
export async function compressedBy(
  kind: 'auto' | 'uniform',
  recipe: Unscheduled,
  sparsity: number,
  folder: string,
): Promise<Report> {
  const options = { signal: new AbortController().signal, onEvent: () => undefined };
  return await compress(parseRecipe({ ...recipe, sparsity, scheduler: { kind } }), folder, options);
}

/** Of what came out, on the evaluation text. */
export function perplexityOf(report: Report): number {
  return perplexitiesOf(report)[0]?.compressed ?? NaN;
}
