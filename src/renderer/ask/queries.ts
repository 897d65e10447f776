import { keepPreviousData, QueryClient, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { UseMutationResult, UseQueryResult } from '@tanstack/react-query';
import { useEffect, useEffectEvent } from 'react';

import type { Input, Output, Push, PushName, RequestName } from '../../contract/bridge.ts';
import { ask, listen } from './bridge.ts';
import { showFailure } from './failure-notification.tsx';
import { useLocale } from '../words.tsx';

/** What was asked stays true until a push says otherwise: nothing is asked again by itself. */
export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { staleTime: Infinity, retry: false, networkMode: 'always', refetchOnWindowFocus: false },
      mutations: { networkMode: 'always' },
    },
  });
}

export interface AskOptions {
  /** false = not yet. */
  readonly enabled?: boolean;
  /** Shows the answer to the question before while a new one is being answered (`isPlaceholderData` says so). */
  readonly keepPrevious?: boolean;
}

/** A question to the main process whose answer is kept and shared: `[name, input]` is its key. */
export function useAsk<N extends RequestName>(
  name: N,
  input: Input<N>,
  { enabled = true, keepPrevious = false }: AskOptions = {},
): UseQueryResult<Output<N>> {
  return useQuery<Output<N>>({
    queryKey: [name, input],
    queryFn: () => ask(name, input),
    enabled,
    ...(keepPrevious && { placeholderData: keepPreviousData }),
  });
}

/** Something the person does. A refusal is shown as a notification; `mutateAsync` rejects as well. */
export function useAct<N extends RequestName>(name: N): UseMutationResult<Output<N>, Error, Input<N>> {
  const locale = useLocale();
  return useMutation<Output<N>, Error, Input<N>>({
    mutationFn: (input) => ask(name, input),
    onError: (error) => showFailure(error, locale),
  });
}

/** Calls `hear` with every push of that name while the component is there. */
export function usePush<N extends PushName>(name: N, hear: (push: Push<N>) => void): void {
  const latest = useEffectEvent(hear);
  useEffect(() => listen(name, (push) => latest(push)), [name]);
}

/** Keeps the answers true: pushes change them or have them asked again. Used once, by the shell. */
export function useFreshAnswers(): void {
  const client = useQueryClient();
  const again = (...names: RequestName[]): void => {
    for (const name of names) void client.invalidateQueries({ queryKey: [name] });
  };
  usePush('library.changed', () => again('library.list'));
  usePush('downloads.changed', () => again('downloads.list'));
  usePush('downloads.progress', (download) =>
    client.setQueryData<Output<'downloads.list'>>(['downloads.list', null], (list) =>
      list?.map((each) => (each.id === download.id ? download : each)),
    ),
  );
  usePush('runs.changed', () => again('runs.list', 'runs.points', 'library.list'));
  usePush('run.changed', ({ row }) => {
    again('runs.list');
    if (row.state === 'finished') again('runs.points');
    // Runs of a sweep may be attempts at one goal, which list each other.
    void client.invalidateQueries({ queryKey: row.sweep === null ? ['runs.get', { id: row.id }] : ['runs.get'] });
  });
  usePush('settings.changed', (settings) => {
    client.setQueryData<Output<'app.boot'>>(['app.boot', null], (boot) => boot && { ...boot, settings });
    again('storage.list', 'downloads.folder', 'hub.token');
  });
}
