import { useQuery } from '@tanstack/react-query';
import { useDebouncedValue } from '@mantine/hooks';

import type { Plan } from '../../../contract/plan.ts';
import type { RecipeInput } from '../../../contract/recipe.ts';
import { ask } from '../../ask/bridge.ts';

export interface Planned {
  /** The newest plan, of this recipe or, while that is being planned, of the one before. */
  readonly plan: Plan | null;
  /** Whether `plan` is of this recipe. */
  readonly isCurrent: boolean;
  readonly isPlanning: boolean;
  /** Why this recipe cannot be planned, and so cannot run. */
  readonly error: Error | null;
  readonly again: () => void;
}

/** Milliseconds without a change before a plan is made. */
const patience = 250;

/** Free memory and disk are not what they were after so many milliseconds. */
const fresh = 10_000;

/** The plan of a recipe, made anew at every change. */
export function usePlan(recipe: RecipeInput | null): Planned {
  const wanted = JSON.stringify(recipe);
  const [settled] = useDebouncedValue(recipe, patience);
  const isSettled = JSON.stringify(settled) === wanted;
  const { data, error, isFetching, isPlaceholderData, refetch } = useQuery({
    queryKey: ['plans.make', settled],
    queryFn: () => (settled === null ? null : ask('plans.make', { recipe: settled })),
    enabled: settled !== null,
    placeholderData: (previous) => previous,
    staleTime: fresh,
  });
  return {
    plan: data ?? null,
    isCurrent: isSettled && !isPlaceholderData && error === null,
    isPlanning: recipe !== null && (isFetching || !isSettled),
    error: isSettled && recipe !== null && !isFetching ? error : null,
    again: () => void refetch(),
  };
}
