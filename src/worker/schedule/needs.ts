import { bitWidths } from '../../contract/recipe/fields.ts';
import { methods, type Method } from '../../contract/recipe/methods.ts';
import type { Bits, Recipe } from '../../contract/recipe.ts';
import { needsData, needsOf } from '../../contract/recipe/schedulers.ts';
import type { Candidate } from '../../contract/report.ts';

/** The sparsity at which the sensitivities are measured (docs/scheduling.md). */
export const SENSITIVITY_SPARSITY = 0.7;
/** The sparsity up to which it is measured from there how a layer's error grows. */
export const GROWTH_SPARSITY = 0.9;
/** Sequences held back from the calibration, that sensitivities and candidates are measured on. */
export const HELD_BACK = 16;
/** Calibration tokens that the candidates of `auto` are compressed with, in whole sequences, and the least of these. */
const CHOICE_TOKENS = 8192;
const CHOICE_SEQUENCES = 16;

/** The schedules that `auto` tries, in the order of preference among equals. */
export const schedulesToTry = [
  { scheduler: 'uniform', range: null },
  { scheduler: 'allocate', range: 0.1 },
  { scheduler: 'allocate', range: 0.3 },
] as const satisfies readonly Pick<Candidate, 'scheduler' | 'range'>[];

/** Of so many calibration sequences those that the candidates of `auto` are compressed with. */
export function choiceSequences({ sequences, seqlen }: { sequences: number; seqlen: number }): number {
  return Math.min(sequences, Math.max(CHOICE_SEQUENCES, Math.ceil(CHOICE_TOKENS / seqlen)));
}

type Scheduling = Pick<Recipe, 'scheduler' | 'fit' | 'sparsity'>;

/** What looks at a calibration pass over the dense model before the run. */
export function needsStatistics(recipe: Scheduling): boolean {
  return needsData(recipe.scheduler) || leavesTarget(recipe);
}

/** What goes by how much the model minds an error in each layer: some schedulers, and whoever decides the target in the run. */
export function needsSensitivities(recipe: Scheduling): boolean {
  return needsOf(recipe.scheduler).includes('sensitivities') || leavesTarget(recipe);
}

/** What looks at the spectra of the dense weights before the run. */
export function needsSpectra({ scheduler }: Pick<Recipe, 'scheduler'>): boolean {
  return needsOf(scheduler).includes('alphas');
}

/** Whether no layer has a target but 0. */
export function prunesNothing({ sparsity, nm }: Pick<Recipe, 'sparsity' | 'nm'>): boolean {
  return sparsity === 0 && nm === null;
}

type Solving = Pick<Recipe, 'method' | 'sparsity' | 'nm' | 'quantization'>;

/** What layers are solved by: where nothing is pruned and nothing quantized there is nothing to iterate for. */
export function solvingMethod(recipe: Solving): Method {
  const { method, quantization } = recipe;
  return methods[method].iterates && quantization === null && prunesNothing(recipe) ? 'sparsegpt' : method;
}

/** What single layers are pruned by to see how much the model minds: the recipe's method, where that makes up for what it prunes. */
export function sensitivityMethod(method: Method): Method {
  return methods[method].sweeps ? method : 'sparsegpt';
}

/** Whether the target is decided in the run, by what it is to come to: a perplexity, or a size that leaves a choice of bits. */
export function leavesTarget({ fit, sparsity }: Pick<Recipe, 'fit' | 'sparsity'>): boolean {
  return fit !== null && sparsity === null;
}

/** Bits of which it is measured what they cost, to be chosen from together with the target of a size: the recipe's, and all fewer. */
export function bitsToChoose(recipe: Pick<Recipe, 'fit' | 'sparsity' | 'quantization'>): Bits[] {
  const { fit, quantization } = recipe;
  if (fit?.kind !== 'size' || !leavesTarget(recipe) || quantization === null) return [];
  return bitWidths.filter((bits) => bits <= quantization.bits);
}

interface Sample {
  readonly sequences: number;
  /** Tokens of each. */
  readonly seqlen: number;
}

/** Tokens that sensitivities are measured on, at the least, and of one sequence at the most. */
const SENSITIVITY_TOKENS = { least: 1280, ofOne: 2048 };

/**
 * What sensitivities are measured on of the sequences held back: as many whole ones as are needed for so many tokens, for what a
 * layer does depends on how much stands before a token; of very long ones the beginning.
 */
export function sensitivitySample({ sequences, seqlen }: Sample): Sample {
  const tokens = Math.min(seqlen, SENSITIVITY_TOKENS.ofOne);
  return { sequences: Math.min(sequences, Math.ceil(SENSITIVITY_TOKENS.least / tokens)), seqlen: tokens };
}
