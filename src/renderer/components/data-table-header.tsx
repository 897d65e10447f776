import { IconArrowDown, IconArrowUp, IconSelector } from '@tabler/icons-react';
import type { Header } from '@tanstack/react-table';
import type { CSSProperties, ReactElement } from 'react';

import { useLabel } from '../words.tsx';
import type { Column, Features, Slot } from './data-table-parts.ts';

const orders = { asc: 'ascending', desc: 'descending', none: 'none' } as const;

/** The headings of a table; those that sort are buttons. */
export function HeaderRow<Row>(props: {
  headers: readonly Header<Features, Slot<Row>>[];
  columns: readonly Column<Row>[];
  line: CSSProperties;
  selects: boolean;
}): ReactElement {
  const { headers, columns, line, selects } = props;
  const t = useLabel();
  return (
    <div role="rowgroup" className="data-table-head">
      <div role="row" aria-rowindex={1} className="data-table-row" style={line}>
        {selects && (
          <div role="columnheader" className="data-table-cell">
            <span className="unseen">{t('table.selected')}</span>
          </div>
        )}
        {headers.map(({ id, column }, index) => {
          const sorted = column.getIsSorted() || 'none';
          const { header = '', numeric } = columns[index] ?? {};
          const canSort = column.getCanSort();
          return (
            <div
              key={id}
              role="columnheader"
              className="data-table-cell"
              data-numeric={numeric}
              aria-sort={canSort ? orders[sorted] : undefined}
            >
              {canSort ? (
                <button type="button" className="data-table-sort" onClick={() => column.toggleSorting()}>
                  <span className="cut">{header}</span>
                  <SortIcon sorted={sorted} />
                </button>
              ) : (
                <span className="cut">{header}</span>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function SortIcon({ sorted }: { sorted: keyof typeof orders }): ReactElement {
  const Icon = { asc: IconArrowUp, desc: IconArrowDown, none: IconSelector }[sorted];
  return <Icon size={13} aria-hidden="true" className={sorted === 'none' ? 'faint' : undefined} />;
}
