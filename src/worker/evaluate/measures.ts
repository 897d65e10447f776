import type { Measurement } from '../../contract/measured.ts';
import type { MeasureId } from '../../contract/measures.ts';
import type { EvaluationTokens } from '../texts/dataset.ts';
import { bitsOfText, perplexity } from './perplexity.ts';
import type { Predictions } from './predictions.ts';

/** What a model's predictions on a dataset come to; null where the dataset does not allow to say. */
type Compute = (predictions: Predictions, dataset: EvaluationTokens) => Measurement | null;

/** How each measure is computed. */
export const computes: Readonly<Record<MeasureId, Compute>> = {
  perplexity,
  'bits-per-byte': bitsOfText,
};
