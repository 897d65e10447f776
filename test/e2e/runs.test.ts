import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ElectronApplication } from 'playwright';
import { describe, expect } from 'vitest';

import { newestRuns } from '../../src/contract/history.ts';
import { readReportOf, sha256, succeed } from '../integration/helpers.ts';
import { limits } from '../limits.ts';
import { test } from './application.ts';
import { ask, compressed, reached, rowOf, startRun, tinyRecipe } from './ask.ts';
import { enginesOf, isAlive, timeToEnd } from './processes.ts';

/** A run that takes long enough to be stopped in the middle. */
const slow = { calibration: { sequences: 24, seqlen: 128 } };

async function slowRecipe(page: Parameters<typeof tinyRecipe>[0]): ReturnType<typeof tinyRecipe> {
  const recipe = await tinyRecipe(page);
  return { ...recipe, calibration: { ...recipe.calibration, ...slow.calibration } };
}

/** Native dialogs answer by themselves: the button with that number. */
async function answerDialogs(app: ElectronApplication, response: number): Promise<void> {
  await app.evaluate(({ dialog }, button) => {
    dialog.showMessageBox = () => Promise.resolve({ response: button, checkboxChecked: false });
  }, response);
}

/** The bits of the tensors that came out, and the sparsity of each layer. */
function bitsOf(folder: string): unknown {
  const shards = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  expect(shards.length).toBeGreaterThan(1);
  return {
    tensors: Object.fromEntries(shards.map((name) => [name, sha256(join(folder, name))])),
    sparsities: readReportOf(folder).layers.map(({ name, targetSparsity, sparsity }) => [
      name,
      targetSparsity,
      sparsity,
    ]),
  };
}

describe('runs and their processes', () => {
  test('paused, closed, started again and resumed: the bits of an uninterrupted run of the command line', async ({
    start,
    folder,
  }) => {
    const first = await start();
    const recipe = await slowRecipe(first.page);
    const id = await startRun(first.page, recipe);
    await compressed(first.page, id, 2);
    await ask(first.page, 'runs.pause', { id });
    const paused = await reached(first.page, id, 'paused');
    expect(existsSync(join(paused.path, 'report.json'))).toBe(false);
    await first.close();

    const second = await start();
    expect(await rowOf(second.page, id)).toEqual(paused);
    const before = await ask(second.page, 'runs.events', { id });
    await ask(second.page, 'runs.resume', { id });
    const { path } = await reached(second.page, id, 'finished', 'failed');
    const events = await ask(second.page, 'runs.events', { id });
    expect(events.length).toBeGreaterThan(before.length);
    expect(events.at(-1)?.event.type).toBe('finished');

    const whole = join(folder, 'whole');
    writeFileSync(join(folder, 'recipe.json'), JSON.stringify(recipe));
    await succeed(['compress', recipe.model, '--recipe', join(folder, 'recipe.json'), '--out', whole], {
      cache: join(folder, 'other-cache'),
    });
    expect(bitsOf(path)).toEqual(bitsOf(whole));
  });

  test('closing the window pauses the run if told so, and the next start offers to resume it', async ({ start }) => {
    const first = await start();
    const id = await startRun(first.page, await slowRecipe(first.page));
    await compressed(first.page, id, 1);
    await answerDialogs(first.app, 0);
    await first.close();
    const second = await start();
    expect((await rowOf(second.page, id)).state).toBe('paused');
  });

  test('closing the window lets the run go on if told so', async ({ start }) => {
    const { app, page } = await start();
    const id = await startRun(page, await slowRecipe(page));
    await compressed(page, id, 1);
    await answerDialogs(app, 1);
    await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
    await expect.poll(() => app.windows().length).toBe(0);
    const again = app.waitForEvent('window', { timeout: limits.wait });
    await app.evaluate(({ app: main }) => main.emit('activate'));
    const window = await again;
    await window.waitForLoadState();
    await reached(window, id, 'finished');
  });

  test('a cancelled run is marked so, frees its processor for the next, and can be resumed', async ({ start }) => {
    const { page } = await start();
    const id = await startRun(page, await slowRecipe(page));
    const next = await startRun(page, await tinyRecipe(page));
    expect((await rowOf(page, next)).state).toBe('queued');
    await compressed(page, id, 1);
    await ask(page, 'runs.cancel', { id });
    expect((await reached(page, id, 'cancelled')).failure).toBeNull();
    await reached(page, next, 'finished');
    await ask(page, 'runs.resume', { id });
    await reached(page, id, 'finished');
  });

  test('an engine killed from outside: the run is marked, the application lives, resume works', async ({
    start,
    folder,
  }) => {
    const { page } = await start();
    const idle = new Set(enginesOf(folder).map(({ pid }) => pid));
    const id = await startRun(page, await slowRecipe(page));
    await compressed(page, id, 1);
    const [engine] = enginesOf(folder).filter(({ pid }) => !idle.has(pid));
    process.kill(engine?.pid ?? 0, 'SIGKILL');
    const killed = await reached(page, id, 'killed', 'out-of-memory', 'failed');
    expect(killed).toMatchObject({ state: 'killed', failure: { code: 'engine.killed' } });
    await ask(page, 'runs.resume', { id });
    await reached(page, id, 'finished');
  });

  test('the application killed: the engine ends within 2 s, and the run is offered for resumption', async ({
    start,
    folder,
  }) => {
    const first = await start();
    const id = await startRun(first.page, await slowRecipe(first.page));
    await compressed(first.page, id, 1);
    const engines = enginesOf(folder);
    expect(engines.length).toBeGreaterThan(0);
    first.process.kill('SIGKILL');
    expect(await timeToEnd(() => engines.filter(({ pid }) => isAlive(pid)))).toBeLessThan(2000);

    const second = await start();
    const { interrupted } = await ask(second.page, 'app.boot', null);
    expect(interrupted.map((row) => [row.id, row.state])).toEqual([[id, 'lost']]);
    await ask(second.page, 'runs.resume', { id });
    await reached(second.page, id, 'finished');
  });

  test('deleting a run gives its space back', async ({ start }) => {
    const { page } = await start();
    const id = await startRun(page, await tinyRecipe(page));
    const { path } = await reached(page, id, 'finished');
    expect(await ask(page, 'runs.size', { ids: [id] })).toBeGreaterThan(16_000_000);
    await ask(page, 'runs.delete', { ids: [id] });
    expect(existsSync(path)).toBe(false);
    expect((await ask(page, 'runs.list', newestRuns)).total).toBe(0);
  });
});
