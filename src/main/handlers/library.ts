import { shell } from 'electron';

import type { Host } from '../host.ts';
import { choosePaths } from '../dialogs.ts';
import type { HandlersOf } from '../ipc.ts';

export function libraryHandlers(host: Host): HandlersOf<'library.'> {
  const { stores, service } = host;
  const { library, grants } = stores;
  return {
    'library.list': () => library.list(),
    'library.add': async ({ paths }) => {
      for (const path of paths) grants.assertPath(path);
      return await library.add(paths);
    },
    'library.remove': ({ id }) => {
      library.remove(id);
      return null;
    },
    'library.locate': async ({ id }) => {
      const [path] = await choosePaths(host.window, host.t, 'model');
      if (path === undefined) return null;
      grants.allow([path]);
      return await library.relocate(id, path);
    },
    'library.reveal': ({ id }) => {
      shell.showItemInFolder(library.get(id).path);
      return null;
    },
    'library.tensors': async ({ id }) => await service.ask('tensors', { path: library.get(id).path }),
    'library.count-zeros': async ({ id }) =>
      await service.ask(
        'zeros',
        { path: library.get(id).path },
        { tell: (zeros) => host.tell('library.zeros', { id, zeros }) },
      ),
  };
}
