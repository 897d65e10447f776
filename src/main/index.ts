import { app, powerMonitor } from 'electron';
import { z } from 'zod';

import { Application } from './application.ts';
import { guardContents } from './guard.ts';
import { registerScheme } from './page.ts';
import { places } from './places.ts';
import { refuseToStart } from './refuse.ts';

/** The application's start: one instance, our own scheme and no other, then the window and everything behind it. */
z.config({ jitless: true });
// Windows shows notifications under the name of this id alone.
app.setAppUserModelId('org.tamis.app');
registerScheme();
guardContents(app);
// As root, as in a container, Chromium starts only without its own sandbox.
if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox();

if (!app.requestSingleInstanceLock()) {
  app.quit();
} else {
  void app
    .whenReady()
    .then(async () => live(await Application.start(places())))
    .catch(refuseToStart);
}

function live(application: Application): void {
  app.on('second-instance', () => application.showWindow());
  app.on('activate', () => application.showWindow());
  app.on('window-all-closed', () => application.onWindowsClosed());
  app.on('before-quit', (event) => application.onQuit(event));
  powerMonitor.on('shutdown', () => application.onShutdown());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => application.onShutdown());
}
