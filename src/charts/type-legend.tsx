import type { ReactElement } from 'react';

import { columnsOf, type ChartLayer } from './data.ts';
import { Legend, plot } from './frame.tsx';
import { seriesStyle } from './palette.ts';

/** The types of the layers beside the plot, each with its series' mark; series are numbered as `columnsOf` lists the types. */
export function TypeLegend({ layers }: { layers: readonly ChartLayer[] }): ReactElement {
  const entries = columnsOf(layers).map(({ type, heading }, i) => ({
    key: type,
    text: heading,
    y: plot.top,
    series: seriesStyle(i),
  }));
  return <Legend entries={entries} />;
}
