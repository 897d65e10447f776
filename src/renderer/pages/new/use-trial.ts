import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';

import type { Progress, Trial } from '../../../contract/bridge.ts';
import { TamisError } from '../../../contract/errors.ts';
import type { RecipeInput } from '../../../contract/recipe.ts';
import { ask } from '../../ask/bridge.ts';
import { showFailure } from '../../ask/failure-notification.tsx';
import { usePush } from '../../ask/queries.ts';
import { useLocale } from '../../words.tsx';

export interface Trying {
  /** What the first blocks of this very recipe measured. */
  readonly trial: Trial | null;
  readonly isTrying: boolean;
  readonly progress: Progress | null;
  readonly start: () => void;
  readonly cancel: () => void;
}

/** Compresses the first two blocks of a recipe for real, on request. */
export function useTrial(recipe: RecipeInput | null): Trying {
  const locale = useLocale();
  const [trials, setTrials] = useState<Readonly<Record<string, Trial>>>({});
  const [progress, setProgress] = useState<Progress | null>(null);
  const { mutate, isPending } = useMutation({
    mutationFn: (tried: RecipeInput) => ask('plans.try', { recipe: tried }),
    onMutate: () => setProgress(null),
    onSuccess: (trial, tried) => setTrials((before) => ({ ...before, [JSON.stringify(tried)]: trial })),
    onError: (error) => {
      if (!(error instanceof TamisError && error.code === 'cancelled.no-run')) showFailure(error, locale);
    },
  });
  usePush('plans.progress', setProgress);
  return {
    trial: trials[JSON.stringify(recipe)] ?? null,
    isTrying: isPending,
    progress,
    start: () => recipe !== null && mutate(recipe),
    cancel: () => void ask('plans.cancel-try', null),
  };
}
