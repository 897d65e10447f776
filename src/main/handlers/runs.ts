import { join } from 'node:path';

import { shell } from 'electron';

import { TamisError } from '../../contract/errors.ts';
import { parseRecipe } from '../../contract/recipe.ts';
import type { Host } from '../host.ts';
import { diagnosticsOf } from '../diagnostics.ts';
import { choosePaths } from '../dialogs.ts';
import { readReport } from '../history/folder.ts';
import type { HandlersOf } from '../ipc.ts';
import { removeRun } from '../storage/removal.ts';
import { sizeOf } from '../storage/sizes.ts';

export function runHandlers(host: Host): HandlersOf<'runs.'> {
  const { stores, runs } = host;
  const { history, grants } = stores;
  return {
    'runs.start': async ({ name, recipes: inputs }) => {
      const recipes = inputs.map((input) => parseRecipe(input));
      for (const recipe of recipes) grants.assertRecipe(recipe);
      const rows = await history.queue({ name, recipes, runsFolder: host.runsFolder });
      host.tell('runs.changed', null);
      runs.pump();
      return rows.map(({ id }) => id);
    },
    'runs.list': (query) => history.list(query),
    'runs.points': (query) => history.points(query),
    'runs.get': async ({ id }) => {
      const row = history.get(id);
      const recipe = history.recipe(id);
      grants.allowRecipe(recipe);
      const report = row.state === 'finished' ? await readReport(row.path) : null;
      return { row, recipe: report?.recipe ?? recipe, report, attempts: await history.attempts(id) };
    },
    'runs.events': async ({ id }) => await runs.events(id),
    'runs.reports': async ({ ids }) =>
      await Promise.all(
        ids.map(async (id) => {
          const { path, name } = history.get(id);
          const report = await readReport(path);
          if (report === null) throw new TamisError('export.not-finished', { name });
          return report;
        }),
      ),
    'runs.pause': async ({ id }) => {
      await runs.pause(id);
      return null;
    },
    'runs.cancel': async ({ id }) => {
      await runs.cancel(id);
      return null;
    },
    'runs.resume': async ({ id }) => {
      await runs.resume(id);
      return null;
    },
    'runs.update': async ({ id, name, notes, tags }) => {
      const row = await history.update(id, { name, notes, tags });
      host.tell('run.changed', { row });
      return row;
    },
    'runs.size': async ({ ids }) => await sizeOf(ids.map((id) => history.get(id).path)),
    'runs.delete': async ({ ids }) => {
      for (const id of ids) await removeRun(stores.store, id);
      host.tell('runs.changed', null);
      return null;
    },
    'runs.import': async () => {
      const [path] = await choosePaths(host.window, host.t, 'run');
      if (path === undefined) return null;
      const row = await history.import(path);
      host.tell('runs.changed', null);
      return row;
    },
    'runs.reveal': ({ id }) => {
      shell.showItemInFolder(history.get(id).path);
      return null;
    },
    'runs.open-report': async ({ id }) => {
      const reason = await shell.openPath(join(history.get(id).path, 'report.html'));
      if (reason !== '') throw new TamisError('file.not-readable', { path: history.get(id).path, reason });
      return null;
    },
    'runs.diagnostics': async ({ id }) => await diagnosticsOf(host, history.get(id)),
  };
}
