import { useTable, type ColumnDef, type SortingState } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type ReactElement } from 'react';

import { HeaderRow } from './data-table-header.tsx';
import {
  features,
  type Column,
  type DataTableProps,
  type Features,
  type Slot,
  type Remote,
  type Sortable,
} from './data-table-parts.ts';
import { BodyRow } from './data-table-row.tsx';

/**
 * A table that draws only the rows in sight. Its place in the page gives its height. Keyboard: up, down, Home, End and
 * Page keys move, Enter opens, Space selects.
 */
export function DataTable<Row>(props: DataTableProps<Row>): ReactElement {
  const { label, columns, rows, keyOf, remote, selection, onOpen, rowHeight = 34, empty } = props;
  const id = useId();
  const scroll = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const [local, setLocal] = useState<SortingState>([]);
  const sorting = remote ? [{ id: remote.sort.column, desc: remote.sort.descending }] : local;

  // Rows that main has sorted need no model here, which would be made anew for all of them with every page.
  const data = useMemo(() => (remote ? [] : rows.map((row): Slot<Row> => ({ row }))), [rows, remote]);
  const definitions = useMemo(() => columns.map((column) => definition(column, remote)), [columns, remote]);
  const table = useTable<Features, Slot<Row>>({
    features,
    data,
    columns: definitions,
    state: { sorting },
    manualSorting: remote !== undefined,
    enableSortingRemoval: remote === undefined,
    enableMultiSort: false,
    onSortingChange: (change) => {
      const next = typeof change === 'function' ? change(sorting) : change;
      const [first] = next;
      if (remote && first) remote.onSort({ column: first.id, descending: first.desc });
      if (!remote) setLocal(next);
    },
  });
  const sorted = table.getRowModel().rows;
  const ordered = useMemo(() => (remote ? rows : sorted.map(({ original }) => original.row)), [remote, rows, sorted]);
  const virtual = useVirtualizer({
    count: ordered.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => rowHeight,
    overscan: 8,
  });
  const inSight = virtual.getVirtualItems();
  const [first, last] = [inSight[0]?.index ?? 0, inSight.at(-1)?.index ?? 0];
  const onVisible = remote?.onVisible;
  useEffect(() => onVisible?.(first, last), [onVisible, first, last]);

  const at = Math.min(active, ordered.length - 1);
  const rowAt = (index: number): Row | null => ordered[index] ?? null;
  const moveTo = (index: number): void => {
    const next = Math.max(0, Math.min(ordered.length - 1, index));
    setActive(next);
    virtual.scrollToIndex(next);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>): void => {
    if (event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor((scroll.current?.clientHeight ?? 0) / rowHeight) - 2);
    const row = rowAt(at);
    const keys: Record<string, () => void> = {
      ArrowDown: () => moveTo(at + 1),
      ArrowUp: () => moveTo(at - 1),
      PageDown: () => moveTo(at + page),
      PageUp: () => moveTo(at - page),
      Home: () => moveTo(0),
      End: () => moveTo(ordered.length - 1),
      Enter: () => row !== null && onOpen?.(row),
      ' ': () => row !== null && selection?.onToggle(keyOf(row)),
    };
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };

  const selects = selection !== undefined;
  const line = useMemo(() => {
    const tracks = [...(selects ? ['36px'] : []), ...columns.map(({ width }) => width)];
    return { gridTemplateColumns: tracks.join(' '), minWidth: sum(tracks.map(leastWidth)) };
  }, [selects, columns]);
  return (
    <div
      ref={scroll}
      className="data-table"
      role="grid"
      aria-label={label}
      aria-rowcount={ordered.length + 1}
      aria-multiselectable={selection ? true : undefined}
      aria-activedescendant={ordered.length > 0 ? `${id}-${at}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <HeaderRow headers={table.getFlatHeaders()} columns={columns} line={line} selects={selects} />
      {ordered.length === 0 && <div className="data-table-empty">{empty}</div>}
      <div role="rowgroup" className="data-table-body" style={{ height: virtual.getTotalSize() }}>
        {inSight.map(({ index, start }) => (
          <BodyRow
            key={index}
            id={`${id}-${index}`}
            index={index}
            line={line}
            start={start}
            height={rowHeight}
            row={rowAt(index)}
            columns={columns}
            keyOf={keyOf}
            isActive={index === at}
            selection={selection}
            onOpen={onOpen}
            onActivate={setActive}
          />
        ))}
      </div>
    </div>
  );
}

function definition<Row>(column: Column<Row>, remote: Remote | undefined): ColumnDef<Features, Slot<Row>> {
  const { id, header, sort, numeric } = column;
  return {
    id,
    header,
    accessorFn: ({ row }) => (row === null ? null : (sort?.(row) ?? null)),
    enableSorting: remote ? remote.sortable.includes(id) : sort !== undefined,
    sortDescFirst: numeric ?? false,
    sortFn: (a, b, columnId) => compare(a.getValue<Sortable>(columnId), b.getValue<Sortable>(columnId)),
  };
}

/** The least width of a grid's track, in pixels: its first number. */
function leastWidth(track: string): number {
  return Number(/[\d.]+/.exec(track)?.[0] ?? 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const collator = new Intl.Collator('en', { numeric: true });

function compare(a: Sortable, b: Sortable): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b));
}
