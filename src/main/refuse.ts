import { describe } from '../contract/describe.ts';
import { app, dialog } from 'electron';

import { labels } from '../contract/messages/labels.ts';
import { systemLanguage } from './language.ts';

/** Tells why the application cannot start, in a dialog and on standard error, and ends it. */
export async function refuseToStart(error: unknown): Promise<void> {
  const sentence = describe(error, systemLanguage());
  process.stderr.write(`tamis: ${sentence}\n`);
  await dialog.showMessageBox({
    type: 'error',
    message: labels(systemLanguage())('main.cannot-start'),
    detail: sentence,
    buttons: [labels(systemLanguage())('main.quit')],
  });
  app.exit(1);
}
