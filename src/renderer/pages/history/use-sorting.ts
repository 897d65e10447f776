import { useCallback, useState } from 'react';

import { runColumns, type RunQuery } from '../../../contract/history.ts';
import type { Sort } from '../../components/data-table-parts.ts';

export const sortable: readonly string[] = runColumns;

/** What the list is sorted by: newest first until the person says otherwise. */
export function useSorting(): { sort: RunQuery['sort']; onSort: (sort: Sort) => void } {
  const [sort, setSort] = useState<RunQuery['sort']>({ column: 'createdAt', descending: true });
  const onSort = useCallback(({ column, descending }: Sort) => {
    const known = runColumns.find((one) => one === column);
    if (known !== undefined) setSort({ column: known, descending });
  }, []);
  return { sort, onSort };
}
