import type { Application } from '../application.ts';
import type { Handlers } from '../ipc.ts';
import { appHandlers } from './app.ts';
import { exportHandlers } from './exports.ts';
import { libraryHandlers } from './library.ts';
import { planHandlers } from './plans.ts';
import { runHandlers } from './runs.ts';
import { settingsHandlers } from './settings.ts';

/** What the page's requests do, by their names in src/contract/bridge.ts. */
export function handlers(application: Application): Handlers {
  return {
    ...appHandlers(application),
    ...libraryHandlers(application),
    ...planHandlers(application),
    ...runHandlers(application),
    ...exportHandlers(application),
    ...settingsHandlers(application),
  };
}
