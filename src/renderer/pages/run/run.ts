import type { Recipe } from '../../../contract/recipe.ts';
import type { Report } from '../../../contract/report.ts';
import type { AttemptRow, RunRow } from '../../../contract/history.ts';
import type { LayerView, RunView } from '../../run/run-view.ts';

/** All that the page knows of a run. */
export interface ShownRun {
  readonly row: RunRow;
  readonly recipe: Recipe;
  /** null until the run is finished. */
  readonly report: Report | null;
  /** At the run's goal, oldest first; none without one. */
  readonly attempts: readonly AttemptRow[];
  readonly view: RunView;
  /** The report's layers, or all layers as far as the run has come. */
  readonly layers: readonly LayerView[];
  /** What the run told before the page opened is not here yet. */
  readonly isLoading: boolean;
}
