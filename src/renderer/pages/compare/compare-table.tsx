import { ActionIcon, Radio, Text, Tooltip } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useMemo, type ReactElement } from 'react';

import { seriesStyle } from '../../../charts/palette.ts';
import { compareTable, type ComparisonRow } from '../../../contract/compare.ts';
import { useLabel, useLocale } from '../../words.tsx';
import { deltaText } from './delta.ts';
import type { Compared } from './use-compared.ts';

interface CompareTableProps {
  readonly runs: readonly Compared[];
  /** Id of the run the others are set against. */
  readonly baseline: string;
  readonly shows: 'all' | 'differences';
  readonly onBaseline: (id: string) => void;
  readonly onLeaveOut: (id: string) => void;
}

/** A column a run, a row a fact; below each number how it stands to the baseline's. */
export function CompareTable({ runs, baseline, shows, onBaseline, onLeaveOut }: CompareTableProps): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const rows = useMemo(
    () =>
      compareTable(
        runs.map(({ report }) => report),
        locale,
      ),
    [runs, locale],
  );
  const shown = rows.filter(({ differs }) => shows === 'all' || differs);
  const place = runs.findIndex(({ row }) => row.id === baseline);
  return (
    <div className="compare-scroll" role="region" aria-label={t('compare.title')} tabIndex={0}>
      <table className="compare-table" style={{ minWidth: 240 + 180 * runs.length }}>
        <thead>
          <tr>
            <th scope="col">{t('compare.fact')}</th>
            {runs.map((run, series) => (
              <RunHeading
                key={run.row.id}
                run={run}
                series={series}
                isBaseline={series === place}
                onBaseline={onBaseline}
                onLeaveOut={onLeaveOut}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <FactRow key={row.key} row={row} runs={runs} place={place} />
          ))}
        </tbody>
      </table>
      {shown.length === 0 && (
        <Text size="sm" p="sm">
          {t('compare.no-differences')}
        </Text>
      )}
    </div>
  );
}

interface RunHeadingProps {
  readonly run: Compared;
  readonly series: number;
  readonly isBaseline: boolean;
  readonly onBaseline: (id: string) => void;
  readonly onLeaveOut: (id: string) => void;
}

function RunHeading({ run, series, isBaseline, onBaseline, onLeaveOut }: RunHeadingProps): ReactElement {
  const t = useLabel();
  const { id, name } = run.row;
  return (
    <th scope="col" data-baseline={isBaseline || undefined}>
      <div className="compare-heading">
        <SeriesSign series={series} letter={run.letter} />
        <Link to="/runs/$id" params={{ id }} className="cut" title={name}>
          {name}
        </Link>
        <Tooltip label={t('compare.leave-out')}>
          <ActionIcon size="sm" aria-label={t('compare.leave-out-run', { name })} onClick={() => onLeaveOut(id)}>
            <IconX size={14} />
          </ActionIcon>
        </Tooltip>
      </div>
      <Radio
        size="xs"
        name="baseline"
        label={t('compare.baseline')}
        aria-label={t('compare.baseline-run', { name })}
        checked={isBaseline}
        onChange={() => onBaseline(id)}
      />
    </th>
  );
}

/** The mark and the letter that stand for a run in the pictures. */
export function SeriesSign({ series, letter }: { series: number; letter: string }): ReactElement {
  const { fill, path } = seriesStyle(series);
  return (
    <span className="series-sign">
      <svg width={14} height={14} viewBox="-7 -7 14 14" aria-hidden="true">
        <path d={path(70)} fill={fill} stroke="currentColor" strokeWidth={0.6} />
      </svg>
      <b>{letter}</b>
    </span>
  );
}

function FactRow(props: { row: ComparisonRow; runs: readonly Compared[]; place: number }): ReactElement {
  const { row, runs, place } = props;
  const baseline = row.cells[place];
  return (
    <tr data-key={row.key} data-differs={row.differs || undefined}>
      <th scope="row">{row.label}</th>
      {row.cells.map((cell, i) => {
        const delta = baseline && i !== place ? deltaText(row, cell, baseline) : null;
        return (
          <td key={runs[i]?.row.id ?? i} data-numeric={typeof cell.value === 'number' || undefined}>
            <span>{cell.text}</span>
            {delta !== null && <small>{delta}</small>}
          </td>
        );
      })}
    </tr>
  );
}
