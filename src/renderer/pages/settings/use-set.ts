import { useQueryClient } from '@tanstack/react-query';

import type { Boot } from '../../../contract/bridge.ts';
import type { Settings } from '../../../contract/settings.ts';
import { useAct } from '../../ask/queries.ts';

/** Sets and keeps settings; they are in force at once. */
export function useSet(): (changes: Partial<Settings>) => void {
  const client = useQueryClient();
  const { mutate } = useAct('settings.set');
  return (changes) =>
    mutate(changes, {
      onSuccess: (settings) => client.setQueryData<Boot>(['app.boot', null], (boot) => boot && { ...boot, settings }),
    });
}
