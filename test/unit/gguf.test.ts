import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { ggufHeader, readGgufHeader, type GgufTensor } from '../../src/worker/formats/gguf/header.ts';
import { partByPart } from '../../src/worker/families/gpt-like/gguf.ts';
import { inverseOf } from '../../src/worker/families/gguf.ts';
import { pairwise } from '../../src/worker/families/llama-like/gguf.ts';
import { tokenizerMetadata } from '../../src/worker/formats/gguf/tokenizer.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { tokenizerJson } from '../fixtures/tokenizers.ts';

const { path: root, remove } = testFolder('gguf');
afterAll(remove);

const tensors: GgufTensor[] = [
  { name: 'token_embd.weight', type: 'F16', shape: [6, 32], offset: 0 },
  { name: 'blk.0.ffn_up.weight', type: 'q4_0', shape: [2, 64], offset: 384 },
  { name: 'output_norm.weight', type: 'F32', shape: [32], offset: 480 },
];
const metadata = {
  'general.architecture': { string: 'llama' },
  'general.alignment': { u32: 32 },
  'llama.rope.freq_base': { f32: 10000 },
  'tokenizer.ggml.add_bos_token': { bool: true },
  'tokenizer.ggml.tokens': { strings: ['a', 'Ġb', ''] },
  'tokenizer.ggml.token_type': { i32s: [1, 3, -1] },
  'tokenizer.ggml.scores': { f32s: [0, -1.5] },
} as const;

describe('a GGUF header', () => {
  const header = Buffer.from(ggufHeader(metadata, tensors));

  test('is laid out as the format’s definition says', () => {
    let at = 0;
    const u32 = (): number => header.readUInt32LE((at += 4) - 4);
    const u64 = (): number => Number(header.readBigUInt64LE((at += 8) - 8));
    const text = (): string => header.toString('utf8', at + 8, (at += 8 + Number(header.readBigUInt64LE(at))));
    expect(header.toString('latin1', 0, (at = 4))).toBe('GGUF');
    expect([u32(), u64(), u64()]).toEqual([3, 3, 7]);
    expect([text(), u32(), text()]).toEqual(['general.architecture', 8, 'llama']);
    expect([text(), u32(), u32()]).toEqual(['general.alignment', 4, 32]);
    expect([text(), u32(), header.readFloatLE((at += 4) - 4)]).toEqual(['llama.rope.freq_base', 6, 10000]);
    expect([text(), u32(), header[at++]]).toEqual(['tokenizer.ggml.add_bos_token', 7, 1]);
    expect([text(), u32(), u32(), u64()]).toEqual(['tokenizer.ggml.tokens', 9, 8, 3]);
    expect([text(), text(), text()]).toEqual(['a', 'Ġb', '']);
    expect([text(), u32(), u32(), u64()]).toEqual(['tokenizer.ggml.token_type', 9, 5, 3]);
    expect([0, 0, 0].map(() => header.readInt32LE((at += 4) - 4))).toEqual([1, 3, -1]);
    expect([text(), u32(), u32(), u64()]).toEqual(['tokenizer.ggml.scores', 9, 6, 2]);
    expect([0, 0].map(() => header.readFloatLE((at += 4) - 4))).toEqual([0, -1.5]);
    // The number of columns comes first.
    expect([text(), u32(), u64(), u64(), u32(), u64()]).toEqual(['token_embd.weight', 2, 32, 6, 1, 0]);
    expect([text(), u32(), u64(), u64(), u32(), u64()]).toEqual(['blk.0.ffn_up.weight', 2, 64, 2, 2, 384]);
    expect([text(), u32(), u64(), u32(), u64()]).toEqual(['output_norm.weight', 1, 32, 0, 480]);
    expect(header.length).toBe(Math.ceil(at / 32) * 32);
    expect(header.subarray(at).every((byte) => byte === 0)).toBe(true);
  });

  test('is read back', () => {
    const path = join(root, 'whole.gguf');
    writeFileSync(path, Buffer.concat([header, Buffer.alloc(700)]));
    expect(readGgufHeader(path)).toEqual({ tensors, dataStart: header.length });
  });

  test.each([
    ['cut short', header.subarray(0, 200)],
    ['of another kind', Buffer.concat([Buffer.from('GGML'), header.subarray(4)])],
    ['that announces more entries than it has bytes', withNumber(16, 2n ** 60n)],
    ['that announces more tensors than it has bytes', withNumber(8, 2n ** 60n)],
    ['with a name as long as an exabyte', withNumber(24, 2n ** 60n)],
  ])('%s is refused', (_, bytes) => {
    const path = join(root, 'damaged.gguf');
    writeFileSync(path, bytes);
    expect(() => readGgufHeader(path)).toThrow(expect.objectContaining({ code: 'gguf.malformed' }) as Error);
  });

  function withNumber(at: number, value: bigint): Buffer {
    const bytes = Buffer.from(ggufHeader(metadata, tensors));
    bytes.writeBigUInt64LE(value, at);
    return bytes;
  }
});

