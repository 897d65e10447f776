import { Drawer } from '@mantine/core';
import type { ReactElement } from 'react';

import { layerFacts } from '../../run/layer-facts.ts';
import { useLabel } from '../../words.tsx';
import { SeriesSign } from './compare-table.tsx';
import type { Compared } from './use-compared.ts';

/** One layer in all runs, beside the page. */
export function ComparedLayer(props: {
  runs: readonly Compared[];
  /** Name of the layer; null = none. */
  layer: string | null;
  onClose: () => void;
}): ReactElement {
  const { runs, layer, onClose } = props;
  const t = useLabel();
  const found = runs.flatMap((run, series) => {
    const inRun = run.report.layers.find(({ name }) => name === layer);
    return inRun ? [{ run, series, facts: layerFacts(inRun, t) }] : [];
  });
  return (
    <Drawer
      opened={layer !== null}
      onClose={onClose}
      position="right"
      size={Math.min(900, 240 + 130 * found.length)}
      title={t('layer.title')}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <p className="path">{layer}</p>
      <table className="small-table">
        <thead>
          <tr>
            <th scope="col">{t('compare.fact')}</th>
            {found.map(({ run, series }) => (
              <th key={run.row.id} scope="col" title={run.row.name}>
                <SeriesSign series={series} letter={run.letter} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {found[0]?.facts.map(({ field, label }, i) => (
            <tr key={field}>
              <th scope="row">{label}</th>
              {found.map(({ run, facts }) => (
                <td key={run.row.id}>{facts[i]?.text}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Drawer>
  );
}
