import { Badge } from '@mantine/core';
import { useMemo, type ReactElement, type ReactNode } from 'react';

import { bytes, duration, percent } from '../../../contract/format.ts';
import type { RunRow } from '../../../contract/history.ts';
import { firstOf, sampleWords } from '../../../contract/measured.ts';
import { measures, writeValue, type MeasureId } from '../../../contract/measures.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { methods } from '../../../contract/recipe/methods.ts';
import type { Column } from '../../components/data-table-parts.ts';
import { dateAndTime } from '../../run/run-words.ts';
import { StateBadge } from '../../run/state-badge.tsx';
import { useLabel } from '../../words.tsx';
import { RowMenu } from './row-menu.tsx';

/** The columns of the history. In a narrow window, model, scheduler, bits and target stand below name, method and sparsity. */
export function useColumns(
  width: 'wide' | 'narrow',
  measure: MeasureId,
  onEdit: (row: RunRow) => void,
): readonly Column<RunRow>[] {
  const t = useLabel();
  return useMemo(() => {
    const common = commonColumns(t, measure);
    const { name, method, sparsity } = width === 'wide' ? apart(t) : together(t);
    const actions: Column<RunRow> = {
      id: 'actions',
      header: '',
      width: '40px',
      cell: (row) => <RowMenu row={row} onEdit={onEdit} />,
    };
    return [...name, common.state, ...method, ...sparsity, ...common.rest, actions];
  }, [t, width, measure, onEdit]);
}

function commonColumns(t: Label, measure: MeasureId): { state: Column<RunRow>; rest: Column<RunRow>[] } {
  return {
    state: {
      id: 'state',
      header: t('history.state'),
      width: '128px',
      cell: ({ state }) => <StateBadge state={state} />,
    },
    rest: [
      { id: measure, header: t(`measure.${measure}`), width: '142px', numeric: true, cell: measuredCell(measure, t) },
      {
        id: 'nonZeroBytes',
        header: t('history.size'),
        width: '84px',
        numeric: true,
        cell: ({ nonZeroBytes, bytes: dense }) =>
          nonZeroBytes === null ? (
            ''
          ) : (
            <span title={t('history.size-hint')}>
              {lines(bytes(nonZeroBytes), dense === null ? '' : `/ ${bytes(dense)}`)}
            </span>
          ),
      },
      {
        id: 'seconds',
        header: t('field.time'),
        width: '104px',
        numeric: true,
        cell: ({ seconds }) => (seconds === null ? '' : duration(seconds)),
      },
      {
        id: 'createdAt',
        header: t('history.date'),
        width: '104px',
        numeric: true,
        cell: ({ createdAt }) => lines(...dateAndTime(createdAt)),
      },
    ],
  };
}

interface Changing {
  readonly name: Column<RunRow>[];
  readonly method: Column<RunRow>[];
  readonly sparsity: Column<RunRow>[];
}

const shareOrNothing = (share: number | null): string => (share === null ? '' : `${percent(share, 1)} %`);
const target = ({ nm, targetSparsity }: RunRow): string =>
  nm === null ? shareOrNothing(targetSparsity).replace('.0 ', ' ') : `${nm.n}:${nm.m}`;

function bitsColumn(t: Label): Column<RunRow> {
  return {
    id: 'bits',
    header: t('history.bits'),
    width: '68px',
    numeric: true,
    cell: ({ bits }) => (bits === null ? '' : String(bits)),
  };
}

function apart(t: Label): Changing {
  return {
    name: [
      { id: 'name', header: t('run.name'), width: 'minmax(200px, 2fr)', cell: (row) => <Name row={row} below={[]} /> },
      {
        id: 'model',
        header: t('field.model'),
        width: 'minmax(100px, 1fr)',
        cell: ({ modelName, modelPath }) => <span title={modelPath}>{modelName}</span>,
      },
    ],
    method: [
      { id: 'method', header: t('field.method'), width: '96px', cell: ({ method }) => methods[method].name },
      { id: 'scheduler', header: t('field.scheduler'), width: '108px', cell: ({ scheduler }) => scheduler },
    ],
    sparsity: [
      { id: 'targetSparsity', header: t('history.target'), width: '80px', numeric: true, cell: target },
      {
        id: 'sparsity',
        header: t('field.sparsity'),
        width: '98px',
        numeric: true,
        cell: ({ sparsity }) => shareOrNothing(sparsity),
      },
      bitsColumn(t),
    ],
  };
}

function together(t: Label): Changing {
  return {
    name: [
      {
        id: 'name',
        header: t('run.name'),
        width: 'minmax(200px, 1fr)',
        cell: (row) => <Name row={row} below={[row.modelName]} />,
      },
    ],
    method: [
      {
        id: 'method',
        header: t('field.method'),
        width: '104px',
        cell: ({ method, scheduler, bits }) =>
          lines(methods[method].name, bits === null ? scheduler : `${scheduler} · ${t('new.bits-of', { bits })}`),
      },
    ],
    sparsity: [
      {
        id: 'sparsity',
        header: t('field.sparsity'),
        width: '94px',
        numeric: true,
        cell: (row) => lines(shareOrNothing(row.sparsity), t('history.of-target', { target: target(row) })),
      },
    ],
  };
}

/** Two lines of a cell, the second one in small. */
function lines(first: ReactNode, second: ReactNode): ReactElement {
  return (
    <span className="cell-lines">
      <span>{first}</span>
      <small>{second}</small>
    </span>
  );
}

/** `below`: what stands before the tags in the second line. */
function Name({ row, below }: { row: RunRow; below: readonly string[] }): ReactElement {
  const { name, tags, notes } = row;
  const second = [
    ...below.map((text) => <span key={`text ${text}`}>{text} </span>),
    ...tags.map((tag) => (
      <Badge key={tag} size="xs" variant="default" tt="none">
        {tag}
      </Badge>
    )),
  ];
  return (
    <span className="cell-lines" title={notes === '' ? name : `${name}\n${notes}`}>
      <span>{name}</span>
      {second.length > 0 && <small>{second}</small>}
    </span>
  );
}

/** What a run came to by the measure on its first dataset. */
function measuredCell(measure: MeasureId, t: Label): (row: RunRow) => ReactNode {
  return ({ measured }) => {
    const first = firstOf(measured, measure);
    if (first === undefined) return '';
    const { dense, compressed, ...sample } = first;
    return (
      <span title={sampleWords(sample, t)}>
        {lines(
          `${measures[measure].write(dense.value)} → ${writeValue(measure, compressed.value)}`,
          `${sample.dataset} · ${sample.seqlen} × ${sample.windows}`,
        )}
      </span>
    );
  };
}
