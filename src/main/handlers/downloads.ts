import { join } from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import {
  hubEndpoint,
  parseEndpoint,
  repositoryFolder,
  repositoryPattern,
  revisionPattern,
} from '../../contract/hub.ts';
import type { PullTask } from '../../contract/hub.ts';
import type { Host } from '../host.ts';
import { choosePaths } from '../dialogs.ts';
import type { HandlersOf } from '../ipc.ts';

export function downloadHandlers(host: Host): HandlersOf<'downloads.' | 'hub.'> {
  const { downloads, hubToken, settings } = host.stores;
  const endpoint = (): string => settings.value.hubEndpoint ?? (process.env['HF_ENDPOINT'] || hubEndpoint);
  const taskOf = (repository: string, revision: string): Omit<PullTask, 'token'> => {
    if (!repositoryPattern.test(repository)) throw new TamisError('hub.name', { text: repository });
    if (!revisionPattern.test(revision)) throw new TamisError('hub.revision', { text: revision });
    const folder = join(host.modelsFolder, repositoryFolder(repository));
    return { repository, revision, endpoint: parseEndpoint(endpoint()).href, folder };
  };
  let planning: AbortController | null = null;
  return {
    'downloads.plan': async ({ repository, revision }) => {
      planning?.abort();
      const abort = (planning = new AbortController());
      const task = taskOf(repository, revision);
      const token = hubToken.tokenFor(new URL(task.endpoint));
      const plan = await host.service.ask('pull-plan', { ...task, token }, { signal: abort.signal });
      return { folder: task.folder, plan };
    },
    'downloads.cancel-plan': () => {
      planning?.abort();
      return null;
    },
    'downloads.start': async ({ repository, revision }) => await downloads.start(taskOf(repository, revision)),
    'downloads.list': () => downloads.list(),
    'downloads.pause': async ({ id }) => {
      await downloads.pause(id);
      return null;
    },
    'downloads.resume': ({ id }) => {
      downloads.resume(id);
      return null;
    },
    'downloads.cancel': async ({ id }) => {
      await downloads.cancel(id);
      return null;
    },
    'downloads.choose-folder': async () => {
      const [folder] = await choosePaths(host.window, host.t, 'models-folder');
      if (folder === undefined) return false;
      host.tell('settings.changed', await settings.set({ modelsFolder: folder }));
      return true;
    },
    'downloads.folder': () => host.modelsFolder,
    'hub.token': () => hubToken.placeOf(parseEndpoint(endpoint())),
    'hub.set-token': async ({ token }) => {
      const to = parseEndpoint(endpoint());
      await hubToken.set(token, to);
      return hubToken.placeOf(to);
    },
  };
}
