import { join } from 'node:path';

import type { Locator, Page } from 'playwright';

import { labels } from '../../src/contract/messages/labels.ts';
import { openStore } from '../../src/main/history/open.ts';
import { launch } from '../e2e/launch.ts';
import { fillHistory } from '../fixtures/synthetic-runs.ts';
import { median } from './figures.ts';

export const RUNS = 10_000;
const SAMPLES = 20;
const LOADS = 5;
/** Between two inputs, so that none waits for what the one before it still draws, ms. */
const PAUSE_MS = 700;
/** Each finds another number of runs. */
const searches = '0 1 2 3 4 5 6 7 8 9 a b d f i k l p t y'.split(' ');

const t = labels('en');

/** Milliseconds from the input to the second animation frame that shows what it asked for; medians. */
export interface HistoryTimes {
  /** From the click on the page's link, in a page that has not shown it before. */
  readonly firstPaint: number;
  readonly sort: number;
  readonly filter: number;
}

/** A history of so many synthetic runs, opened, sorted and searched in a real window of the size it has at first. */
export async function measureHistory(folder: string): Promise<HistoryTimes> {
  const { store } = openStore(join(folder, 'user-data/history.sqlite'));
  fillHistory(store, RUNS);
  store.close();
  const running = await launch({ folder });
  const { page } = running;
  const loads: number[] = [];
  for (let load = 0; load < LOADS; load++) loads.push(await measureLoad(page));
  const times = { firstPaint: median(loads), sort: await measureSorts(page), filter: await measureSearches(page) };
  await running.close();
  return times;
}

async function measureLoad(page: Page): Promise<number> {
  await page.evaluate(() => (location.hash = '#/models'));
  await page.reload();
  await page.locator('.data-table-body [role=row]').first().waitFor();
  await page.waitForTimeout(PAUSE_MS);
  return await timeOf(page, () => page.getByRole('link', { name: t('app.history') }).click());
}

/** Every heading, each way; then again among the runs of a search, so that no list comes a second time. */
async function measureSorts(page: Page): Promise<number> {
  const headings = await page.locator('.data-table-sort').all();
  const samples: number[] = [];
  for (const search of ['', 'run']) {
    await searchField(page).fill(search);
    for (const heading of headings.flatMap((one) => [one, one])) {
      await page.waitForTimeout(PAUSE_MS);
      samples.push(await timeOf(page, () => heading.click()));
    }
  }
  return median(samples.slice(0, SAMPLES));
}

async function measureSearches(page: Page): Promise<number> {
  const samples: number[] = [];
  for (const key of searches) {
    await page.waitForTimeout(PAUSE_MS);
    await searchField(page).selectText();
    samples.push(await timeOf(page, () => page.keyboard.press(key)));
  }
  return median(samples);
}

function searchField(page: Page): Locator {
  return page.getByRole('searchbox', { name: t('history.search') });
}

async function timeOf(page: Page, input: () => Promise<void>): Promise<number> {
  const watching = await page.evaluateHandle(watchRows);
  await input();
  return await watching.evaluate(({ time }) => time);
}

/**
 * In the page: milliseconds from the next input to the second animation frame after all rows in sight are there and are
 * not those of before.
 */
function watchRows(): { time: Promise<number> } {
  const shown = (): string | null => {
    const rows = [...document.querySelectorAll('.data-table-body [role="row"]')].map((row) => row.textContent);
    const heading = document.querySelector('h1')?.parentElement?.textContent ?? '';
    return rows.length === 0 || rows.includes('') ? null : [heading, ...rows].join('\n');
  };
  const before = shown();
  const input = new Promise<number>((resolve) => {
    for (const type of ['click', 'keydown'])
      addEventListener(type, ({ timeStamp }) => resolve(timeStamp), { capture: true, once: true });
  });
  const changed = new Promise<void>((resolve, reject) => {
    const observer = new MutationObserver(() => {
      const now = shown();
      if (now === null || now === before) return;
      observer.disconnect();
      resolve();
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
    setTimeout(() => reject(new Error('no other rows came')), 10_000);
  });
  const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));
  const measure = async (): Promise<number> => {
    const [from] = await Promise.all([input, changed]);
    await frame();
    await frame();
    return performance.now() - from;
  };
  return { time: measure() };
}
