import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import type { ExportFile } from '../../src/worker/formats/format.ts';
import type { FinishedRun } from '../../src/worker/formats/finished-run.ts';
import { readGgufHeader } from '../../src/worker/formats/gguf/header.ts';
import { ropeFactors } from '../../src/worker/families/rope/gguf.ts';
import { ropeFields, ropeOf } from '../../src/worker/families/rope/rope.ts';
import { gguf } from '../../src/worker/formats/gguf/format.ts';
import { denseFiles } from '../../src/worker/formats/unpack.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { fixtureConfig, fixtureFolder, modelFixtures } from '../fixtures/models.ts';
import { numbersOf, readTensors } from '../fixtures/read-safetensors.ts';
import { sampleReport } from '../fixtures/report.ts';
import { testFolder } from '../fixtures/safetensors.ts';

const { path: root, remove } = testFolder('gguf-families');
afterAll(remove);

/** Why a tiny model has no GGUF: the setting of its config.json that llama.cpp does not compute. Every other model has one. */
const refused: Readonly<Record<string, string>> = {
  'bloom-post-norm': 'apply_residual_connection_post_layernorm',
  'gemma2-bare': 'attn_logit_softcapping',
  'gemma3-global': 'rope_type',
  'gemma3-older': 'final_logit_softcapping',
  'gpt2-inverse-layers': 'scale_attn_by_inverse_layer_idx',
  'gpt2-unscaled': 'scale_attn_weights',
  'gpt_neox-sequential': 'attention_bias',
  'llama-linear': 'hidden_act',
  'llama-llama3': 'hidden_act',
  'llama-longrope': 'rope_type',
  'llama-proportional': 'rope_type',
  'llama-yarn': 'hidden_act',
  'mistral-layers': 'rope_type',
  'qwen2-layers': 'hidden_act',
  'qwen2-windows': 'mscale',
  'qwen3-windows': 'attention_bias',
};

/** A Gemma 3 that fits: one of the fixtures with another config. */
const gemma3 = 'gemma3-plain';
const sliding = 'sliding_attention';
const ofGemma3 = {
  layer_types: [sliding, sliding],
  rope_parameters: {
    full_attention: { rope_type: 'linear', rope_theta: 1000, factor: 2 },
    [sliding]: { rope_type: 'default', rope_theta: 100 },
  },
};

const fitting = [...modelFixtures.filter((name) => !(name in refused) && !name.startsWith('opt-')), gemma3];

function folderOf(name: string): string {
  if (name !== gemma3) return fixtureFolder(name);
  const folder = join(root, name);
  const [from, config] = [fixtureFolder('gemma3-global'), fixtureConfig('gemma3-global')];
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...ofGemma3 }));
  copyFileSync(join(from, 'model.safetensors'), join(folder, 'model.safetensors'));
  return folder;
}

async function runOf(name: string): Promise<FinishedRun> {
  const folder = folderOf(name);
  return {
    folder,
    report: { ...sampleReport(), layers: [] },
    model: await openModel(folder),
    layers: new Map(),
    open: () => Promise.reject(new Error('nothing is quantized')),
  };
}

async function writeFiles(folder: string, files: readonly ExportFile[]): Promise<string> {
  mkdirSync(folder, { recursive: true });
  for (const file of files) {
    let told = 0;
    const writing = { signal: new AbortController().signal, onBytes: (bytes: number) => (told += bytes) };
    await file.write(join(folder, file.path), writing);
    expect([file.path, told]).toEqual([file.path, file.bytes]);
  }
  return folder;
}

const made = new Map<string, Promise<string>>();

/** The folder of a model's export. */
function exported(name: string): Promise<string> {
  const found =
    made.get(name) ?? runOf(name).then(async (run) => writeFiles(join(root, `${name}-out`), await gguf.files(run)));
  made.set(name, found);
  return found;
}

/** The numbers of a float32 tensor of a file. */
function floatsOf(folder: string, name: string): number[] {
  const path = join(folder, 'model.gguf');
  const { tensors, dataStart } = readGgufHeader(path);
  const tensor = tensors.find((each) => each.name === name);
  if (tensor?.type !== 'F32') throw new Error(`no float32 ${name}`);
  const data = readFileSync(path).subarray(dataStart + tensor.offset);
  return Array.from({ length: tensor.shape.reduce((a, b) => a * b, 1) }, (_, i) => data.readFloatLE(4 * i));
}

function sourceOf(model: string, name: string): number[] {
  const tensor = readTensors(fixtureFolder(model)).get(name);
  if (!tensor) throw new Error(`no ${name}`);
  return numbersOf(tensor);
}

test.each([...modelFixtures, gemma3])(
  '%s is refused by the setting that llama.cpp lacks, or not at all',
  async (name) => {
    const refusal = await gguf.refusal(await runOf(name));
    if (name.startsWith('opt-')) expect(refusal).toEqual({ code: 'export.family', params: { family: 'OPT' } });
    else if (name in refused)
      expect(refusal).toMatchObject({ code: 'export.setting', params: { field: refused[name] } });
    else expect(refusal).toBeNull();
  },
);

test('every family but OPT has a model that fits', () => {
  const families = ['bloom', 'gemma2', 'gemma3', 'gpt2', 'gpt_neox', 'llama', 'mistral', 'qwen2', 'qwen3'];
  expect(families.filter((family) => !fitting.some((name) => name.startsWith(`${family}-`)))).toEqual([]);
});

