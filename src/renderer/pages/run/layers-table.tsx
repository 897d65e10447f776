import { IconStack2 } from '@tabler/icons-react';
import { useMemo, type ReactElement } from 'react';

import { percent, significant, whole } from '../../../contract/format.ts';
import type { LayerView } from '../../run/run-view.ts';
import { DataTable } from '../../components/data-table.tsx';
import type { Column } from '../../components/data-table-parts.ts';
import { EmptyState } from '../../components/empty-state.tsx';
import { Figure } from '../../run/figure.tsx';
import { useLabel } from '../../words.tsx';

type NumberField = keyof Pick<
  LayerView,
  'block' | 'rows' | 'cols' | 'estimate' | 'sensitivity' | 'group' | 'targetSparsity' | 'sparsity' | 'bits' | 'error'
>;

const share = (value: number): string => `${percent(value, 2)} %`;
const numbers: readonly { field: NumberField; width: string; write: (value: number) => string }[] = [
  { field: 'block', width: '70px', write: String },
  { field: 'rows', width: '72px', write: whole },
  { field: 'cols', width: '90px', write: whole },
  { field: 'estimate', width: '96px', write: (value) => significant(value, 4) },
  { field: 'sensitivity', width: '108px', write: (value) => significant(value, 4) },
  { field: 'group', width: '80px', write: String },
  { field: 'targetSparsity', width: '84px', write: share },
  { field: 'sparsity', width: '94px', write: share },
  { field: 'bits', width: '64px', write: String },
  { field: 'error', width: '104px', write: (value) => significant(value, 4) },
];

/** What some recipes have nothing to do with: left out where no layer has it. */
const optional: ReadonlySet<NumberField> = new Set(['sensitivity', 'group', 'bits']);

/** Every layer with all its numbers. */
export function LayersTable(props: {
  layers: readonly LayerView[];
  inReport: boolean;
  onOpen: (layer: string) => void;
}): ReactElement {
  const { layers, inReport, onOpen } = props;
  const t = useLabel();
  const columns = useMemo((): Column<LayerView>[] => {
    const places = new Map(layers.map(({ name }, place) => [name, place]));
    const shown = numbers.filter(({ field }) => !optional.has(field) || layers.some((layer) => layer[field] !== null));
    return [
      {
        id: 'name',
        header: t('layer.name'),
        width: 'minmax(240px, 1fr)',
        sort: ({ name }) => name,
        cell: ({ name }) => <span title={name}>{name}</span>,
      },
      ...shown.map(({ field, width, write }): Column<LayerView> => ({
        id: field,
        header: t(`layer.${field}`),
        width,
        numeric: true,
        sort: (layer) => layer[field],
        cell: (layer) => {
          const value = layer[field];
          return (
            <Figure path={inReport ? `layers.${places.get(layer.name)}.${field}` : null}>
              {value === null ? '–' : write(value)}
            </Figure>
          );
        },
      })),
    ];
  }, [layers, inReport, t]);
  return (
    <DataTable
      label={t('run.layers')}
      columns={columns}
      rows={layers}
      keyOf={({ name }) => name}
      onOpen={({ name }) => onOpen(name)}
      rowHeight={30}
      empty={<EmptyState icon={<IconStack2 size={32} />} title={t('run.no-layers')} text={t('run.no-layers-text')} />}
    />
  );
}
