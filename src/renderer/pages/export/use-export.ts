import { useMutation, useMutationState } from '@tanstack/react-query';
import { useState } from 'react';

import type { Progress } from '../../../contract/bridge.ts';
import { TamisError } from '../../../contract/errors.ts';
import type { ExportFormat, ExportResult } from '../../../contract/exports.ts';
import { ask } from '../../bridge.ts';
import { showFailure } from '../../components/failure-notification.tsx';
import { usePush } from '../../queries.ts';
import { useLocale } from '../../words.tsx';

interface Export {
  readonly start: () => void;
  readonly isGoingOn: boolean;
  /** null before the destination is chosen. */
  readonly progress: Progress | null;
  /** What was written last; null if there is none. */
  readonly written: ExportResult | null;
}

/** An export of a run, which goes on and is known of when the page is left and opened again. */
export function useExport(id: string, format: ExportFormat): Export {
  const locale = useLocale();
  const [progress, setProgress] = useState<Progress | null>(null);
  usePush('exports.progress', (push) => {
    if (push.id === id) setProgress(push.progress);
  });
  const mutationKey = ['exports.start', id, format];
  const { mutate } = useMutation({
    mutationKey,
    mutationFn: () => ask('exports.start', { id, format, check: false }),
    onError: (error) => {
      const isCancelled = error instanceof TamisError && error.code === 'cancelled.no-run';
      if (!isCancelled) showFailure(error, locale);
    },
  });
  const states = useMutationState({ filters: { mutationKey }, select: ({ state }) => state });
  const last = states.at(-1);
  const isGoingOn = last?.status === 'pending';
  return {
    start: () => {
      setProgress(null);
      mutate();
    },
    isGoingOn,
    progress: isGoingOn ? progress : null,
    written: (last?.data as ExportResult | null | undefined) ?? null,
  };
}
