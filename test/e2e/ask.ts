import { mkdirSync } from 'node:fs';

import type { ElectronApplication, Page } from 'playwright';

import { requests, type Input, type Output, type RequestName } from '../../src/contract/bridge.ts';
import type { Bridge } from '../../src/contract/channel.ts';
import { errorOf } from '../../src/contract/failure.ts';
import type { RunRow, RunState } from '../../src/contract/history.ts';
import type { RecipeInput } from '../../src/contract/recipe.ts';
import { limits } from '../limits.ts';

/** Asks main through the page's own bridge. @throws what main refuses with */
export async function ask<N extends RequestName>(page: Page, name: N, input: Input<N>): Promise<Output<N>> {
  const answer = await page.evaluate(
    async ([request, value]) => {
      const { tamis } = globalThis as unknown as { tamis: Bridge };
      return await tamis.invoke(request, value);
    },
    [name, input] as const,
  );
  if (!answer.ok) throw errorOf(answer.failure);
  return requests[name].output.parse(answer.value) as Output<N>;
}

/** A scheduled run of the demo model that takes a few seconds. */
export async function tinyRecipe(page: Page, changes: Partial<RecipeInput> = {}): Promise<RecipeInput> {
  const { demo } = await ask(page, 'app.boot', null);
  return {
    model: demo.model,
    sparsity: 0.7,
    scheduler: { kind: 'kmeans' },
    calibration: { corpus: { kind: 'texts', paths: [demo.calibration] }, sequences: 8, seqlen: 64 },
    evaluation: {
      datasets: [{ name: 'demo', corpus: { kind: 'texts', paths: [demo.evaluation] } }],
      windows: 4,
      seqlen: 64,
    },
    device: 'cpu',
    threads: 2,
    ...changes,
  };
}

/** Queues one run. */
export async function startRun(page: Page, recipe: RecipeInput, name = 'test'): Promise<string> {
  const [id] = await ask(page, 'runs.start', { name, recipes: [recipe] });
  if (id === undefined) throw new Error('no run was queued');
  return id;
}

export async function rowOf(page: Page, id: string): Promise<RunRow> {
  return (await ask(page, 'runs.get', { id })).row;
}

/** Waits until a run is in one of these states. */
export async function reached(page: Page, id: string, ...states: RunState[]): Promise<RunRow> {
  const until = Date.now() + limits.wait;
  for (;;) {
    const row = await rowOf(page, id);
    if (states.includes(row.state)) return row;
    if (Date.now() > until) throw new Error(`the run is ${row.state}, not ${states.join(' or ')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until so many blocks of a run are compressed. */
export async function compressed(page: Page, id: string, blocks: number): Promise<void> {
  for (;;) {
    const events = await ask(page, 'runs.events', { id });
    if (events.filter(({ event }) => event.type === 'block').length >= blocks) return;
    const { state } = await rowOf(page, id);
    if (state !== 'running' && state !== 'queued') throw new Error(`the run ended as ${state} before block ${blocks}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** From now on native dialogs that ask for files or folders answer with that path. */
export async function choose(app: ElectronApplication, path: string): Promise<void> {
  await app.evaluate(({ dialog }, chosen) => {
    dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [chosen] });
  }, path);
}

/** Goes from the page of a finished run to its exports, which are then written into this folder, made here. */
export async function openExports(app: ElectronApplication, page: Page, target: string): Promise<void> {
  mkdirSync(target);
  await choose(app, target);
  await page
    .getByRole('button', { name: /^Export/ })
    .or(page.getByRole('link', { name: /^Export/ }))
    .first()
    .click();
}
