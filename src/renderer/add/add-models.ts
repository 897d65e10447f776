import { notifications } from '@mantine/notifications';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';

import { ask, dropped } from '../ask/bridge.ts';
import { showFailure } from '../ask/failure-notification.tsx';
import { useLabel, useLocale } from '../words.tsx';

export interface AddModels {
  /** Asks for folders in a native dialog. */
  readonly choose: () => void;
  readonly drop: (files: readonly File[]) => void;
}

/** Puts folders into the library and shows it; those that are no model stay there as refused, with the reason. */
export function useAddModels(): AddModels {
  const locale = useLocale();
  const t = useLabel();
  const navigate = useNavigate();
  const { mutate } = useMutation({
    mutationFn: async (paths: () => Promise<string[]>) => {
      const chosen = await paths();
      return chosen.length === 0 ? [] : await ask('library.add', { paths: chosen });
    },
    onSuccess: (models) => {
      if (models.length === 0) return;
      notifications.show({
        message: t('models.added', { names: models.map(({ name }) => name).join(', ') }),
        autoClose: 4000,
      });
      void navigate({ to: '/models' });
    },
    onError: (error) => showFailure(error, locale),
  });
  return {
    choose: () => mutate(() => ask('files.choose', { purpose: 'model' })),
    drop: (files) => mutate(() => dropped('model', files)),
  };
}