describe('rows of queries and keys', () => {
  /** What llama.cpp's converter does: reshape (heads, 2, size / 2), swap the last two, reshape. */
  function permuted(heads: number, size: number): number[] {
    const out: number[] = [];
    for (let head = 0; head < heads; head++)
      for (let i = 0; i < size / 2; i++)
        for (let half = 0; half < 2; half++) out.push((head * 2 + half) * (size / 2) + i);
    return out;
  }

  test.each([
    [1, 2],
    [3, 8],
    [2, 6],
    [4, 64],
  ])('%i heads of %i are those of the converter, and turn back', (heads, size) => {
    const rows = [...pairwise(heads, size)];
    expect(rows).toEqual(permuted(heads, size));
    expect([...inverseOf(pairwise(heads, size))].map((row) => rows[row])).toEqual(rows.map((_, i) => i));
  });
});

test('rows of queries, keys and values by head come part by part', () => {
  // [heads = 2, 3, size = 2]: each row's head, part and entry.
  const named = ['0q0', '0q1', '0k0', '0k1', '0v0', '0v1', '1q0', '1q1', '1k0', '1k1', '1v0', '1v1'];
  const rows = partByPart(2, 2);
  const inFile = ['0q0', '0q1', '1q0', '1q1', '0k0', '0k1', '1k0', '1k1', '0v0', '0v1', '1v0', '1v1'];
  expect([...rows].map((row) => named[row])).toEqual(inFile);
  expect([...inverseOf(rows)].map((row) => inFile[row])).toEqual(named);
});

