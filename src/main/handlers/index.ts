import type { Host } from '../host.ts';
import type { Handlers } from '../ipc.ts';
import { appHandlers } from './app.ts';
import { downloadHandlers } from './downloads.ts';
import { exportHandlers } from './exports.ts';
import { libraryHandlers } from './library.ts';
import { planHandlers } from './plans.ts';
import { runHandlers } from './runs.ts';
import { settingsHandlers } from './settings.ts';

/** What the page's requests do, by their names in src/contract/bridge.ts. */
export function handlers(host: Host): Handlers {
  return {
    ...appHandlers(host),
    ...libraryHandlers(host),
    ...downloadHandlers(host),
    ...planHandlers(host),
    ...runHandlers(host),
    ...exportHandlers(host),
    ...settingsHandlers(host),
  };
}
