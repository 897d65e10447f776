import { Notification, powerSaveBlocker, type BrowserWindow } from 'electron';

import { percent, perplexity } from '../contract/format.ts';
import type { RunRow } from '../contract/history.ts';
import type { Label } from '../contract/messages/labels.ts';

/** Tells of a run's end outside of the window, unless the person is looking at the window; a click opens the run. */
export function notifyEnd(row: RunRow, t: Label, window: BrowserWindow | null, open: (id: string) => void): void {
  if (!Notification.isSupported() || window?.isFocused()) return;
  const notification = new Notification({ title: titleOf(row, t), body: bodyOf(row, t) });
  notification.on('click', () => open(row.id));
  notification.show();
}

function titleOf({ name, state }: RunRow, t: Label): string {
  if (state === 'finished' || state === 'killed' || state === 'out-of-memory')
    return t(`main.ended.${state}`, { name });
  return t('main.ended.failed', { name });
}

function bodyOf({ perplexity: measured, sparsity }: RunRow, t: Label): string {
  if (!measured || sparsity === null) return t('main.ended.body');
  return t('main.ended.perplexity', {
    dense: perplexity(measured.dense),
    compressed: perplexity(measured.compressed),
    sparsity: percent(sparsity, 1),
  });
}

/** Keeps the machine from sleeping while a run goes on; the screen may. */
export class WakeLock {
  #id: number | null = null;

  hold(busy: boolean): void {
    if (busy && this.#id === null) this.#id = powerSaveBlocker.start('prevent-app-suspension');
    if (!busy && this.#id !== null) {
      powerSaveBlocker.stop(this.#id);
      this.#id = null;
    }
  }
}
