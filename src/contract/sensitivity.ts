import { fixed } from './format.ts';
import type { Label } from './messages/labels.ts';
import { rankCorrelation } from './rank-correlation.ts';
import type { LayerResult } from './report.ts';

type Measured = Pick<LayerResult, 'estimate' | 'sensitivity' | 'rows' | 'cols'>;

/** The sensitivity divided by the number of weights, nats a token: a mean, as the estimate is one. */
export function sensitivityPerWeight({ sensitivity, rows, cols }: Omit<Measured, 'estimate'>): number | null {
  return sensitivity === null ? null : sensitivity / (rows * cols);
}

/** What the two are, and how far they put the layers in the same order. */
export function sensitivityWords(layers: readonly Measured[], t: Label): string[] {
  const pairs = layers.flatMap((layer): [number, number][] => {
    const [estimate, sensitivity] = [layer.estimate, sensitivityPerWeight(layer)];
    return estimate === null || sensitivity === null ? [] : [[estimate, sensitivity]];
  });
  const correlation = rankCorrelation(pairs);
  return [
    t('text.sensitivity-what'),
    ...(correlation === null
      ? []
      : [t('text.rank-correlation', { layers: pairs.length, correlation: fixed(correlation, 2) })]),
  ];
}
