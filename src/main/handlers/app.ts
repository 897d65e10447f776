import { availableParallelism } from 'node:os';

import { app, clipboard, shell } from 'electron';

import type { links } from '../../contract/bridge.ts';
import type { Host } from '../host.ts';
import { choosePaths, saveFile } from '../dialogs.ts';
import type { HandlersOf } from '../ipc.ts';
import { systemLanguage } from '../language.ts';

/** The only addresses that are ever opened in the browser. */
const addresses: Readonly<Record<(typeof links)[number], string>> = {
  'sparsegpt-paper': 'https://arxiv.org/abs/2301.00774',
  'scheduler-paper': 'https://arxiv.org/abs/2409.20094',
  'owl-paper': 'https://arxiv.org/abs/2310.05175',
};

export function appHandlers(host: Host): HandlersOf<'app.' | 'files.'> {
  const { stores, service, places } = host;
  return {
    'app.boot': () => ({
      version: app.getVersion(),
      platform: platform(),
      language: systemLanguage(),
      settings: stores.settings.value,
      demo: places.demo,
      threads: availableParallelism(),
      notices: [...host.notices],
      interrupted: stores.history.interrupted(),
    }),
    'app.versions': async () => {
      const { electron, chrome, node } = process.versions;
      return { ...(await service.ask('versions', null)), electron, chrome, node };
    },
    'app.copy': async ({ text }) => {
      await clipboard.writeText(text);
      return null;
    },
    'app.open-link': async ({ link }) => {
      await shell.openExternal(addresses[link]);
      return null;
    },
    'app.close-notice': ({ id }) => {
      host.closeNotice(id);
      return null;
    },
    'files.save': async ({ name, content, encoding }) =>
      await saveFile(host.window, name, encoding === 'base64' ? Buffer.from(content, 'base64') : content),
    'files.choose': async ({ purpose }) => host.granted(await choosePaths(host.window, host.t, purpose)),
  };
}

function platform(): 'linux' | 'darwin' | 'win32' {
  return process.platform === 'darwin' || process.platform === 'win32' ? process.platform : 'linux';
}
