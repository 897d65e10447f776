import { describe } from '../../contract/describe.ts';
import { notifications } from '@mantine/notifications';

import type { Locale } from '../../contract/messages/index.ts';
import { labels } from '../../contract/messages/labels.ts';

/** Tells that something the person did was refused, and why; stays until it is closed. */
export function showFailure(error: unknown, locale: Locale): void {
  notifications.show({
    color: 'red',
    message: describe(error, locale),
    autoClose: false,
    role: 'alert',
    closeButtonProps: { 'aria-label': labels(locale)('app.close') },
  });
}
