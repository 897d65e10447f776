import { notifications } from '@mantine/notifications';

import { bytes } from '../../contract/format.ts';
import { usePush } from '../ask/queries.ts';
import { useLabel } from '../words.tsx';

/** Tells on every page that a model has been fetched. */
export function useDownloadNews(): void {
  const t = useLabel();
  usePush('downloads.finished', ({ repository, files, bytes: size }) =>
    notifications.show({
      message: t('downloads.finished', { name: repository, files, size: bytes(size) }),
      autoClose: 8000,
    }),
  );
}
