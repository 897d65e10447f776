import { notifications } from '@mantine/notifications';

import { useAct } from './queries.ts';
import { useLabel } from '../words.tsx';

/** Copies a text through the main process's clipboard and says so. */
export function useCopy(): (text: string) => void {
  const { mutate } = useAct('app.copy');
  const t = useLabel();
  return (text) =>
    mutate(
      { text },
      { onSuccess: () => notifications.show({ message: t('app.copied'), autoClose: 2000, withCloseButton: false }) },
    );
}