describe('a tokenizer in GGUF’s terms', () => {
  const file = JSON.parse(readFileSync(join(demoModel, 'tokenizer.json'), 'utf8')) as Record<string, object>;
  const config = { bos_token_id: 2, eos_token_id: [2, 5], pad_token_id: null };

  async function converted(changes: Record<string, unknown>, vocab = 8200): Promise<unknown> {
    writeFileSync(join(root, 'tokenizer.json'), JSON.stringify({ ...file, ...changes }));
    return await tokenizerMetadata({ folder: root, config, family: { vocab } });
  }

  test('byte-level BPE', async () => {
    const { vocab, merges } = file['model'] as { vocab: Record<string, number>; merges: [string, string][] };
    const made = (await converted({})) as Record<string, Record<string, unknown>>;
    const byId = Object.entries(vocab).sort(([, a], [, b]) => a - b);
    const padding = Array.from({ length: 8 }, (_, i) => `[PAD${8192 + i}]`);
    expect(made).toMatchObject({
      'tokenizer.ggml.model': { string: 'gpt2' },
      'tokenizer.ggml.pre': { string: 'gpt-2' },
      'tokenizer.ggml.merges': { strings: merges.map(([a, b]) => `${a} ${b}`) },
      'tokenizer.ggml.tokens': { strings: [...byId.map(([token]) => token), ...padding] },
      'tokenizer.ggml.bos_token_id': { u32: 2 },
      'tokenizer.ggml.eos_token_id': { u32: 2 },
      'tokenizer.ggml.add_bos_token': { bool: true },
      'tokenizer.ggml.add_eos_token': { bool: false },
    });
    expect(made).not.toHaveProperty(['tokenizer.ggml.padding_token_id']);
    const types = made['tokenizer.ggml.token_type']?.['i32s'] as number[];
    expect([types.slice(0, 6), types.slice(8190)]).toEqual([
      [3, 3, 3, 3, 1, 1],
      [1, 1, ...new Array<number>(8).fill(5)],
    ]);
  });

  const bytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
  const split = (Regex: string): unknown => ({
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [{ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false }, bytes],
    },
  });
  const llama3 = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

  test.each([
    ['llama-bpe', split(llama3)],
    ['qwen2', split(llama3.replace('{1,3}', ''))],
    [
      'smollm',
      {
        pre_tokenizer: {
          type: 'Sequence',
          pretokenizers: [
            { type: 'Digits', individual_digits: true },
            { ...bytes, use_regex: true },
          ],
        },
      },
    ],
  ])('names the way to cut text into words: %s', async (name, changes) => {
    expect(await converted(changes as Record<string, unknown>)).toMatchObject({
      'tokenizer.ggml.pre': { string: name },
    });
  });

  test.each([
    ['WordPiece', { model: { type: 'WordPiece', vocab: {} } }],
    ['Metaspace', { pre_tokenizer: { type: 'Metaspace' } }],
    [
      'words that are tokens and no merge makes',
      { ...(split(llama3) as object), model: { ...file['model'], merges: [] } },
    ],
    ['Prepend', { normalizer: { type: 'Prepend', prepend: '▁' } }],
    ['another regex', split(String.raw`\p{N}{1,2}`)],
    ['a space before the text', { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true } }],
    ['a sequence of normalizers that is no list', { normalizer: { type: 'Sequence', normalizers: 7 } }],
    ['a sequence that lists no pre-tokenizers', { pre_tokenizer: { type: 'Sequence' } }],
    ['a sequence of post-processors without types', { post_processor: { type: 'Sequence', processors: [{}] } }],
    ['another frame', { post_processor: { type: 'BertProcessing', sep: ['a', 0], cls: ['b', 1] } }],
  ])('is refused where llama.cpp would cut text otherwise: %s', async (_, changes) => {
    await expect(converted(changes as Record<string, unknown>)).rejects.toMatchObject({ code: 'export.tokenizer' });
  });

  test('a merge of three tokens is refused by its place', async () => {
    const { merges } = file['model'] as { merges: unknown[] };
    const model = { ...file['model'], merges: [...merges, ['a', 'b', 'c']] };
    await expect(converted({ model })).rejects.toMatchObject({
      code: 'file.wrong-shape',
      params: { path: join(root, 'tokenizer.json'), field: `model.merges.${merges.length}` },
    });
  });

  type Made = Record<string, { i32s?: number[]; f32s?: number[] }>;
  const expectKinds = (made: Made, kinds: Record<number, number>): void => {
    const types = made['tokenizer.ggml.token_type']?.i32s ?? [];
    for (const [id, kind] of Object.entries(kinds)) expect([id, types[Number(id)]]).toEqual([id, kind]);
  };

  async function ofFamily(name: string, changes: object = {}): Promise<Made> {
    const definition = tokenizerJson(name) as { model: { vocab: Record<string, number> } };
    writeFileSync(join(root, 'tokenizer.json'), JSON.stringify({ ...definition, ...changes }));
    const { vocab } = definition.model;
    const made = tokenizerMetadata({ folder: root, config: {}, family: { vocab: Object.keys(vocab).length } });
    return (await made) as Made;
  }

  test.each([
    ['bloom', 'bloom'],
    ['gpt_neox', 'gpt-2'],
    ['llama3', 'llama-bpe'],
    ['qwen3', 'qwen2'],
    ['tekken', 'tekken'],
  ])('of %s is called %s', async (name, pre) => {
    expect(await ofFamily(name)).toMatchObject({
      'tokenizer.ggml.model': { string: 'gpt2' },
      'tokenizer.ggml.pre': { string: pre },
    });
  });

  test.each([
    ['llama2', true, { 0: 2, 1: 3, 3: 6, 258: 6, 259: 1 }, 0],
    ['mistral', true, { 0: 2, 3: 3, 5: 6 }, 0],
    ['gemma2', false, { 0: 3, 3: 2, 5: 6, 261: 3, 263: 4, 267: 1, 269: 4 }, 3],
  ])('SentencePiece’s of %s', async (name, prefix, kinds, unknown) => {
    const made = await ofFamily(name);
    expect(made).toMatchObject({
      'tokenizer.ggml.model': { string: 'llama' },
      'tokenizer.ggml.add_space_prefix': { bool: prefix },
      'tokenizer.ggml.add_bos_token': { bool: true },
      'tokenizer.ggml.unknown_token_id': { u32: unknown },
    });
    expectKinds(made, kinds);
  });

  test('scores of tokens fall in the order in which merges make them', async () => {
    const { model } = tokenizerJson('gemma3') as {
      model: { vocab: Record<string, number>; merges: [string, string][] };
    };
    const made = await ofFamily('gemma3');
    const scores = made['tokenizer.ggml.scores']?.f32s ?? [];
    const ofMerges = model.merges.map(([left, right]) => scores[model.vocab[left + right] ?? -1] ?? NaN);
    expect(ofMerges).toEqual([...ofMerges].sort((a, b) => b - a));
    expect(new Set(ofMerges).size).toBe(new Set(model.merges.map((pair) => pair.join(''))).size);
  });

  const { model: pieces } = tokenizerJson('llama2') as { model: { merges: [string, string][] } };
  const [first, ...rest] = pieces.merges;

  test.each([
    ['scores cannot say: a merge is missing', { model: { ...pieces, merges: rest } }],
    [
      'scores cannot say: a token’s merges are apart',
      { model: { ...pieces, merges: [...rest.slice(1), first, rest[0]] } },
    ],
    ['takes words that are tokens whole', { model: { ...pieces, ignore_merges: true } }],
    ['leaves spaces', { normalizer: null }],
    ['cuts words', { normalizer: null, pre_tokenizer: { type: 'Metaspace', replacement: '▁', split: true } }],
  ])('is refused where it does what %s', async (_, changes) => {
    await expect(ofFamily('llama2', changes)).rejects.toMatchObject({ code: 'export.tokenizer' });
  });
});
