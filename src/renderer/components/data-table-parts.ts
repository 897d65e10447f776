import { createSortedRowModel, rowSortingFeature, tableFeatures } from '@tanstack/react-table';
import type { ReactNode } from 'react';

/** How a column's values are ordered here; null comes last. */
export type Sortable = string | number | null;

export interface Column<Row> {
  readonly id: string;
  readonly header: string;
  /** A track of a CSS grid: `minmax(160px, 2fr)`, `96px`. */
  readonly width: string;
  /** Right-aligned. */
  readonly numeric?: true;
  /** What the rows are sorted by here; without it (and without `remote`) the column does not sort. */
  readonly sort?: (row: Row) => Sortable;
  readonly cell: (row: Row) => ReactNode;
}

export interface Sort {
  readonly column: string;
  readonly descending: boolean;
}

/** Rows that the main process sorts and sends by pages. */
export interface Remote {
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
  readonly sortable: readonly string[];
  /** Called with the first and the last row in sight. */
  readonly onVisible: (first: number, last: number) => void;
}

export interface Selection {
  readonly ids: ReadonlySet<string>;
  readonly onToggle: (id: string) => void;
  /** What a row's checkbox is called. */
  readonly label: (id: string) => string;
}

export interface DataTableProps<Row> {
  /** What a screen reader calls the table. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  /** null = not here yet. The same array as long as nothing changes. */
  readonly rows: readonly (Row | null)[];
  readonly keyOf: (row: Row) => string;
  readonly remote?: Remote;
  readonly selection?: Selection;
  /** Enter, or a click on the row. */
  readonly onOpen?: (row: Row) => void;
  /** Pixels. */
  readonly rowHeight?: number;
  /** Shown in place of the rows where there are none. */
  readonly empty: ReactNode;
}

export const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel() });
export type Features = typeof features;
/** A line of the table: a row, or null where it has not come yet. */
export type Slot<Row> = { readonly row: Row | null };