test.each(fitting)('%s comes back to the bit', async (name) => {
  const folder = await exported(name);
  const opened = await gguf.open(folder);
  const back = await writeFiles(join(root, `${name}-back`), denseFiles(opened));
  const { ignored } = (await openModel(folderOf(name))).family;
  const source = [...readTensors(folderOf(name))].filter(([tensor]) => !ignored?.test(tensor));
  expect(readTensors(back)).toEqual(new Map(source));
});

describe('the file', () => {
  test('has the rows of queries and keys of a LLaMA in pairs, of a Qwen as they are', async () => {
    const [llama, qwen] = await Promise.all([exported('mistral-window'), exported('qwen2-tied')]);
    const held = floatsOf(qwen, 'blk.1.attn_k.bias');
    expect(held).toEqual(sourceOf('qwen2-tied', 'model.layers.1.self_attn.k_proj.bias'));
    const { tensors } = readGgufHeader(join(llama, 'model.gguf'));
    expect(tensors.find(({ name }) => name === 'blk.0.attn_q.weight')?.shape).toEqual([24, 16]);
    const biases = sourceOf('llama-biases', 'model.layers.0.self_attn.q_proj.bias');
    // Heads of 4: entries 0 and 2, 1 and 3 turn together.
    const inPairs = biases.map((_, i) => biases[i - (i % 4) + ([0, 2, 1, 3][i % 4] ?? 0)]);
    expect(floatsOf(await exported('llama-biases'), 'blk.0.attn_q.bias')).toEqual(inPairs);
  });

  test.each([
    ['bloom-plain', 'transformer.h.1.self_attention', 4, 2],
    ['gpt_neox-parallel', 'gpt_neox.layers.1.attention', 2, 8],
  ])(
    'has the queries of all heads of %s before the keys, and those before the values',
    async (name, at, heads, size) => {
      const fused = sourceOf(name, `${at}.query_key_value.bias`);
      const parts = [0, 1, 2].flatMap((part) =>
        Array.from({ length: heads }, (_, head) => fused.slice((3 * head + part) * size, (3 * head + part + 1) * size)),
      );
      expect(floatsOf(await exported(name), 'blk.1.attn_qkv.bias')).toEqual(parts.flat());
    },
  );

  test('has the weights of Gemma’s norms with one added, and the run’s own beside it', async () => {
    const folder = await exported('gemma2-capped');
    const norm = sourceOf('gemma2-capped', 'model.layers.0.pre_feedforward_layernorm.weight');
    expect(floatsOf(folder, 'blk.0.ffn_norm.weight')).toEqual(norm.map((value) => Math.fround(1 + value)));
  });

  test('has the layers of GPT-2 upright', async () => {
    const { tensors } = readGgufHeader(join(await exported('gpt2-plain'), 'model.gguf'));
    const held = tensors.find(({ name }) => name === 'blk.0.ffn_up.weight');
    expect(held?.shape).toEqual([32, 8]);
    const source = sourceOf('gpt2-plain', 'h.0.mlp.c_fc.weight');
    const upright = Array.from({ length: 32 }, (_, row) =>
      Array.from({ length: 8 }, (_, col) => source[col * 32 + row]),
    );
    expect(floatsOf(await exported('gpt2-plain'), 'blk.0.ffn_up.weight')).toEqual(upright.flat());
  });

  test('has a head of its own where llama.cpp needs one', async () => {
    const { tensors } = readGgufHeader(join(await exported('gpt_neox-tied'), 'model.gguf'));
    const shapes = tensors.filter(({ name }) => /^(token_embd|output)\.weight$/.test(name)).map(({ shape }) => shape);
    expect(shapes).toEqual([
      [150, 16],
      [150, 16],
    ]);
  });

  test('has what each pair turns slower by of a LLaMA 3.1, by its definition', async () => {
    const theta = 500000;
    const [factor, low, high, original] = [8, 1, 4, 8192];
    const scaling = {
      rope_type: 'llama3',
      factor,
      low_freq_factor: low,
      high_freq_factor: high,
      original_max_position_embeddings: original,
    };
    const config = z.object(ropeFields(131072)).parse({ rope_theta: theta, rope_scaling: scaling });
    const [extra] = ropeFactors(ropeOf(config), 128);
    const expected = Array.from({ length: 64 }, (_, i) => {
      const wavelength = 2 * Math.PI * theta ** ((2 * i) / 128);
      if (wavelength < original / high) return 1;
      if (wavelength > original / low) return factor;
      const smooth = (original / wavelength - low) / (high - low);
      return 1 / ((1 - smooth) / factor + smooth);
    });
    expect(extra?.name).toBe('rope_freqs.weight');
    expect(new Set(expected).size).toBeGreaterThan(3);
    for (const [i, value] of expected.entries()) expect((extra?.values[i] ?? NaN) / value).toBeCloseTo(1, 5);
    const { family } = await openModel(fixtureFolder('llama-llama3'));
    const fixture = z.object(ropeFields(0)).parse(fixtureConfig('llama-llama3'));
    expect(family.gguf?.extras()).toEqual(ropeFactors(ropeOf(fixture), family.attention.size));
    expect(family.gguf?.extras()).toHaveLength(1);
  });
});
