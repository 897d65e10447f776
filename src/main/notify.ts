import { Notification, powerSaveBlocker, type BrowserWindow } from 'electron';

import { percent } from '../contract/format.ts';
import type { RunRow } from '../contract/history.ts';
import { writeValue } from '../contract/measures.ts';
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

function bodyOf({ measured: [first], sparsity }: RunRow, t: Label): string {
  if (!first || sparsity === null) return t('main.ended.body');
  const { measure, dense, compressed } = first;
  return t('main.ended.measured', {
    measure: t(`measure.${measure}`),
    dense: writeValue(measure, dense.value),
    compressed: writeValue(measure, compressed.value),
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
