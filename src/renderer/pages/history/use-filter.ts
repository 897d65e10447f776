import { useDebouncedCallback } from '@mantine/hooks';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useMemo, useRef, useState } from 'react';

import type { RunQuery, RunState } from '../../../contract/history.ts';

const route = getRouteApi('/history');

export interface Filter {
  readonly values: Pick<RunQuery, 'search' | 'states' | 'model' | 'bits'>;
  /** Whether it leaves anything out. */
  readonly isSet: boolean;
  readonly onSearch: (search: string) => void;
  readonly onStates: (states: RunState[]) => void;
  readonly onBits: (bits: RunQuery['bits']) => void;
  readonly onModel: (model: string | null) => void;
  readonly clear: () => void;
}

/** Which runs are listed. Text and model are kept in the address, so that going back brings them back. */
export function useFilter(): Filter {
  const address = route.useSearch();
  const navigate = route.useNavigate();
  const [search, setSearch] = useState(address.search ?? '');
  const [states, setStates] = useState<RunState[]>([]);
  const [bits, setBits] = useState<RunQuery['bits']>([]);
  const model = address.model ?? null;

  const written = useRef(search);
  const write = useDebouncedCallback((text: string) => {
    written.current = text;
    void navigate({ search: (before) => ({ ...before, search: text }), replace: true });
  }, 300);
  // The address changes from outside as well: a sweep that was started leads here.
  useEffect(() => {
    const text = address.search ?? '';
    if (text === written.current) return;
    written.current = text;
    setSearch(text);
  }, [address.search]);

  const onSearch = (text: string): void => {
    const cut = text.slice(0, 200);
    setSearch(cut);
    write(cut);
  };
  const onModel = (id: string | null): void =>
    void navigate({ search: (before) => ({ ...before, model: id ?? undefined }), replace: true });
  return {
    values: useMemo(() => ({ search, states, model, bits }), [search, states, model, bits]),
    isSet: search !== '' || states.length > 0 || model !== null || bits.length > 0,
    onSearch,
    onStates: setStates,
    onBits: setBits,
    onModel,
    clear: () => {
      setSearch('');
      setStates([]);
      setBits([]);
      written.current = '';
      void navigate({ search: {}, replace: true });
    },
  };
}
