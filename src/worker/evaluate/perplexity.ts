import type { Measurement } from '../../contract/measured.ts';
import { mean, standardError } from '../schedule/mean.ts';
import { bitsPerByte, type EvaluationTokens } from '../texts/dataset.ts';
import { windowMeans, type Predictions } from './predictions.ts';

/**
 * Perplexity as the papers measure it (docs/method.md, section 9): exp of the mean over windows of the mean negative log-likelihood of a
 * window's seqlen - 1 predictions. Its standard error follows from that of the mean by the delta method.
 */
export function perplexity(predictions: Predictions): Measurement {
  const { value, standardError: error } = meanLoss(predictions);
  return { value: Math.exp(value), standardError: error === null ? null : Math.exp(value) * error };
}

/** The same as bits per byte of the evaluated text; null where only token ids were given. */
export function bitsOfText(predictions: Predictions, dataset: EvaluationTokens): Measurement | null {
  const { value, standardError: error } = meanLoss(predictions);
  const bits = bitsPerByte(value, dataset);
  return bits === null ? null : { value: bits, standardError: error === null ? null : bitsPerByte(error, dataset) };
}

/** Over windows, nats a token. */
function meanLoss({ losses, seqlen }: Predictions): Measurement {
  const windows = [...windowMeans(losses, seqlen)];
  return { value: mean(windows), standardError: standardError(windows) };
}
