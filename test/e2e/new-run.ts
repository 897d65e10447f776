import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ElectronApplication, Locator, Page } from 'playwright';

import type { RecipeInput } from '../../src/contract/recipe.ts';
import { choose } from './ask.ts';

/** The field of that name, not the button beside it that resets it. */
export function field(page: Page, name: string): Locator {
  return page.getByRole('textbox', { name, exact: true });
}

/** A figure of the plan's panel, by the name before it. */
export function figure(page: Page, name: string): Locator {
  return page.locator('.plan-figure', { hasText: name }).locator('.plan-value');
}

/** Loads a recipe by the page's button, from a file that the native dialog gives. */
export async function loadRecipe(
  page: Page,
  app: ElectronApplication,
  folder: string,
  recipe: RecipeInput,
): Promise<void> {
  const path = join(folder, 'recipe.json');
  writeFileSync(path, JSON.stringify(recipe));
  await choose(app, path);
  await page.getByRole('button', { name: 'Load …' }).click();
}

/** Bits a weight that the plan gives the packed weights, once it is of the present settings. */
export async function packedBits(page: Page): Promise<number> {
  await page.getByText('of the settings before').waitFor({ state: 'detached' });
  const note = await page.locator('.plan-figure', { hasText: 'Weights, packed' }).locator('.plan-note').innerText();
  return Number(/[\d.]+/.exec(note)?.[0]);
}
