import { useCallback, useMemo, useState } from 'react';

import { runColumns, type RunQuery } from '../../../contract/history.ts';
import { measureIds, type MeasureId } from '../../../contract/measures.ts';
import type { Sort } from '../../components/data-table-parts.ts';

export const sortable: readonly string[] = runColumns;

/** What the list, which shows one measure, is sorted by: newest first until the person says otherwise. */
export function useSorting(measure: MeasureId): { sort: RunQuery['sort']; onSort: (sort: Sort) => void } {
  const [sort, setSort] = useState<RunQuery['sort']>({ column: 'createdAt', descending: true });
  const onSort = useCallback(({ column, descending }: Sort) => {
    const known = runColumns.find((one) => one === column);
    if (known !== undefined) setSort({ column: known, descending });
  }, []);
  const byMeasure = measureIds.some((id) => id === sort.column);
  return { sort: useMemo(() => (byMeasure ? { ...sort, column: measure } : sort), [sort, byMeasure, measure]), onSort };
}
