import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { afterAll, describe, expect, it, test } from 'vitest';

import { openTokenizer } from '../../src/worker/texts/tokenizer.ts';
import { expectedIds, nastyStrings, tokenizerFolder, tokenizerJson, tokenizerNames } from '../fixtures/tokenizers.ts';

const folders: string[] = [];
function folder(files: Record<string, unknown>): string {
  const path = mkdtempSync(join(tmpdir(), 'tamis-families-'));
  folders.push(path);
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}
afterAll(() => folders.forEach((path) => rmSync(path, { recursive: true })));

/** Ids of the strings, with the string in front, so that a difference is seen whole. */
async function ours(path: string): Promise<unknown[]> {
  const tokenizer = await openTokenizer(path);
  return nastyStrings.map((text) => [text, ...tokenizer.encode(text)]);
}

test('the strings are a thousand, and each family’s tokenizer knows other ids', () => {
  expect(new Set(nastyStrings).size).toBe(1000);
  expect(new Set(tokenizerNames.map((name) => JSON.stringify(expectedIds(name)))).size).toBe(tokenizerNames.length);
  expect(tokenizerNames.length).toBeGreaterThanOrEqual(13);
});

test.each(tokenizerNames)('%s gives the ids of the tokenizers package', async (name) => {
  const ids = expectedIds(name);
  expect(await ours(tokenizerFolder(name))).toEqual(nastyStrings.map((text, i) => [text, ...(ids[i] ?? [])]));
});

