import { memo, useDeferredValue, useEffect, useState, type ReactElement } from 'react';

import { ErrorChart } from '../../../charts/error-chart.tsx';
import { GroupChart } from '../../../charts/group-chart.tsx';
import { LayerMap, type LayerMapValue } from '../../../charts/layer-map.tsx';
import { SensitivityChart } from '../../../charts/sensitivity-chart.tsx';
import { SparsityChart } from '../../../charts/sparsity-chart.tsx';
import type { Label } from '../../../contract/messages/labels.ts';
import type { Centroid } from '../../../contract/report.ts';
import type { LayerView } from '../../run/run-view.ts';
import { sensitivityPerWeight, sensitivityWords } from '../../../contract/sensitivity.ts';
import { ChartCard, type ChartNumbers } from '../../components/chart-card.tsx';
import { ColourControl } from '../../run/colour-control.tsx';
import { LayerMarks } from '../../run/layer-marks.tsx';
import { useLabel, useLocale } from '../../words.tsx';
import { CentroidTable } from './centroid-table.tsx';

interface LayerChartProps {
  readonly layers: readonly LayerView[];
  /** The name of saved pictures. */
  readonly file: string;
  readonly onOpen: (layer: string) => void;
}

/** A map of more layers has the height of several charts. */
const tall = 200;

/** Blocks by layers, coloured by what the person chooses; as long as nothing is chosen, by what the run is measuring. */
export const LayerMapCard = memo(function LayerMapCard({ layers, file, onOpen }: LayerChartProps): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const isCompressing = layers.some((layer) => layer.sparsity !== null);
  const measured = isCompressing ? 'sparsity' : measuredOf(layers);
  const [chosen, setChosen] = useState<LayerMapValue | null>(null);
  const [colourBy, setColourBy] = useState<LayerMapValue>(measured);
  // A step of its own after what the run told is drawn: all cells change at once.
  useEffect(() => setColourBy(chosen ?? measured), [chosen, measured]);
  // The control answers at once, hundreds of cells follow.
  const drawn = useDeferredValue(colourBy);
  return (
    <div className="map-place" data-tall={layers.length > tall || undefined}>
      <ChartCard
        title={t('report.layer-map')}
        fileName={`${file} ${colourBy}`}
        numbers={() => layerNumbers(layers, t)}
        controls={<ColourControl layers={layers} colourBy={colourBy} onChange={setChosen} />}
      >
        <LayerMarks layers={layers} label={t('report.layer-map')} onOpen={onOpen}>
          <LayerMap layers={layers} colourBy={drawn} locale={locale} />
        </LayerMarks>
      </ChartCard>
    </div>
  );
});

/** What a run measures before it compresses, as far as it has come. */
function measuredOf(layers: readonly LayerView[]): LayerMapValue {
  if (layers.some(({ sensitivity }) => sensitivity !== null)) return 'sensitivity';
  return layers.some(({ estimate }) => estimate !== null) ? 'estimate' : 'sparsity';
}

interface GroupCardProps extends LayerChartProps {
  readonly centroids: readonly Centroid[];
  readonly inReport: boolean;
}

/** Estimates against sensitivities where those were measured, estimates by group elsewhere; nothing where there are neither. */
export function ScheduleCard(props: GroupCardProps): ReactElement {
  const isMeasured = props.layers.some(({ sensitivity }) => sensitivity !== null);
  return isMeasured ? <SensitivityCard {...props} /> : <GroupCard {...props} />;
}

const SensitivityCard = memo(function SensitivityCard(props: GroupCardProps): ReactElement {
  const { layers, centroids, inReport, file, onOpen } = props;
  const t = useLabel();
  const locale = useLocale();
  const measured = layers.filter(({ estimate, sensitivity }) => estimate !== null && sensitivity !== null);
  return (
    <ChartCard
      title={t('report.sensitivity')}
      note={[...sensitivityWords(layers, t), t('run.schedule-note')].join(' ')}
      fileName={`${file} sensitivity`}
      numbers={() => sensitivityNumbers(layers, t)}
    >
      <LayerMarks layers={measured} label={t('report.sensitivity')} onOpen={onOpen}>
        <SensitivityChart layers={layers} centroids={centroids} locale={locale} />
      </LayerMarks>
      <CentroidTable centroids={centroids} of="sensitivity" inReport={inReport} />
    </ChartCard>
  );
});

