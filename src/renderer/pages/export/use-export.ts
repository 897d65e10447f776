import { useMutation, useMutationState, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type { Push } from '../../../contract/bridge.ts';
import { TamisError } from '../../../contract/errors.ts';
import type { ExportFormat, ExportResult } from '../../../contract/exports.ts';
import { ask } from '../../ask/bridge.ts';
import { showFailure } from '../../ask/failure-notification.tsx';
import { usePush } from '../../ask/queries.ts';
import { useLocale } from '../../words.tsx';

export type ExportProgress = Pick<Push<'exports.progress'>, 'stage' | 'progress'>;

interface Wanted {
  readonly format: ExportFormat;
  readonly folder: string;
  readonly check: boolean;
}

export interface Exports {
  readonly start: (wanted: Wanted) => void;
  /** The format that is being written; null = none. */
  readonly goingOn: ExportFormat | null;
  /** null before it is told. */
  readonly progress: ExportProgress | null;
  /** What was written last in each format. */
  readonly written: ReadonlyMap<ExportFormat, ExportResult>;
}

/** The exports of a run, which go on and are known of when the page is left and opened again. */
export function useExports(id: string): Exports {
  const locale = useLocale();
  const client = useQueryClient();
  const [progress, setProgress] = useState<ExportProgress | null>(null);
  usePush('exports.progress', (push) => {
    if (push.id === id) setProgress(push);
  });
  const mutationKey = ['exports.start', id];
  const { mutate } = useMutation({
    mutationKey,
    mutationFn: (wanted: Wanted) => ask('exports.start', { id, ...wanted }),
    gcTime: Infinity,
    onError: (error) => {
      const isCancelled = error instanceof TamisError && error.code === 'cancelled.no-run';
      if (!isCancelled) showFailure(error, locale);
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['exports.free-bytes'] }),
  });
  const states = useMutationState({ filters: { mutationKey }, select: ({ state }) => state });
  const pending = states.find(({ status }) => status === 'pending')?.variables as Wanted | undefined;
  const results = states.flatMap(({ data }) => (data === undefined ? [] : [data as ExportResult]));
  return {
    start: (wanted) => {
      setProgress(null);
      mutate(wanted);
    },
    goingOn: pending?.format ?? null,
    progress: pending === undefined ? null : progress,
    written: new Map(results.map((result) => [result.format, result])),
  };
}
