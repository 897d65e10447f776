import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo, useState } from 'react';

import type { Input, Output } from '../../contract/bridge.ts';
import { PAGE_ROWS } from '../../contract/history.ts';
import { ask } from '../ask/bridge.ts';

type Query = Omit<Input<'runs.list'>, 'offset' | 'limit'>;
type Page = Output<'runs.list'>;
type Row = Page['rows'][number];

interface Pages {
  /** All runs that match; null where they are not here yet. */
  readonly rows: readonly (Row | null)[];
  /** null before the first answer. */
  readonly total: number | null;
  readonly error: Error | null;
  /** To be told the first and the last row in sight. */
  readonly onVisible: (first: number, last: number) => void;
}

/** The runs that match a query, fetched by pages as they come in sight; those before stay until the new ones are here. */
export function useRunPages(query: Query): Pages {
  const [sight, setSight] = useState({ from: 0, to: 0 });
  const { data, error } = useQuery({
    queryKey: ['runs.list', query, sight],
    queryFn: () => fetchPages(query, sight),
    placeholderData: (previous) => previous,
  });
  const rows = useMemo(() => {
    const all = new Array<Row | null>(data?.total ?? 0).fill(null);
    data?.rows.forEach((row, i) => (all[data.offset + i] = row));
    return all;
  }, [data]);
  const onVisible = useCallback((first: number, last: number) => {
    const [from, to] = [Math.floor(first / PAGE_ROWS), Math.floor(last / PAGE_ROWS)];
    setSight((before) => (before.from === from && before.to === to ? before : { from, to }));
  }, []);
  return { rows, total: data?.total ?? null, error, onVisible };
}

async function fetchPages(
  query: Query,
  { from, to }: { from: number; to: number },
): Promise<{ rows: Row[]; offset: number; total: number }> {
  const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const pages = await Promise.all(
    numbers.map((page) => ask('runs.list', { ...query, offset: page * PAGE_ROWS, limit: PAGE_ROWS })),
  );
  return { rows: pages.flatMap((page) => page.rows), offset: from * PAGE_ROWS, total: pages[0]?.total ?? 0 };
}
