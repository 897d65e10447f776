import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import ts from 'typescript';
import { describe, expect, test } from 'vitest';

import { en } from '../../src/contract/messages/en.ts';
import { words } from '../../src/contract/messages/labels.ts';
import { zhTW } from '../../src/contract/messages/zh-TW.ts';

const root = join(import.meta.dirname, '../..');

/** A code where it is used, with the names of the params given there; null where they are not written out. */
interface Use {
  readonly where: string;
  readonly code: string;
  readonly params: readonly string[] | null;
}

function filesUnder(folder: string, ending: RegExp): string[] {
  const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Every text in the TypeScript sources (`run.changed-${part}` as `run.changed-*`), and every error and warning made there. */
function readTypeScript(): { texts: Set<string>; uses: Use[] } {
  const texts = new Set<string>();
  const uses: Use[] = [];
  for (const file of filesUnder('src', /\.tsx?$/)) {
    if (file.includes(join('contract', 'messages'))) continue;
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteralLike(node)) texts.add(node.text);
      if (ts.isTemplateExpression(node)) texts.add(`${node.head.text}*`);
      if (ts.isNewExpression(node) && node.expression.getText() === 'TamisError') {
        const [code, params] = node.arguments ?? [];
        if (code && ts.isStringLiteralLike(code))
          uses.push({ where: relative(root, file), code: code.text, params: params ? names(params) : [] });
      }
      if (ts.isObjectLiteralExpression(node)) {
        const [code, params] = [property(node, 'code'), property(node, 'params')];
        if (code && params && ts.isStringLiteralLike(code))
          uses.push({ where: relative(root, file), code: code.text, params: names(params) });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return { texts, uses };
}

function property(object: ts.ObjectLiteralExpression, name: string): ts.Expression | undefined {
  return object.properties.filter(ts.isPropertyAssignment).find((entry) => entry.name.getText() === name)?.initializer;
}

function names(expression: ts.Expression): string[] | null {
  if (!ts.isObjectLiteralExpression(expression) || expression.properties.some(ts.isSpreadAssignment)) return null;
  return expression.properties.map((entry) => entry.name?.getText() ?? '');
}

/** The variants of the native core's error type: serde writes their fields as the params. */
function readRust(): Use[] {
  const source = readFileSync(join(root, 'native/src/error.rs'), 'utf8');
  const variants = source.matchAll(/#\[serde\(rename = "([\w.-]+)"\)\]\s*\w+\s*\{([^}]*)\}/g);
  return [...variants].map(([, code = '', fields = '']) => {
    return {
      where: 'native/src/error.rs',
      code,
      params: [...fields.matchAll(/(\w+):/g)].map((field) => field[1] ?? ''),
    };
  });
}

const placeholders = (text: string): string[] =>
  [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? '').sort();
const { texts, uses } = readTypeScript();
const native = readRust();
const isUsed = (key: string): boolean =>
  texts.has(key) ||
  [...texts].some(
    (text) => text.endsWith('*') && text.length > 4 && text.includes('.') && key.startsWith(text.slice(0, -1)),
  );

describe.each([
  ['sentences', en, zhTW],
  ['labels', words.en, words['zh-TW']],
] as [string, Record<string, string>, Record<string, string>][])('%s', (_, english, chinese) => {
  test('both languages have the same codes and the same params in each', () => {
    expect(Object.keys(chinese).sort()).toEqual(Object.keys(english).sort());
    const params = (text = ''): string => [...new Set(placeholders(text))].join();
    const differing = Object.keys(english).filter((code) => params(english[code]) !== params(chinese[code]));
    expect(differing).toEqual([]);
  });

  test('nothing is left in that no source uses', () => {
    const codes = new Set(native.map((use) => use.code));
    expect(Object.keys(english).filter((code) => !isUsed(code) && !codes.has(code))).toEqual([]);
  });

  test('Chinese is written in Chinese', () => {
    const same = Object.keys(english).filter(
      (code) => english[code] === chinese[code] && /[a-z]{3}/.test(english[code] ?? ''),
    );
    expect(same).toEqual([]);
    const simplified = Object.values(chinese).filter((text) =>
      /[层张数据计个档标误应执错类没这为请读写载维开]/.test(text),
    );
    expect(simplified).toEqual([]);
  });
});

describe('sentences', () => {
  const catalogue: Record<string, string> = en;

  test('the sources were read', () => {
    expect(uses.length).toBeGreaterThan(40);
    expect(native.length).toBeGreaterThan(20);
  });

  test('every code used has its sentence', () => {
    expect(
      [...uses, ...native].filter(({ code }) => !(code in catalogue)).map(({ where, code }) => `${code} in ${where}`),
    ).toEqual([]);
  });

  test('every error brings the params of its sentence', () => {
    // Cancelling is reported with the run's path by the engine, whoever noticed it.
    const wanting = [...uses, ...native].filter(({ code, params }) => {
      return (
        code !== 'cancelled' &&
        params !== null &&
        placeholders(catalogue[code] ?? '').some((name) => !params.includes(name))
      );
    });
    expect(wanting.map(({ where, code }) => `${code} in ${where}`)).toEqual([]);
  });

  test('each ends as a sentence or with a command to type', () => {
    const open = Object.values(en).filter((text) => !/\.$|: (tamis|git) [^.]+$/.test(text));
    const openChinese = Object.values(zhTW).filter((text) => !/。$|：(tamis|git) [^。]+$/.test(text));
    expect([...open, ...openChinese]).toEqual([]);
  });
});
