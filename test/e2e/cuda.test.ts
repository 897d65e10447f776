import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { expect } from 'vitest';

import { test } from './application.ts';
import { ask } from './ask.ts';

const runtime = join(
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  'bin/napi-v6/linux/x64/libonnxruntime.so.1',
);

test.runIf(process.platform === 'linux' && process.arch === 'x64')(
  "the CUDA provider is fetched after asking, into the data folder, from which the engine's processes then load onnxruntime",
  async ({ start }) => {
    // No proxy listens there: onnxruntime-node's script fails at once, wherever the test runs.
    const { page } = await start({ environment: { GLOBAL_AGENT_HTTPS_PROXY: 'http://127.0.0.1:9' } });
    const codes = async (): Promise<string[]> => (await ask(page, 'devices.cuda', null)).lacks.map(({ code }) => code);
    expect(await codes()).toContain('cuda.no-provider');
    const { folder } = await ask(page, 'devices.cuda', null);

    await page.evaluate(() => (location.hash = '/settings'));
    await page.getByRole('button', { name: 'Test devices' }).click();
    await page.getByRole('button', { name: 'Fetch the CUDA provider' }).click();
    const dialog = page.getByRole('dialog');
    expect(await dialog.innerText()).toContain(folder);
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'hidden' });
    expect(() => readdirSync(folder)).toThrow('ENOENT');

    await page.getByRole('button', { name: 'Fetch the CUDA provider' }).click();
    await dialog.getByRole('button', { name: 'Fetch' }).click();
    const refusal = page.getByRole('alert').filter({ hasText: 'The CUDA provider was not fetched' });
    expect(await refusal.innerText()).toContain('ECONNREFUSED');
    expect(readdirSync(folder)).toEqual([]);

    // What a fetch leaves there.
    mkdirSync(folder, { recursive: true });
    copyFileSync(runtime, join(folder, 'libonnxruntime.so.1'));
    for (const name of ['shared', 'cuda']) writeFileSync(join(folder, `libonnxruntime_providers_${name}.so`), '');
    expect(await codes()).not.toContain('cuda.no-provider');
  },
);
