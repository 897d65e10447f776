import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { TamisError } from '../../src/contract/errors.ts';
import { message } from '../../src/contract/messages/index.ts';
import type { MessageParams } from '../../src/contract/messages/params.ts';
import { openTexts, type Texts } from '../../src/worker/texts/texts.ts';
import { demoTexts, namesIn } from '../fixtures/demo-texts.ts';

const fixtures = fileURLToPath(new URL('../fixtures/texts/', import.meta.url));
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-texts-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function all(texts: Texts): Promise<string[]> {
  return await Promise.all(Array.from({ length: texts.documents }, (_, i) => texts.read(i)));
}

async function documents(...paths: string[]): Promise<string[]> {
  return await all(await openTexts(paths));
}

async function refusal(...paths: string[]): Promise<{ code: string; params: MessageParams }> {
  try {
    await documents(...paths);
  } catch (error) {
    if (!(error instanceof TamisError)) throw error;
    const sentence = message(error.code, error.params, 'en');
    expect(sentence).not.toContain('{{');
    expect(message(error.code, error.params, 'zh-TW')).not.toContain('{{');
    return { code: error.code, params: error.params };
  }
  throw new Error('not refused');
}

describe('texts', () => {
  it('reads a .txt file as one document, without its byte order mark', async () => {
    expect(await documents(write('a.txt', '\ufeffone\r\ntwo\n'))).toEqual(['one\r\ntwo\n']);
  });

  it('reads a .jsonl file as a document a line, blank lines left out', async () => {
    const path = write('a.jsonl', '{"text": "é\\n2", "id": 1}\n\n  \r\n{"text":""}\r\n{"text":"last"}');
    expect(await documents(path)).toEqual(['é\n2', '', 'last']);
  });

  it('reads any lines of any length back from a .jsonl file', async () => {
    const texts = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constant('x'.repeat(700_000))), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(texts, async (rows) => {
        const path = write('any.jsonl', rows.map((text) => `${JSON.stringify({ text })}\n`).join(''));
        expect(await documents(path)).toEqual(rows);
      }),
      { numRuns: 50 },
    );
  });

  it.each(['snappy', 'zstd', 'gzip', 'brotli'])(
    'reads the text column of a .parquet file (%s) across row groups',
    async (codec) => {
      const rows = ['', ' = Title = \n', 'naïve café — 北京 🚀', 'line one\nline two'];
      expect(await documents(join(fixtures, `rows-${codec}.parquet`))).toEqual([...rows, ...rows, ...rows]);
    },
  );

  it('reads the files of a folder sorted by name and leaves other files and subfolders out', async () => {
    const here = join(folder, 'mixed');
    mkdirSync(join(here, 'sub.txt'), { recursive: true });
    writeFileSync(join(here, 'b.txt'), 'b');
    writeFileSync(join(here, 'a.jsonl'), '{"text":"a1"}\n{"text":"a2"}\n');
    writeFileSync(join(here, 'C.TXT'), 'C');
    writeFileSync(join(here, 'notes.json'), '{}');
    writeFileSync(join(here, 'sub.txt', 'hidden.txt'), 'hidden');
    expect(await documents(here)).toEqual(['C', 'a1', 'a2', 'b']);
    expect(await documents(join(here, 'b.txt'), here)).toEqual(['b', 'C', 'a1', 'a2', 'b']);
  });
});

