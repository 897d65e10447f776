import { expect } from 'vitest';

import { constants } from '../../src/worker/native.ts';
import { test } from './application.ts';
import { ask, reached, startRun, tinyRecipe } from './ask.ts';

test('a layer whose mask and weights ADMM chose shows how, iteration by iteration', async ({ start }) => {
  const { page } = await start();
  const recipe = await tinyRecipe(page, { method: 'admm', scheduler: { kind: 'uniform' }, blocks: 1 });
  const id = await startRun(page, recipe);
  const { path } = await reached(page, id, 'finished');
  expect(path).not.toBe('');
  await page.evaluate((to) => (location.hash = to), `/runs/${id}`);
  await page.getByRole('tab', { name: 'Layers' }).click();
  await page.getByText('model.decoder.layers.0.fc1').first().click();
  const layer = page.getByRole('dialog', { name: 'Layer' });
  const { iterations } = constants.method.admm;
  await layer.getByRole('img', { name: new RegExp(`1 layers, ${iterations} iterations`) }).waitFor();
  expect(await layer.getByRole('table', { name: 'Iterations' }).getByRole('row').count()).toBe(1 + iterations);
  const { report } = await ask(page, 'runs.get', { id });
  expect(report?.layers.map((one) => one.iterations?.length)).toEqual(Array(6).fill(iterations));
});
