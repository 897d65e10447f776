import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openTokenizer } from '../../src/worker/texts/tokenizer.ts';
import type { OpenTensorFile } from '../../src/worker/texts/token-file.ts';
import { bitsPerByte, evaluationTokens } from '../../src/worker/texts/dataset.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { demoTexts } from '../fixtures/demo-texts.ts';

/** A made-up tokenizer: id 7 in front, then the UTF-16 code of every character. */
const characters = {
  encode: (text: string) => Int32Array.from([7, ...Array.from(text, (_, i) => text.charCodeAt(i))]),
};
const noTensorFile: OpenTensorFile = () => {
  throw new Error('no tensor file is expected here');
};
const sources = { tokenizer: () => Promise.resolve(characters), openTensorFile: noTensorFile };
const options = { seqlen: 4, windows: null, vocab: 256 };

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-dataset-'));
  writeFileSync(join(folder, 'rows.jsonl'), '{"text":"ab"}\n{"text":""}\n{"text":"cd\\n"}\n');
  writeFileSync(join(folder, 'é.txt'), 'éf');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('evaluation tokens', () => {
  const texts = () => ({
    name: 'toy',
    corpus: { kind: 'texts' as const, paths: [join(folder, 'rows.jsonl'), join(folder, 'é.txt')] },
  });

  it('joins rows with a blank line, tokenizes once and drops the tail', async () => {
    const text = 'ab\n\n\n\ncd\n\n\néf';
    const all = [7, ...Array.from(text, (c) => c.charCodeAt(0))];
    expect(all).toHaveLength(14);
    expect(await evaluationTokens(texts(), options, sources)).toEqual({
      name: 'toy',
      tokens: Int32Array.from(all.slice(0, 12)),
      windows: 3,
      seqlen: 4,
      text: { tokens: 14, bytes: 14 },
    });
  });

  it('takes at most so many windows', async () => {
    const { tokens, windows } = await evaluationTokens(texts(), { ...options, windows: 2 }, sources);
    expect(windows).toBe(2);
    expect(tokens).toHaveLength(8);
    expect((await evaluationTokens(texts(), { ...options, windows: 9 }, sources)).windows).toBe(3);
  });

  it('refuses a text shorter than one window', async () => {
    await expect(evaluationTokens(texts(), { ...options, seqlen: 16 }, sources)).rejects.toMatchObject({
      code: 'evaluation.too-short',
      params: { dataset: 'toy', tokens: 14, seqlen: 16 },
    });
  });

  it('refuses ids that the model does not know', async () => {
    await expect(evaluationTokens(texts(), { ...options, vocab: 200 }, sources)).rejects.toMatchObject({
      code: 'tokenizer.beyond-vocabulary',
      params: { id: 'é'.charCodeAt(0), vocab: 200 },
    });
  });

  it('reads token files of one dimension', async () => {
    const file = (shape: number[]) => () => ({
      tensors: () => [{ name: 'tokens', dtype: 'I64', shape }],
      readI64: () => Float64Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9]),
    });
    const dataset = { name: 'ids', corpus: { kind: 'tokens' as const, path: 'e.safetensors' } };
    const made = await evaluationTokens(dataset, options, { ...sources, openTensorFile: file([9]) });
    expect(made).toMatchObject({ windows: 2, text: { tokens: 9, bytes: null } });
    expect([...made.tokens]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    await expect(
      evaluationTokens(dataset, options, { ...sources, openTensorFile: file([3, 3]) }),
    ).rejects.toMatchObject({
      code: 'tokens.shape',
      params: { path: 'e.safetensors', shape: '[3, 3]' },
    });
  });

  it('gives bits per byte', () => {
    const made = { name: 'x', tokens: new Int32Array(8), windows: 2, seqlen: 4, text: { tokens: 10, bytes: 40 } };
    expect(bitsPerByte(Math.log(16), made)).toBeCloseTo(1, 12); // 4 bits a token, 4 bytes a token
    expect(bitsPerByte(1, { ...made, text: { tokens: 10, bytes: null } })).toBeNull();
  });
});

describe('the demo’s evaluation text', () => {
  it('has the token ids that the reference measured its perplexities on', async (context) => {
    const file = fileURLToPath(new URL('../../../shared/reference/eval.safetensors', import.meta.url));
    if (!existsSync(file)) context.skip('shared/reference/eval.safetensors is not here');
    const dataset = { name: 'demo', corpus: { kind: 'texts' as const, paths: [demoTexts.evaluation] } };
    const made = await evaluationTokens(
      dataset,
      { seqlen: 256, windows: null, vocab: 8192 },
      { tokenizer: () => openTokenizer(demoModel), openTensorFile: noTensorFile },
    );
    const expected = int64Tensor(file, 'tokens');
    expect(made.text.tokens).toBe(expected.length);
    expect(Buffer.from(made.tokens.buffer).equals(Buffer.from(expected.slice(0, made.tokens.length).buffer))).toBe(
      true,
    );
  });
});

/** An int64 tensor of a .safetensors file: u64 length, JSON header, data. */
function int64Tensor(file: string, name: string): Int32Array {
  const bytes = readFileSync(file);
  const data = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, data)) as Record<string, { data_offsets: [number, number] }>;
  const [start, end] = header[name]?.data_offsets ?? [0, 0];
  return Int32Array.from({ length: (end - start) / 8 }, (_, i) => Number(bytes.readBigInt64LE(data + start + 8 * i)));
}