describe('texts that can’t be read', () => {
  it('a path that is not there', async () => {
    expect(await refusal(join(folder, 'none.txt'))).toEqual({
      code: 'texts.not-found',
      params: { path: join(folder, 'none.txt') },
    });
  });
  it('a path through a file', async () => {
    const path = join(write('plain.txt', 'a'), 'b.txt');
    expect(await refusal(path)).toEqual({ code: 'texts.unreadable', params: { path, reason: 'ENOTDIR' } });
  });
  it('a single text of more than 128 MiB', async () => {
    const path = write('large.txt', '');
    truncateSync(path, 128 * 2 ** 20 + 1);
    expect(await refusal(path)).toEqual({ code: 'texts.too-large', params: { path, megabytes: 128 } });
  });
  it('another extension', async () => {
    const path = write('a.csv', 'text\na');
    expect(await refusal(path)).toEqual({ code: 'texts.extension', params: { path } });
  });
  it('a folder without texts', async () => {
    const path = join(folder, 'empty');
    mkdirSync(path);
    expect(await refusal(path)).toEqual({ code: 'texts.none-in-folder', params: { path } });
  });
  it.each(['empty.txt', 'empty.jsonl'])('%s', async (name) => {
    const path = write(name, '');
    expect(await refusal(path)).toEqual({ code: 'texts.empty-file', params: { path } });
  });
  it('a .txt file that is not UTF-8, by line', async () => {
    const path = write('latin1.txt', Buffer.from('one\ntwo\nthr\xe9e\nfour\n', 'latin1'));
    expect(await refusal(path)).toEqual({ code: 'texts.not-utf8', params: { path, line: 3 } });
  });
  it('a .jsonl file that is not UTF-8, by line', async () => {
    const path = write('latin1.jsonl', Buffer.from('{"text":"a"}\n{"text":"\xe9"}\n', 'latin1'));
    expect(await refusal(path)).toEqual({ code: 'texts.not-utf8', params: { path, line: 2 } });
  });
  it('a line that is not JSON', async () => {
    const path = write('bad.jsonl', '{"text":"a"}\n\n{"text":\n');
    expect(await refusal(path)).toEqual({ code: 'texts.not-json', params: { path, line: 3 } });
  });
  it.each([['{"body":"a"}'], ['{"text":1}'], ['null'], ['"text"'], ['[1]']])('the line %s', async (line) => {
    const path = write('field.jsonl', `{"text":"a"}\n${line}\n`);
    expect(await refusal(path)).toEqual({ code: 'texts.no-text-field', params: { path, line: 2 } });
  });
  it('a .parquet file without the column', async () => {
    const path = join(fixtures, 'no-text-column.parquet');
    expect(await refusal(path)).toEqual({ code: 'texts.no-column', params: { path, columns: 'id, body' } });
  });
  it('a .parquet file whose column holds numbers', async () => {
    const path = join(fixtures, 'numbers.parquet');
    expect(await refusal(path)).toEqual({ code: 'texts.no-column', params: { path, columns: 'text' } });
  });
  it('a row without a text', async () => {
    const path = join(fixtures, 'null-row.parquet');
    expect(await refusal(path)).toEqual({ code: 'texts.no-text-row', params: { path, row: 2 } });
  });
  it('a file that is only called .parquet', async () => {
    const path = write('fake.parquet', 'not parquet at all');
    expect(await refusal(path)).toMatchObject({ code: 'texts.bad-parquet', params: { path } });
  });
});

describe('demo texts', () => {
  it('splits addresses at 2002 and chapters at 111, in order', () => {
    const [seen, unseen] = [namesIn(demoTexts.calibration), namesIn(demoTexts.evaluation)];
    expect(seen[0]).toBe('address-1790_george_washington_n.txt');
    expect(seen.at(-111)).toBe('address-2001_george_w_bush_r.txt');
    expect(unseen[0]).toBe('address-2002_george_w_bush_r.txt');
    expect(seen.slice(-110)).toEqual(
      Array.from({ length: 110 }, (_, i) => `chapter-${String(i + 1).padStart(3, '0')}.txt`),
    );
    expect(unseen.slice(-25)).toEqual(Array.from({ length: 25 }, (_, i) => `chapter-${i + 111}.txt`));
    expect(seen.filter((name) => unseen.includes(name))).toEqual([]);
  });

  it('are all text', async () => {
    const texts = await all(await openTexts([demoTexts.calibration, demoTexts.evaluation]));
    expect(Math.min(...texts.map((text) => text.length))).toBeGreaterThan(100);
  });
});
