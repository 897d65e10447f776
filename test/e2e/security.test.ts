import type { ElectronApplication, Page } from 'playwright';
import { expect } from 'vitest';

import type { Bridge } from '../../src/contract/channel.ts';
import { test } from './application.ts';
import { ask, tinyRecipe } from './ask.ts';

type Window = typeof globalThis & { tamis: Bridge; require?: unknown; process?: unknown; module?: unknown };

/** Opens a page that is not ours with our preload, as a mistake in main could, and asks through the bridge from there. */
async function askFromElsewhere(app: ElectronApplication, address: string): Promise<unknown> {
  return await app.evaluate(async ({ app: main, BrowserWindow }, url) => {
    const preload = `${main.getAppPath()}/dist/app/preload/index.cjs`;
    const window = new BrowserWindow({
      show: false,
      webPreferences: { preload, sandbox: true, contextIsolation: true },
    });
    await window.loadURL(url);
    const answer: unknown = await window.webContents.executeJavaScript(`tamis.invoke('library.list', null)`);
    window.destroy();
    return answer;
  }, address);
}

async function raw(page: Page, name: string, input: unknown): Promise<unknown> {
  return await page.evaluate(
    async ([request, value]) => await (globalThis as Window).tamis.invoke(request as 'app.boot', value),
    [name, input] as const,
  );
}

test('only our own frame is answered, and only what the contract knows', async ({ start }) => {
  const { app, page } = await start();
  expect(await raw(page, 'library.list', null)).toMatchObject({ ok: true });
  expect(await askFromElsewhere(app, 'data:text/html,<p>elsewhere</p>')).toMatchObject({
    ok: false,
    failure: { code: 'bridge.foreign-frame' },
  });
  expect(await raw(page, 'files.delete', null)).toMatchObject({ failure: { code: 'bridge.unknown-request' } });
  expect(await raw(page, 'constructor', null)).toMatchObject({ failure: { code: 'bridge.unknown-request' } });
  expect(await raw(page, 'runs.get', { id: 7 })).toMatchObject({ failure: { code: 'bridge.invalid' } });
  expect(await raw(page, 'app.open-link', { link: 'https://example.org' })).toMatchObject({
    failure: { code: 'bridge.invalid' },
  });
});

test('a path that nobody chose is refused, wherever a recipe names it', async ({ start }) => {
  const { page } = await start();
  const recipe = await tinyRecipe(page);
  const named = [
    { ...recipe, model: '/etc' },
    { ...recipe, model: `${recipe.model}/../../..` },
    { ...recipe, calibration: { corpus: { kind: 'texts' as const, paths: ['/etc/passwd'] } } },
    { ...recipe, sparsity: null, scheduler: { kind: 'file' as const, path: '/etc/passwd' } },
  ];
  for (const each of named) {
    await expect(ask(page, 'plans.make', { recipe: each })).rejects.toMatchObject({ code: 'path.not-granted' });
    await expect(ask(page, 'runs.start', { name: '', recipes: [each] })).rejects.toMatchObject({
      code: 'path.not-granted',
    });
  }
  await expect(ask(page, 'library.add', { paths: ['/etc'] })).rejects.toMatchObject({ code: 'path.not-granted' });
});

test('the page is sandboxed and isolated, cannot leave, and has no permission', async ({ start }) => {
  const { app, page } = await start();
  const preferences = await app.evaluate(({ BrowserWindow }) => {
    const contents = BrowserWindow.getAllWindows()[0]?.webContents as unknown as {
      getLastWebPreferences: () => Record<string, unknown>;
    };
    return contents.getLastWebPreferences();
  });
  expect(preferences).toMatchObject({
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    experimentalFeatures: false,
    webviewTag: false,
  });
  const inPage = await page.evaluate(async () => {
    const window = globalThis as Window;
    return {
      address: location.href,
      node: [typeof window.require, typeof window.process, typeof window.module],
      bridge: Object.keys(window.tamis).sort(),
      opened: open('https://example.org') === null,
      notification: await Notification.requestPermission(),
      policy: (await fetch('tamis://app/index.html')).headers.get('content-security-policy') ?? '',
    };
  });
  expect(inPage).toMatchObject({
    node: ['undefined', 'undefined', 'undefined'],
    bridge: ['drop', 'invoke', 'on'],
    opened: true,
    notification: 'denied',
  });
  const directives = new Map(inPage.policy.split('; ').map((each) => [each.split(' ')[0], each.split(' ').slice(1)]));
  expect(directives.get('default-src')).toEqual(["'none'"]);
  expect(directives.get('script-src')).toEqual(["'self'"]);
  const outside = await app.evaluate(async ({ session }) => {
    const addresses = ['tamis://app/..%2fmain%2findex.js', 'tamis://other/index.html', 'tamis://app/../main/index.js'];
    return await Promise.all(addresses.map(async (url) => (await session.defaultSession.fetch(url)).status));
  });
  expect(outside).toEqual([404, 404, 404]);
  await page.evaluate(() => location.assign('https://example.org/'));
  await page.waitForTimeout(300);
  expect(page.url()).toBe(inPage.address);
  expect(app.windows()).toHaveLength(1);
});
