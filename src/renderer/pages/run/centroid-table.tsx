import type { ReactElement } from 'react';

import { fixed, percent } from '../../../contract/format.ts';
import type { Centroid } from '../../../contract/report.ts';
import { Figure } from '../../run/figure.tsx';
import { useLabel } from '../../words.tsx';

/** The groups of the schedule: where they lie and what they were given. */
export function CentroidTable(props: {
  centroids: readonly Centroid[];
  /** What the layers were grouped by. */
  of: 'estimate' | 'sensitivity';
  inReport: boolean;
}): ReactElement | null {
  const { centroids, of, inReport } = props;
  const t = useLabel();
  if (centroids.length === 0) return null;
  const figure = (index: number, field: keyof Centroid): string | null =>
    inReport ? `centroids.${index}.${field}` : null;
  return (
    <div className="table-scroll" tabIndex={centroids.length > 8 ? 0 : undefined}>
      <table className="small-table">
        <thead>
          <tr>
            <th scope="col">{t('field.group')}</th>
            <th scope="col">{t(`field.centroid.${of}`)}</th>
            <th scope="col">{t('field.sparsity')}</th>
            <th scope="col">{t('field.layers')}</th>
          </tr>
        </thead>
        <tbody>
          {centroids.map(({ group, log10, sparsity, layers }, i) => (
            <tr key={group}>
              <td>
                <Figure path={figure(i, 'group')}>{group}</Figure>
              </td>
              <td>
                <Figure path={figure(i, 'log10')}>{fixed(log10, 3)}</Figure>
              </td>
              <td>
                <Figure path={figure(i, 'sparsity')}>{`${percent(sparsity, 2)} %`}</Figure>
              </td>
              <td>
                <Figure path={figure(i, 'layers')}>{layers}</Figure>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
