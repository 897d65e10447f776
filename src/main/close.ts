import { dialog, type BrowserWindow } from 'electron';

import type { Label } from '../contract/messages/labels.ts';

export type CloseChoice = 'pause' | 'go-on' | 'stay';
const choices = ['pause', 'go-on', 'stay'] as const;

/** Asks what becomes of a run when the window is closed. */
export async function askAboutRun(window: BrowserWindow, t: Label, name: string): Promise<CloseChoice> {
  const { response } = await dialog.showMessageBox(window, {
    type: 'question',
    message: t('main.close.title'),
    detail: t('main.close.text', { name }),
    buttons: choices.map((choice) => t(`main.close.${choice}`)),
    defaultId: 0,
    cancelId: 2,
    noLink: true,
  });
  return choices[response] ?? 'stay';
}
