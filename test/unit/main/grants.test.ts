import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { parseRecipe, type Recipe } from '../../../src/contract/recipe.ts';
import { Grants } from '../../../src/main/grants.ts';

let folder: string;
let grants: Grants;
const at = (...parts: string[]): string => join(folder, ...parts);

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'tamis-grants-')));
  for (const name of ['chosen', 'chosen/inside', 'other']) mkdirSync(at(name));
  for (const name of ['chosen/a.txt', 'chosen/inside/b.txt', 'other/secret.txt', 'chosen-too.txt'])
    writeFileSync(at(name), '');
  grants = new Grants();
});
afterEach(() => rmSync(folder, { recursive: true }));

function isGranted(path: string): boolean {
  try {
    grants.assertPath(path);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'path.not-granted', params: { path } });
    return false;
  }
}

describe('paths', () => {
  test('nothing is granted at first', () => {
    for (const path of [folder, at('chosen'), '/', '/etc/passwd', '', '.', 'chosen'])
      expect(isGranted(path)).toBe(false);
  });

  test('a chosen folder and what is in it, and nothing beside or above it', () => {
    grants.allow([at('chosen')]);
    for (const path of [
      'chosen',
      'chosen/',
      'chosen/a.txt',
      'chosen/inside/b.txt',
      'chosen/not-there.txt',
      'chosen/no/such/file',
    ])
      expect([path, isGranted(`${folder}/${path}`)]).toEqual([path, true]);
    for (const path of [
      '',
      'other',
      'other/secret.txt',
      'chosen-too.txt',
      'chosen/../other/secret.txt',
      'chosen/inside/../../other',
    ])
      expect([path, isGranted(`${folder}/${path}`)]).toEqual([path, false]);
  });

  test('a chosen file and no other', () => {
    grants.allow([at('chosen', 'a.txt')]);
    expect(isGranted(at('chosen', 'a.txt'))).toBe(true);
    expect(isGranted(at('chosen'))).toBe(false);
    expect(isGranted(at('chosen', 'inside', 'b.txt'))).toBe(false);
  });

  test('a link counts as what it leads to, wherever on the way it is', () => {
    grants.allow([at('chosen')]);
    symlinkSync(at('other'), at('chosen', 'way-out'));
    symlinkSync(at('other', 'secret.txt'), at('chosen', 'innocent.txt'));
    symlinkSync(at('chosen'), at('other', 'way-in'));
    expect(isGranted(at('chosen', 'way-out'))).toBe(false);
    expect(isGranted(at('chosen', 'way-out', 'secret.txt'))).toBe(false);
    expect(isGranted(at('chosen', 'way-out', 'not-there.txt'))).toBe(false);
    expect(isGranted(at('chosen', 'innocent.txt'))).toBe(false);
    expect(isGranted(at('other', 'way-in', 'a.txt'))).toBe(true);
  });

  test('a link that was chosen grants what it led to, by either name', () => {
    symlinkSync(at('chosen'), at('link'));
    grants.allow([at('link')]);
    expect(isGranted(at('link', 'a.txt'))).toBe(true);
    expect(isGranted(at('chosen', 'a.txt'))).toBe(true);
    rmSync(at('link'));
    symlinkSync(at('other'), at('link'));
    expect(isGranted(at('link', 'secret.txt'))).toBe(false);
  });
});

describe('recipes', () => {
  const recipe = (): Recipe =>
    parseRecipe({
      model: at('model'),
      calibration: { corpus: { kind: 'texts', paths: [at('c1'), at('c2')] } },
      evaluation: {
        datasets: [
          { name: 'texts', corpus: { kind: 'texts', paths: [at('e1'), at('e2')] } },
          { name: 'tokens', corpus: { kind: 'tokens', path: at('e3') } },
        ],
      },
      scheduler: { kind: 'file', path: at('s') },
    });
  const names = ['model', 'c1', 'c2', 'e1', 'e2', 'e3', 's'];

  test.each(names)('every path must be granted: %s', (name) => {
    grants.allow(names.filter((other) => other !== name).map((other) => at(other)));
    expect(() => grants.assertRecipe(recipe())).toThrow(
      expect.objectContaining({ code: 'path.not-granted', params: { path: at(name) } }) as Error,
    );
    grants.allow([at(name)]);
    expect(() => grants.assertRecipe(recipe())).not.toThrow();
  });

  test('what a kept recipe names may be named again', () => {
    grants.allowRecipe(recipe());
    expect(() => grants.assertRecipe(recipe())).not.toThrow();
    expect(() => grants.assertRecipe({ ...recipe(), model: at('other') })).toThrow('path.not-granted');
  });

  test('the least recipe', () => {
    grants.allow([at('model')]);
    expect(() => grants.assertRecipe({ model: at('model') })).not.toThrow();
  });
});
