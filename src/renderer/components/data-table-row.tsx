import { Checkbox } from '@mantine/core';
import { memo, type CSSProperties, type MouseEvent, type ReactElement } from 'react';

import type { Column, Selection } from './data-table-parts.ts';

interface BodyRowProps<Row> {
  readonly id: string;
  readonly index: number;
  /** The columns' widths: the same object as long as they do not change. */
  readonly line: CSSProperties;
  /** Pixels. */
  readonly start: number;
  readonly height: number;
  readonly row: Row | null;
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  readonly isActive: boolean;
  readonly selection: Selection | undefined;
  readonly onOpen: ((row: Row) => void) | undefined;
  readonly onActivate: (index: number) => void;
}

/** A row of a table; one that is not here yet is drawn empty. Only drawn again when something of its own changes. */
export const BodyRow = memo(PlainRow) as typeof PlainRow;

function PlainRow<Row>(props: BodyRowProps<Row>): ReactElement {
  const { id, index, line, start, height, row, columns, keyOf, isActive, selection, onOpen, onActivate } = props;
  const key = row === null ? null : keyOf(row);
  const selected = key !== null && selection?.ids.has(key);
  const onClick = (event: MouseEvent<HTMLElement>): void => {
    onActivate(index);
    const onControl = event.target instanceof Element && event.target.closest('button, a, input, label') !== null;
    if (row !== null && !onControl) onOpen?.(row);
  };
  return (
    <div
      id={id}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selection ? selected : undefined}
      className="data-table-row"
      data-active={isActive || undefined}
      data-selected={selected || undefined}
      data-opens={onOpen !== undefined || undefined}
      style={{ ...line, height, transform: `translateY(${start}px)` }}
      onClick={onClick}
    >
      {selection && (
        <div role="gridcell" className="data-table-cell">
          {key !== null && (
            <Checkbox
              size="xs"
              checked={selected ?? false}
              aria-label={selection.label(key)}
              onChange={() => selection.onToggle(key)}
            />
          )}
        </div>
      )}
      {columns.map(({ id: column, numeric, cell }) => (
        <div key={column} role="gridcell" className="data-table-cell" data-column={column} data-numeric={numeric}>
          {row !== null && cell(row)}
        </div>
      ))}
    </div>
  );
}
