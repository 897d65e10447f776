import type { BrowserWindow } from 'electron';
import type { z } from 'zod';

import type { Notice, PushName, Pushes } from '../contract/bridge.ts';
import type { Label } from '../contract/messages/labels.ts';
import type { Launch } from './engine/process.ts';
import type { Runs } from './engine/runs.ts';
import type { Service } from './engine/service.ts';
import type { Places } from './places.ts';
import type { Stores } from './stores.ts';

/** What the answers to the page's requests work with; `application.ts` is the one there is. */
export interface Host {
  readonly places: Places;
  readonly stores: Stores;
  readonly service: Service;
  readonly runs: Runs;
  /** Where processes of the engine are started. */
  readonly launch: Launch;
  readonly notices: readonly Notice[];
  /** The window that dialogs belong to. */
  readonly window: BrowserWindow;
  /** Words in the person's language. */
  readonly t: Label;
  /** Folder that new runs are written to. */
  readonly runsFolder: string;
  /** Folder that models are fetched into. */
  readonly modelsFolder: string;
  tell<N extends PushName>(name: N, value: z.input<Pushes[N]>): void;
  /** Paths that the person chose or dropped, which recipes may name from now on. */
  granted(paths: readonly string[]): string[];
  closeNotice(id: string): void;
  /** Language and theme outside of the page. */
  applySettings(): void;
}
