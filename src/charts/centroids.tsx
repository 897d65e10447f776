import type { ScaleLinear } from 'd3-scale';
import type { ReactElement } from 'react';

import { fixed, percent } from '../contract/format.ts';
import type { Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import type { Centroid } from '../contract/report.ts';
import { plot } from './frame.tsx';
import { seriesStyle } from './palette.ts';

/** So many groups can still be told apart and named. */
const maxGroups = 12;

/** The groups, and none where they are too many to be drawn. */
export function distinguishable(centroids: readonly Centroid[]): readonly Centroid[] {
  return centroids.length <= maxGroups ? centroids : [];
}

/** A line across the plot at each group's centroid: in the group's colour where the marks have it, by its dashes alone elsewhere. */
export function CentroidLines(props: {
  centroids: readonly Centroid[];
  /** Place of a log10. */
  y: ScaleLinear<number, number>;
  /** What the layers were grouped by. */
  of: 'estimate' | 'sensitivity';
  locale: Locale;
}): ReactElement {
  const { centroids, y, of, locale } = props;
  const t = labels(locale);
  return (
    <g>
      {centroids.map(({ group, log10, sparsity, layers }) => (
        <line
          key={group}
          data-centroid={group}
          x1={plot.left}
          x2={plot.right}
          y1={y(log10)}
          y2={y(log10)}
          stroke={of === 'estimate' ? seriesStyle(group).fill : 'currentColor'}
          strokeWidth={of === 'estimate' ? 1.5 : 1}
          strokeDasharray={seriesStyle(group).dash}
        >
          <title>
            {t(`chart.centroid.${of}`, {
              group,
              log10: fixed(log10, 2),
              sparsity: percent(sparsity, 1),
              layers,
            })}
          </title>
        </line>
      ))}
    </g>
  );
}