function sensitivityNumbers(layers: readonly LayerView[], t: Label): ChartNumbers {
  const { headings, rows } = columnsOf(layers, t, ['group', 'estimate', 'sensitivity']);
  return {
    headings: [...headings, t('layer.sensitivity-weight')],
    rows: rows.map((row, i) => [...row, layers[i] ? sensitivityPerWeight(layers[i]) : null]),
  };
}

/** Estimates by group; nothing where the recipe needs no estimates. */
const GroupCard = memo(function GroupCard(props: GroupCardProps): ReactElement | null {
  const { layers, centroids, inReport, file, onOpen } = props;
  const t = useLabel();
  const locale = useLocale();
  const estimated = layers.filter((layer) => layer.estimate !== null);
  if (estimated.length === 0) return null;
  return (
    <ChartCard
      title={t('report.groups')}
      note={t('run.schedule-note')}
      fileName={`${file} groups`}
      numbers={() => columnsOf(layers, t, ['estimate', 'group'])}
    >
      <LayerMarks layers={estimated} label={t('report.groups')} onOpen={onOpen}>
        <GroupChart layers={layers} centroids={centroids} locale={locale} />
      </LayerMarks>
      <CentroidTable centroids={centroids} of="estimate" inReport={inReport} />
    </ChartCard>
  );
});

export const SparsityCard = memo(function SparsityCard(
  props: LayerChartProps & { target: number | null },
): ReactElement {
  const { layers, target, file, onOpen } = props;
  const t = useLabel();
  const locale = useLocale();
  const known = layers.filter((layer) => layer.sparsity !== null);
  return (
    <ChartCard
      title={t('report.sparsity')}
      fileName={`${file} sparsity`}
      numbers={() => columnsOf(layers, t, ['targetSparsity', 'sparsity'])}
    >
      <LayerMarks layers={known} label={t('report.sparsity')} onOpen={onOpen}>
        <SparsityChart runs={[{ name: file, layers }]} target={target} locale={locale} />
      </LayerMarks>
    </ChartCard>
  );
});

/** Nothing before the first error is measured. */
export const ErrorCard = memo(function ErrorCard({ layers, file, onOpen }: LayerChartProps): ReactElement | null {
  const t = useLabel();
  const locale = useLocale();
  const measured = layers.filter((layer) => layer.error !== null);
  if (measured.length === 0) return null;
  return (
    <ChartCard
      title={t('report.error')}
      fileName={`${file} error`}
      note={t('text.error-what')}
      numbers={() => columnsOf(layers, t, ['error'])}
    >
      <LayerMarks layers={measured} label={t('report.error')} onOpen={onOpen}>
        <ErrorChart layers={layers} locale={locale} />
      </LayerMarks>
    </ChartCard>
  );
});

type Measured = 'estimate' | 'sensitivity' | 'group' | 'targetSparsity' | 'sparsity' | 'bits' | 'error';

function layerNumbers(layers: readonly LayerView[], t: Label): ChartNumbers {
  return columnsOf(layers, t, ['group', 'estimate', 'sensitivity', 'targetSparsity', 'sparsity', 'bits', 'error']);
}

/** Fields of all layers at full precision. */
function columnsOf(layers: readonly LayerView[], t: Label, fields: readonly Measured[]): ChartNumbers {
  return {
    headings: [t('layer.name'), ...fields.map((field) => t(`layer.${field}`))],
    rows: layers.map((layer) => [layer.name, ...fields.map((field) => layer[field])]),
  };
}
