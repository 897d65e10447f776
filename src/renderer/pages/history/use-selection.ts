import { useCallback, useMemo, useState } from 'react';

import type { RunRow } from '../../../contract/history.ts';
import type { Selection } from '../../components/data-table-parts.ts';
import { usePush } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';

export interface RunSelection extends Selection {
  /** The selected runs as far as they have been in sight. */
  readonly rows: readonly RunRow[];
  readonly clear: () => void;
}

/** The runs that are chosen, those out of sight included. */
export function useSelection(listed: readonly (RunRow | null)[]): RunSelection {
  const t = useLabel();
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const [seen, setSeen] = useState<ReadonlyMap<string, RunRow>>(new Map());
  const byId = useMemo(() => new Map(listed.flatMap((row) => (row ? [[row.id, row] as const] : []))), [listed]);
  usePush('run.changed', ({ row }) => {
    if (seen.has(row.id)) setSeen(new Map(seen).set(row.id, row));
  });
  const onToggle = useCallback(
    (id: string) => {
      const row = byId.get(id);
      if (row) setSeen((before) => new Map(before).set(id, row));
      setIds((before) => {
        const after = new Set(before);
        if (!after.delete(id)) after.add(id);
        return after;
      });
    },
    [byId],
  );
  const label = useCallback((id: string) => t('history.select', { name: byId.get(id)?.name ?? '' }), [byId, t]);
  const clear = useCallback(() => setIds(new Set()), []);
  const rows = useMemo(() => [...ids].flatMap((id) => byId.get(id) ?? seen.get(id) ?? []), [ids, byId, seen]);
  return useMemo(() => ({ ids, rows, onToggle, label, clear }), [ids, rows, onToggle, label, clear]);
}
