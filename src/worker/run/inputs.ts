import type { Recipe } from '../../contract/recipe.ts';
import type { CalibrationTokens } from '../texts/sample.ts';
import type { EvaluationTokens } from '../texts/dataset.ts';
import type { Model } from '../model/open.ts';
import type { Devices } from './devices.ts';

/** Everything a recipe names, opened, checked and cut into tokens, before anything is written. */
export interface Inputs {
  readonly recipe: Recipe;
  readonly model: Model;
  readonly devices: Devices;
  /** Blocks to compress: the first so many of the model's. */
  readonly blocks: number;
  /** null where neither method nor scheduler looks at data. */
  readonly calibration: CalibrationTokens | null;
  readonly datasets: readonly EvaluationTokens[];
  /** The content of the scheduler's file, as it was parsed; null without one. */
  readonly sparsities: unknown;
}
