import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { SettingsFile } from '../../../src/main/settings.ts';

const defaults = {
  language: 'system',
  theme: 'system',
  threads: null,
  memory: null,
  device: 'auto',
  gpu: 'auto',
  runsFolder: null,
  modelsFolder: null,
  hubEndpoint: null,
};

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-settings-'));
  path = join(folder, 'settings.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const stored = (): unknown => JSON.parse(readFileSync(path, 'utf8'));

test('without a file they are the defaults, and nothing is written', async () => {
  const { file, notices } = await SettingsFile.open(path);
  expect(file.value).toEqual(defaults);
  expect(notices).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});

test('what is set stays set', async () => {
  const { file } = await SettingsFile.open(path);
  expect(await file.set({ theme: 'dark', threads: 4 })).toEqual({ ...defaults, theme: 'dark', threads: 4 });
  expect(await file.set({ threads: null })).toEqual({ ...defaults, theme: 'dark' });
  expect((await SettingsFile.open(path)).file.value).toEqual(file.value);
  expect(readdirSync(folder)).toEqual(['settings.json']);
});

test('two changes at once are both kept', async () => {
  const { file } = await SettingsFile.open(path);
  await Promise.all([file.set({ theme: 'dark' }), file.set({ language: 'zh-TW' }), file.set({ device: 'cpu' })]);
  expect(file.value).toEqual({ ...defaults, theme: 'dark', language: 'zh-TW', device: 'cpu' });
  expect((await SettingsFile.open(path)).file.value).toEqual(file.value);
});

test('what a newer version set is kept, and not believed', async () => {
  const newer = { theme: 'sepia', hub: { token: 'x' }, language: 'zh-TW' };
  writeFileSync(path, JSON.stringify(newer));
  const { file, notices } = await SettingsFile.open(path);
  expect(file.value).toEqual({ ...defaults, language: 'zh-TW' });
  expect(notices).toEqual([]);
  await file.set({ threads: 2 });
  expect(stored()).toEqual({ ...newer, threads: 2 });
  await file.set({ theme: 'light' });
  expect(stored()).toEqual({ ...newer, threads: 2, theme: 'light' });
});

test.each(['{"theme": "dar', '[]', '', 'null'])('a damaged file (%j) is kept aside, and it is said', async (text) => {
  writeFileSync(path, text);
  const { file, notices } = await SettingsFile.open(path);
  expect(file.value).toEqual(defaults);
  const [aside = ''] = readdirSync(folder);
  expect(aside).toMatch(/^settings\.damaged-.*\.json$/);
  expect(readFileSync(join(folder, aside), 'utf8')).toBe(text);
  expect(notices).toEqual([
    { kind: 'warning', code: 'settings.damaged', params: { path, aside: join(folder, aside) } },
  ]);
  await file.set({ theme: 'dark' });
  expect((await SettingsFile.open(path)).notices).toEqual([]);
});

test('a folder that takes no file: the error names it, and what was set before holds', async () => {
  const { file } = await SettingsFile.open(join(folder, 'gone', 'settings.json'));
  await expect(file.set({ theme: 'dark' })).rejects.toMatchObject({ code: 'file.not-writable' });
  expect(file.value).toEqual(defaults);
});