describe('parts that a tokenizer.json can say otherwise', () => {
  const metaspace = { type: 'Metaspace', replacement: '▁' };
  const special = { id: 2, content: '</s>', single_word: false, normalized: false, special: true };

  /** A token of a letter and the space behind it, before all others. */
  const { model } = tokenizerJson('llama2') as { model: { vocab: Record<string, number>; merges: unknown[] } };
  const vocab = { ...model.vocab, 'e▁': Object.keys(model.vocab).length };
  const reaching = { ...model, vocab, merges: [['e', '▁'], ...model.merges] };

  const lines = ['#version: 0.2', ...reaching.merges.slice(1).map((merge) => (merge as [string, string]).join(' '))];

  /** Without control characters, and without bytes that begin letters and stand in them. */
  const lacking = ['\u0104', '\u0106', 'Ð', 'Ã', '©', '±', '\u0122'];
  const { model: byteLevel } = tokenizerJson('smollm2') as { model: { vocab: object; merges: [string, string][] } };
  const isSayable = (token: string): boolean => !lacking.some((character) => token.includes(character));
  const lessVocab = Object.fromEntries(Object.entries(byteLevel.vocab).filter(([token]) => isSayable(token)));
  const lessMerges = byteLevel.merges.filter((pair) => pair.every(isSayable));

  it.each([
    ['bytes without a token', 'smollm2', { model: { ...byteLevel, vocab: lessVocab, merges: lessMerges } }],
    ['a merge that reaches over the end of a word', 'llama2', { model: reaching }],
    ['merges as lines, with the version of merges.txt', 'llama2', { model: { ...model, merges: lines } }],
    ['Metaspace that cuts words', 'mistral', { pre_tokenizer: { ...metaspace, prepend_scheme: 'first', split: true } }],
    ['Metaspace without a word on cutting', 'mistral', { pre_tokenizer: { ...metaspace, prepend_scheme: 'always' } }],
    ['Metaspace of old', 'mistral', { pre_tokenizer: { ...metaspace, add_prefix_space: true } }],
    ['Metaspace without a space in front', 'mistral', { pre_tokenizer: { ...metaspace, prepend_scheme: 'never' } }],
    ['a token that takes the space before it', 'opt', { added_tokens: [{ ...special, lstrip: true, rstrip: false }] }],
    ['a token that takes the space behind it', 'opt', { added_tokens: [{ ...special, lstrip: false, rstrip: true }] }],
    [
      'a token of text that is normalized',
      'llama2',
      { added_tokens: [{ ...special, lstrip: true, rstrip: true, normalized: true }] },
    ],
    [
      'a space in front',
      'gpt2',
      { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true } },
    ],
    [
      'groups that ignore case, with a class in them',
      'llama3',
      {
        pre_tokenizer: {
          type: 'Sequence',
          pretokenizers: [
            {
              type: 'Split',
              pattern: { Regex: String.raw`'(?i:[sdmtk]|ll|ve|re)|\p{L}+|\s+` },
              behavior: 'Isolated',
              invert: false,
            },
            { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
          ],
        },
      },
    ],
    [
      'digits together',
      'smollm2',
      {
        pre_tokenizer: {
          type: 'Sequence',
          pretokenizers: [
            { type: 'Digits', individual_digits: false },
            { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
          ],
        },
      },
    ],
  ])('%s', async (_, name, changes) => {
    const definition = { ...tokenizerJson(name), ...changes };
    const oracle = NativeTokenizer.fromString(JSON.stringify(definition));
    const theirs = await Promise.all(nastyStrings.map(async (text) => [text, ...(await oracle.encode(text)).getIds()]));
    expect(await ours(folder({ 'tokenizer.json': definition }))).toEqual(theirs);
  });
});

test('a token may have the name of what every object of JavaScript has', async () => {
  const llama = tokenizerJson('llama2') as { model: { vocab: Record<string, number>; merges: [string, string][] } };
  const merges: [string, string][] = [
    ['_', '_'],
    ['p', 'r'],
    ['pr', 'o'],
    ['t', 'o'],
    ['pro', 'to'],
    ['__', 'proto'],
    ['__proto', '__'],
  ];
  const tokens = new Set([...Object.keys(llama.model.vocab), '_', ...merges.map((pair) => pair.join(''))]);
  const vocab = Object.fromEntries([...tokens].map((token, id) => [token, id]));
  expect(Object.keys(vocab)).toContain('__proto__');
  const definition = { ...llama, model: { ...llama.model, vocab, merges: [...merges, ...llama.model.merges] } };
  const oracle = NativeTokenizer.fromString(JSON.stringify(definition));
  const theirs = (await oracle.encode('a __proto__ b')).getIds();
  expect(theirs).toContain(vocab['__proto__']);
  const tokenizer = await openTokenizer(folder({ 'tokenizer.json': definition }));
  expect([...tokenizer.encode('a __proto__ b')]).toEqual(theirs);
});

describe('a folder with vocab.json and merges.txt alone', () => {
  const { model } = tokenizerJson('gpt2') as { model: { vocab: Record<string, number>; merges: [string, string][] } };
  const files = {
    'vocab.json': { ...model.vocab, '<|endoftext|>': 520 },
    'merges.txt': `#version: 0.2\n${model.merges.map((pair) => pair.join(' ')).join('\n')}\n`,
  };
  const ids = expectedIds('gpt2');

  it('of GPT-2 puts nothing in front', async () => {
    expect(await ours(folder(files))).toEqual(nastyStrings.map((text, i) => [text, ...(ids[i] ?? [])]));
  });

  it('of GPT-2 puts its token in front where tokenizer_config.json says so', async () => {
    expect(await ours(folder({ ...files, 'tokenizer_config.json': { add_bos_token: true } }))).toEqual(
      nastyStrings.map((text, i) => [text, 520, ...(ids[i] ?? [])]),
    );
  });

  it('of OPT puts its token in front, unless tokenizer_config.json says otherwise', async () => {
    const opt = tokenizerJson('opt') as { model: typeof model; added_tokens: object[] };
    const ofOpt = { 'vocab.json': opt.model.vocab, 'merges.txt': files['merges.txt'] };
    // Of its special tokens these two files name two.
    const definition = { ...opt, added_tokens: opt.added_tokens.slice(1, 3) };
    const oracle = NativeTokenizer.fromString(JSON.stringify(definition));
    const theirs = await Promise.all(nastyStrings.map(async (text) => [text, ...(await oracle.encode(text)).getIds()]));
    expect(await ours(folder(ofOpt))).toEqual(theirs);
    expect(await ours(folder({ ...ofOpt, 'tokenizer_config.json': { add_bos_token: false } }))).toEqual(
      theirs.map(([text, , ...rest]) => [text, ...rest]),
    );
  });
});

test('tokenizer_config.json changes nothing where there is a tokenizer.json, as in transformers', async () => {
  const path = folder({
    'tokenizer.json': tokenizerJson('llama2'),
    'tokenizer_config.json': { add_bos_token: false, remove_space: true },
  });
  expect([...(await openTokenizer(path)).encode(' a  b ')]).toEqual([
    ...(await openTokenizer(tokenizerFolder('llama2'))).encode(' a  b '),
  ]);
});

describe('is refused by name', () => {
  const llama = tokenizerJson('llama2') as {
    model: Record<string, unknown> & { vocab: Record<string, number>; merges: [string, string][] };
  };
  const special = { SpecialToken: { id: '<s>', type_id: 0 } };
  const text = { Sequence: { id: 'A', type_id: 0 } };
  const template = (single: unknown, id = 1): object => ({
    type: 'TemplateProcessing',
    single,
    pair: [],
    special_tokens: { '<s>': { id: '<s>', ids: [id], tokens: ['<s>'] } },
  });
  const sequence = (...processors: object[]): object => ({ type: 'Sequence', processors });
  const merging = (merges: unknown[]): object => ({ model: { ...llama.model, merges } });
  const lines = llama.model.merges.map((merge) => merge.join(' '));
  const { '<0x41>': _, ...lacking } = llama.model.vocab;

  it.each([
    ['another model', { model: { type: 'Unigram', vocab: [['a', 0]] } }, 'model'],
    ['dropout', { model: { ...llama.model, dropout: 0.1 } }, 'model'],
    ['a byte without a token', { model: { ...llama.model, vocab: lacking } }, 'model'],
    ['characters without a token', { model: { ...llama.model, byte_fallback: false } }, 'model'],
    ['another normalizer', { normalizer: { type: 'Lowercase' } }, 'normalizer'],
    [
      'a normalizer inside a sequence',
      { normalizer: { type: 'Sequence', normalizers: [{ type: 'StripAccents' }] } },
      'normalizer',
    ],
    ['another way to cut', { pre_tokenizer: { type: 'Punctuation', behavior: 'Isolated' } }, 'pre_tokenizer'],
    [
      'parts that stick to what is before',
      { pre_tokenizer: { type: 'Split', pattern: { Regex: '\\d' }, behavior: 'MergedWithPrevious' } },
      'pre_tokenizer',
    ],
    [
      'spaces cut while they are there',
      { normalizer: null, pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious' } },
      'pre_tokenizer',
    ],
    [
      'tokens that are whole words only',
      { added_tokens: [{ id: 2, content: '</s>', single_word: true }] },
      'added_tokens',
    ],
    ['another frame', { post_processor: { type: 'BertProcessing', sep: ['a', 0], cls: ['b', 1] } }, 'post_processor'],
    ['a frame with another id than the vocabulary', { post_processor: template([special, text], 7) }, 'post_processor'],
    ['a frame without the text', { post_processor: template([special]) }, 'post_processor'],
    ['a frame with the text twice', { post_processor: template([text, text]) }, 'post_processor'],
    ['a frame with a second text', { post_processor: template([text, { Sequence: { id: 'B' } }]) }, 'post_processor'],
    [
      'a frame with a token that has no id',
      { post_processor: template([{ SpecialToken: { id: '</s>', type_id: 0 } }, text]) },
      'post_processor',
    ],
    ['a frame as a string', { post_processor: template('<s> $A') }, 'post_processor'],
    [
      'a frame around a frame',
      { post_processor: sequence(template([special, text]), template([text, special])) },
      'post_processor',
    ],
    ['a sequence of nothing that is listed', { post_processor: { type: 'Sequence' } }, 'post_processor'],
    ['a sequence of normalizers that is no list', { normalizer: { type: 'Sequence', normalizers: 7 } }, 'normalizer'],
  ])('%s', async (_, changes, part) => {
    const path = folder({ 'tokenizer.json': { ...llama, ...changes } });
    await expect(openTokenizer(path)).rejects.toMatchObject({
      code: 'tokenizer.unsupported',
      params: { path: join(path, 'tokenizer.json'), part: expect.stringMatching(`^${part} `) as string },
    });
  });

  it.each([
    ['of a token that is not in the vocabulary', [...llama.model.merges, ['x', 'qqqq']], ['x', 'qqqq']],
    ['that makes a token which is not in the vocabulary', [...llama.model.merges, ['th', 'th']], ['th', 'th']],
    ['of three tokens', [...llama.model.merges, ['t', 'h', 'e']], ['t', 'h', 'e']],
    ['of one token', [...llama.model.merges, ['th']], ['th']],
    ['of three tokens in a line', [...lines, 't h e'], ['t', 'h', 'e']],
    ['of one token in a line', [...lines, 'th'], ['th']],
    ['as a line among pairs', [...llama.model.merges, 't h'], 't h'],
  ])('a merge %s, as by the tokenizers package', async (_, merges, merge) => {
    const definition = { ...llama, ...merging(merges) };
    expect(() => NativeTokenizer.fromString(JSON.stringify(definition))).toThrow();
    const path = folder({ 'tokenizer.json': definition });
    await expect(openTokenizer(path)).rejects.toMatchObject({
      code: 'tokenizer.unsupported',
      params: { path: join(path, 'tokenizer.json'), part: `model ${JSON.stringify({ merges: [merge] })}` },
    });
  });

  it('a SentencePiece model alone', async () => {
    const path = folder({ 'tokenizer.model': 'bytes' });
    await expect(openTokenizer(path)).rejects.toMatchObject({
      code: 'tokenizer.sentencepiece',
      params: { path: join(path, 'tokenizer.model') },
    });
  });
});
