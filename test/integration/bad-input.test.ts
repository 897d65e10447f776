import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { demoModel } from '../fixtures/demo-model.ts';
import { safetensors, safetensorsFile, type HeaderEntry } from '../fixtures/safetensors.ts';
import {
  layerNames,
  tinyShape,
  writeTinyOpt,
  writeTokens,
  type TinyOptions,
  type TinyTensors,
} from '../fixtures/tiny-opt.ts';
import { cli, cpu, refusal, tamis, tinyFolder, type Ended, type Tiny } from './helpers.ts';

const fc1 = 'model.decoder.layers.0.fc1.weight';

let tiny: Tiny;
let count = 0;

beforeAll(() => {
  tiny = tinyFolder('bad-input');
});
afterAll(() => {
  tiny.remove();
});

/** A path that nothing has used. */
function fresh(): string {
  return tiny.file(`case-${++count}`);
}

async function run(...args: string[]): Promise<Ended> {
  return await tamis(args, tiny);
}

/** The sentence with which `compress` refuses, before it makes its folder. */
async function refused(model: string, ...flags: string[]): Promise<string> {
  const out = fresh();
  const sentence = refusal(await run('compress', model, '--out', out, ...flags));
  expect(existsSync(out), 'a folder was left').toBe(false);
  return sentence;
}

/** The sentence with which a run stops that had begun, and whose folder says so in its log. */
async function stopped(model: string, ...flags: string[]): Promise<string> {
  const out = fresh();
  const sentence = refusal(await run('compress', model, '--out', out, ...flags));
  expect(JSON.parse(readFileSync(join(out, 'events.jsonl'), 'utf8').trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
    type: 'failed',
  });
  expect(existsSync(join(out, 'report.json'))).toBe(false);
  return sentence;
}

function tinyModel(options: TinyOptions): string {
  return writeTinyOpt(fresh(), options);
}

/** A copy of the tiny model's folder whose weights' header `lie` has changed. */
function lyingModel(lie: (header: Record<string, HeaderEntry>) => void): string {
  const folder = tinyModel({});
  const file = join(folder, 'model.safetensors');
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, HeaderEntry>;
  lie(header);
  writeFileSync(file, safetensorsFile(JSON.stringify(header), bytes.subarray(8 + length)));
  return folder;
}

function offsets(header: Record<string, HeaderEntry>, name: string): [number, number] {
  return header[name]?.data_offsets as [number, number];
}

describe('a model that is none', () => {
  test('not a folder', async () => {
    const path = tiny.file('no-such-folder');
    expect(await refused(path, ...tiny.data)).toBe(
      `${path} is not a folder. Give the folder that holds config.json and the weights.`,
    );
    expect(await refused(join(tiny.model, 'config.json'), ...tiny.data)).toContain('config.json is not a folder.');
  });

  test('no config', async () => {
    const folder = tinyModel({});
    rmSync(join(folder, 'config.json'));
    expect(await refused(folder, ...tiny.data)).toContain(`${folder} has no config.json. Give`);
  });

  test('a config that is no JSON, and one with a wrong field', async () => {
    const folder = tinyModel({});
    writeFileSync(join(folder, 'config.json'), '{"model_type": ');
    expect(await refused(folder, ...tiny.data)).toContain(
      `${join(folder, 'config.json')} is not a JSON object. Download`,
    );
    const field = await refused(tinyModel({ config: { hidden_size: 'wide' } }), ...tiny.data);
    expect(field).toMatch(/config\.json is not valid at hidden_size: .+ Download/);
  });

  test('an unknown architecture: says which are known', async () => {
    const sentence = await refused(tinyModel({ config: { model_type: 'mamba' } }), ...tiny.data);
    expect(sentence).toMatch(
      /config\.json says model_type mamba, which Tamis does not know\. Take a model of one of these: opt, llama, mistral, .+\./,
    );
  });

  test('quantized already', async () => {
    const folder = tinyModel({ config: { quantization_config: { quant_method: 'gptq', bits: 4 } } });
    expect(await refused(folder, ...tiny.data)).toMatch(
      /config\.json has a quantization_config.* Take the original checkpoint/,
    );
  });

  test('a mixture of experts, by its config or its tensors', async () => {
    const byConfig = await refused(
      tinyModel({ config: { model_type: 'mixtral', num_local_experts: 8 } }),
      ...tiny.data,
    );
    expect(byConfig).toMatch(
      /config\.json has num_local_experts: the model is a mixture of experts.* Take a dense model\./,
    );
    const change = (tensors: TinyTensors): void => {
      tensors['model.decoder.layers.0.experts.0.w1.weight'] = { dtype: 'F32', shape: [1], data: [0] };
    };
    expect(await refused(tinyModel({ change }), ...tiny.data)).toContain('mixture of experts');
  });

  test('a tensor missing, of another shape, of no weight dtype', async () => {
    const missing = tinyModel({ change: (tensors) => void Reflect.deleteProperty(tensors, fc1) });
    expect(await refused(missing, ...tiny.data)).toContain(`holds no tensor ${fc1}`);
    expect(await refused(tinyModel({ config: { ffn_dim: 128 } }), ...tiny.data)).toMatch(
      /The tensor \S+fc1.weight has the shape .* config\.json asks for/,
    );
    const integers = (tensors: TinyTensors): void => {
      const { shape = [], data = [] } = tensors[fc1] ?? {};
      tensors[fc1] = { dtype: 'I32', shape, data: data.map(() => 1) };
    };
    expect(await refused(tinyModel({ change: integers }), ...tiny.data)).toContain(
      `The tensor ${fc1} has the dtype I32`,
    );
  });
});

describe('weights that are broken', () => {
  test('a shard missing', async () => {
    const folder = tinyModel({ sharded: true });
    const shard = join(folder, 'model-1.safetensors');
    rmSync(shard);
    expect(await refused(folder, ...tiny.data)).toMatch(
      `${shard} is missing: ${join(folder, 'model.safetensors.index.json')} puts the tensor`,
    );
  });

  test('no weights, and PyTorch weights that are none', async () => {
    const folder = tinyModel({});
    rmSync(join(folder, 'model.safetensors'));
    expect(await refused(folder, ...tiny.data)).toContain(`${folder} has no weights: neither model.safetensors nor`);
    writeFileSync(join(folder, 'pytorch_model.bin'), 'PK');
    expect(await refused(folder, ...tiny.data)).toContain(
      'pytorch_model.bin has only 2 bytes, too few for a file of weights',
    );
  });

  test('a header longer than the file', async () => {
    const folder = tinyModel({});
    const file = join(folder, 'model.safetensors');
    writeFileSync(file, safetensorsFile('{}', Buffer.alloc(16), 1n << 20n));
    expect(await refused(folder, ...tiny.data)).toBe(
      `${file} announces a header of 1048576 bytes, but the file has only 26. It is no safetensors file or was cut short: download it again.`,
    );
  });

  test('offsets that overlap', async () => {
    const folder = lyingModel((header) => {
      const [begin, end] = offsets(header, 'model.decoder.layers.0.fc2.weight');
      Object.assign(header['model.decoder.layers.0.fc2.weight'] ?? {}, { data_offsets: [begin - 4, end - 4] });
    });
    expect(await refused(folder, ...tiny.data)).toMatch(
      /The tensor "\S+" of \S+model\.safetensors begins at byte \d+ of the data, inside the tensor/,
    );
  });

  test('offsets outside of the file', async () => {
    const folder = lyingModel((header) => {
      const [begin, end] = offsets(header, 'model.decoder.final_layer_norm.bias');
      Object.assign(header['model.decoder.final_layer_norm.bias'] ?? {}, { data_offsets: [begin + 4, end + 4] });
    });
    expect(await refused(folder, ...tiny.data)).toMatch(
      /The tensor "model\.decoder\.final_layer_norm\.bias" of \S+ ends at byte \d+ of the data, but the file holds only \d+/,
    );
  });

  test('offsets of the wrong size', async () => {
    const folder = lyingModel((header) => {
      Object.assign(header[fc1] ?? {}, { shape: [tinyShape.ffn, tinyShape.hidden - 1] });
    });
    expect(await refused(folder, ...tiny.data)).toMatch(
      `The tensor "${fc1}" of ${join(folder, 'model.safetensors')} needs 19840 bytes by its shape and dtype, but its offsets give it 20480.`,
    );
  });

  test.each([NaN, Infinity])('%d in a weight', async (value) => {
    const folder = tinyModel({
      change: (tensors) => {
        const data = tensors[fc1]?.data;
        if (data) data[77] = value;
      },
    });
    expect(await stopped(folder, ...tiny.data)).toBe(
      `${join(folder, 'model.safetensors')}: the tensor ${fc1} holds a value that is not a finite number (entry 77). Download the checkpoint again, or take another one.`,
    );
  });
});

describe('a calibration that goes wrong', () => {
  const each = (name: string, change: (value: number) => number) => (tensors: TinyTensors) => {
    const tensor = tensors[name];
    if (tensor) tensor.data = tensor.data.map(change);
  };
  /** After the second of these blocks the sum is infinite. */
  const overflowing =
    (...blocks: number[]) =>
    (tensors: TinyTensors) => {
      for (const block of blocks) each(`model.decoder.layers.${block}.fc2.bias`, () => 3e38)(tensors);
    };
  const calibration = (): string[] => [...tiny.data.slice(0, 2), ...cpu, '--scheduler', 'uniform'];

  test('finite weights that overflow in the forward pass: names layer and sequence', async () => {
    const folder = tinyModel({ change: overflowing(0, 1) });
    expect(await stopped(folder, ...calibration())).toBe(
      'Calibration sequence 0 gave a value that is not finite at the input of model.decoder.layers.2.self_attn.q_proj. Check the checkpoint, or calibrate on other text.',
    );
  });

  test('inputs whose squares overflow: names the layer', async () => {
    const folder = tinyModel({ change: each(fc1, (value) => value * 1e25) });
    expect(await stopped(folder, ...calibration())).toContain('not finite at the input of model.decoder.layers.0.fc2.');
  });

  test('a perplexity that is not finite names the dataset', async () => {
    const folder = tinyModel({ change: overflowing(1, 2) });
    expect(await stopped(folder, ...tiny.data, '--scheduler', 'uniform')).toMatch(
      /The perplexity on evaluation is not a finite number\./,
    );
  });
});

describe('data', () => {
  test('text too short for one sequence, and for one window', async () => {
    const text = tiny.file('short.txt');
    writeFileSync(text, 'Call me Ishmael.');
    const calibration = await refused(demoModel, '--calibration', text, ...cpu);
    expect(calibration).toMatch(
      /The calibration data holds \d+ tokens, fewer than one sequence of 256\. Give more text/,
    );
    const evaluation = await refused(
      demoModel,
      '--method',
      'magnitude',
      '--scheduler',
      'uniform',
      '--evaluation',
      text,
      ...cpu,
    );
    expect(evaluation).toMatch(
      /The evaluation data short holds \d+ tokens, fewer than one window of 256\. Give more text/,
    );
    expect(refusal(await run('eval', demoModel, '--evaluation', text, ...cpu))).toBe(evaluation);
  });

  test('text that is not there', async () => {
    const path = tiny.file('none.txt');
    expect(await refused(demoModel, '--calibration', path, ...cpu)).toContain(`${path} does not exist. Give`);
  });

  test('a model without a tokenizer and text', async () => {
    const text = tiny.file('text.txt');
    writeFileSync(text, 'Call me Ishmael.');
    expect(await refused(tiny.model, '--calibration', text, ...cpu)).toContain(`${tiny.model} has no tokenizer.json`);
  });

  test('a token the model does not know', async () => {
    const path = writeTokens(fresh(), [4, 32], 5, tinyShape.vocab + 900);
    expect(await refused(tiny.model, '--calibration-tokens', path, ...cpu)).toMatch(
      /The tensor tokens of \S+ has \d+ at position \d+, but the model knows the ids 0 up to, not including, 96\./,
    );
  });

  test('a token file without the tensor, of another length, and one that is no safetensors', async () => {
    const path = fresh();
    writeFileSync(path, safetensors({ ids: { dtype: 'I64', shape: [1], data: [1] } }));
    expect(await refused(tiny.model, '--calibration-tokens', path, ...cpu)).toContain(
      `${path} has no int64 tensor named tokens.`,
    );
    const long = writeTokens(fresh(), [4, 48]);
    expect(await refused(tiny.model, '--calibration-tokens', long, ...cpu)).toContain(
      `${long} holds sequences of 48 tokens`,
    );
    const none = tiny.file('no.safetensors');
    writeFileSync(none, 'tokens');
    expect(await refused(tiny.model, '--calibration-tokens', none, ...cpu)).toContain(none);
  });

  test('no calibration where it is needed; eval with nothing to evaluate on', async () => {
    expect(await refused(tiny.model, ...cpu)).toContain('Give --calibration PATH or --calibration-tokens FILE.');
    expect(refusal(await run('eval', tiny.model, ...cpu))).toBe(
      'There is nothing to evaluate on. Give --evaluation PATH or --evaluation-tokens FILE.',
    );
  });

  test('texts and token ids at once, two datasets of one name', async () => {
    const both = await refused(tiny.model, ...tiny.data, '--calibration', tiny.path);
    expect(both).toBe('--calibration and --calibration-tokens exclude each other. Leave one of them out.');
    const twice = await refused(tiny.model, ...tiny.data, '--evaluation', tiny.file('a/x.txt'), tiny.file('b/x.txt'));
    expect(twice).toContain('Two datasets are called x.');
  });
});

describe('a recipe that makes no sense', () => {
  const invalid = (field: string): RegExp =>
    new RegExp(`^The recipe is not valid at ${field}: .+ Change it; tamis recipe prints a valid one`);

  test.each([
    ['sparsity 1.5', ['--sparsity', '1.5'], invalid('sparsity')],
    ['sparsity 1', ['--sparsity', '1'], invalid('sparsity')],
    ['threads 0', ['--threads', '0'], invalid('threads')],
    ['half a block', ['--blocks', '0.5'], invalid('blocks')],
    ['n:m of 4:2', ['--nm', '4:2'], invalid('nm')],
    [
      'more blocks than the model has',
      ['--blocks', '4'],
      /^blocks is 4, but the model has 3\. Give --blocks 3 or less/,
    ],
    [
      'n:m that does not divide the columns',
      ['--nm', '3:7'],
      /^nm: a pattern of 3 of 7 does not divide the 32 columns of model\.decoder\.layers\.0\.self_attn\.q_proj\. Choose an m/,
    ],
    ['a target with n:m', ['--nm', '2:4', '--sparsity', '0.5'], /^sparsity and nm exclude each other.* Leave one/],
    [
      'a scheduler with n:m',
      ['--nm', '2:4', '--scheduler', 'owl'],
      /^The scheduler owl and nm exclude each other.* Leave one/,
    ],
    [
      'sequences longer than the model takes',
      ['--calibration-seqlen', '64'],
      /^calibration\.seqlen is 64, but the model takes at most 32 tokens\. Set it/,
    ],
    [
      'windows longer than the model takes',
      ['--seqlen', '64'],
      /^evaluation\.seqlen is 64, but the model takes at most 32 tokens\. Set it/,
    ],
    [
      'more groups than layers',
      ['--scheduler', 'kmeans', '--groups', '19'],
      /^scheduler\.groups is 19, but only 18 layers are to be pruned\. Give 18 or fewer/,
    ],
    ['5 bits', ['--bits', '5'], invalid(String.raw`quantization\.bits`)],
    ['groups without bits', ['--group-size', '64'], /^--group-size is about quantized weights, .+ Add --bits/],
    ['groups of 48 columns', ['--bits', '4', '--group-size', '48'], invalid(String.raw`quantization\.groupSize`)],
    [
      'act-order where nothing is sorted by',
      ['--bits', '4', '--act-order', '--method', 'magnitude', '--scheduler', 'uniform'],
      /^actOrder sorts columns by calibration data, and magnitude rounds .+ Take --method sparsegpt/,
    ],
    [
      'act-order with n:m',
      ['--bits', '4', '--act-order', '--nm', '2:4'],
      /^actOrder and nm exclude each other.* Leave one/,
    ],
    [
      'an exception for no layer',
      ['--bits', '4', '--exception', 'q_proj=8'],
      /^quantization\.exceptions: no layer of this model matches q_proj\. .+ one of them is model\.decoder\.layers\.0\.self_attn\.q_proj\./,
    ],
    [
      'a setting of another scheduler',
      ['--scheduler', 'uniform', '--groups', '3'],
      /^--groups needs a scheduler that has it \(kmeans\), and here it is uniform\. Name one/,
    ],
    [
      'a setting of a scheduler, and no scheduler',
      ['--range', '0.2'],
      /^--range needs a scheduler that has it \(allocate, kmeans\), and here it is auto\. Name one/,
    ],
    [
      'a target out of reach',
      ['--scheduler', 'kmeans', '--sparsity', '0.97'],
      /^The target sparsity 0\.97 is out of the scheduler's reach, from 0 to 0\.95\. Change/,
    ],
    [
      'a step that is too large',
      ['--scheduler', 'atp', '--beta', '0.5'],
      /^scheduler\.beta is 0\.5, but with 3 blocks and a target sparsity of 0\.7 it may not pass ±0\.3\. Choose/,
    ],
  ])('%s', async (_, flags, sentence) => {
    expect(await refused(tiny.model, ...tiny.data, ...flags)).toMatch(sentence);
  });

  test('a file of sparsities: absent, no JSON, a layer missing, one unknown, one out of range, and a target beside it', async () => {
    const path = tiny.file('sparsities.json');
    const flags = [...tiny.data, '--scheduler', 'file', '--sparsities', path];
    const whole = Object.fromEntries(layerNames().map((name) => [name, 0.5]));
    const write = (value: unknown): void => {
      writeFileSync(path, JSON.stringify(value));
    };
    expect(await refused(tiny.model, ...flags)).toContain(`${path} cannot be read`);
    writeFileSync(path, '{');
    expect(await refused(tiny.model, ...flags)).toContain(`${path} is not valid JSON`);
    write({ ...whole, 'model.decoder.layers.1.fc1': undefined });
    expect(await refused(tiny.model, ...flags)).toContain('gives no sparsity for the layer model.decoder.layers.1.fc1');
    write({ ...whole, lm_head: 0.5 });
    expect(await refused(tiny.model, ...flags)).toContain(
      'names the layer lm_head, which is not among those to be pruned',
    );
    write({ ...whole, 'model.decoder.layers.1.fc1': 1.5 });
    expect(await refused(tiny.model, ...flags)).toContain('gives 1.5 for the layer model.decoder.layers.1.fc1');
    expect(await refused(tiny.model, ...flags, '--sparsity', '0.5')).toContain(
      'sparsity and a file of sparsities exclude each other',
    );
  });

  test('a recipe file that is absent, no JSON, no object, has an unknown field, a wrong type', async () => {
    const path = tiny.file('recipe.json');
    const flags = [...tiny.data, '--recipe', path];
    const refusedRecipe = async (text: string): Promise<string> => {
      writeFileSync(path, text);
      return await refused(tiny.model, ...flags);
    };
    expect(await refused(tiny.model, ...flags)).toContain(`${path} cannot be read`);
    expect(await refusedRecipe('{ sparsity: 0.5 }')).toContain(`${path} is not valid JSON`);
    expect(await refusedRecipe('[0.5]')).toContain(path);
    expect(await refusedRecipe('{"sparsty": 0.5}')).toMatch(/^The recipe is not valid at .*sparsty/);
    expect(await refusedRecipe('{"sparsity": "half"}')).toMatch(invalid('sparsity'));
    expect(await refusedRecipe('{"calibration": {"seqlen": "all"}}')).toMatch(invalid('calibration\\.seqlen'));
    expect(await refusedRecipe('{"evaluation": 5}')).toMatch(invalid('evaluation'));
    expect(await refusedRecipe('{"scheduler": {"kind": "best"}}')).toMatch(invalid('scheduler\\.kind'));
  });
});

describe('files that may not be read or written', () => {
  const nobody = 65534;
  const isRoot = process.getuid?.() === 0;
  const because = 'only root can become a user who may not';
  let cache: string;

  beforeAll(() => {
    chmodSync(tiny.path, 0o755);
    cache = fresh();
    mkdirSync(cache);
    chmodSync(cache, 0o777);
  });

  test('an output folder in one that is not ours', async ({ skip }) => {
    if (!isRoot) skip(because);
    const out = tiny.file('mine');
    const ended = await tamis(['compress', tiny.model, '--out', out, ...tiny.data], { cache, uid: nobody });
    expect(refusal(ended)).toBe(
      `${out} cannot be written: EACCES: permission denied. Choose another folder or change its permissions.`,
    );
  });

  test.each(['model.safetensors', 'config.json'])('a %s that is not ours', async (name) => {
    const folder = tinyModel({});
    chmodSync(join(folder, name), 0o600);
    const ended = await tamis(['inspect', folder], { cache, uid: nobody });
    expect(refusal(ended)).toMatch(new RegExp(`^${join(folder, name)} cannot be read: .*denied.*\\. Check`));
  });

  test('a cache that cannot be a folder', async () => {
    const options = { cache: join(tiny.model, 'config.json', 'cache') };
    expect(refusal(await tamis(['eval', tiny.model, ...tiny.data.slice(2, 4), ...cpu], options))).toContain(
      'config.json/cache cannot be written',
    );
    const out = fresh();
    expect(refusal(await tamis(['compress', tiny.model, '--out', out, ...tiny.data], options))).toContain(
      'config.json/cache',
    );
  });

  test('a standard output that takes nothing; one that nobody reads is no error', () => {
    const full = openSync('/dev/full', 'w');
    const spawned = spawnSync(process.execPath, [cli, 'inspect', tiny.model], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(refusal({ code: spawned.status, signal: null, stdout: '', stderr: spawned.stderr })).toContain(
      'There is no space left for standard output.',
    );
    const piped = spawnSync(
      'bash',
      ['-c', '"$0" "$1" inspect "$2" --json | true; exit ${PIPESTATUS[0]}', process.execPath, cli, tiny.model],
      { encoding: 'utf8' },
    );
    expect(piped).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('a wrong command line', () => {
  test.each([
    ['no --out', ['compress', 'MODEL'], /^error: required option '--out <dir>' not specified/],
    ['an unknown flag', ['compress', 'MODEL', '--out', 'x', '--sparsty', '0.5'], /^error: unknown option '--sparsty'/],
    ['an unknown command', ['prune', 'MODEL'], /^error: unknown command 'prune'/],
    [
      'an unknown scheduler',
      ['compress', 'MODEL', '--out', 'x', '--scheduler', 'best'],
      /^error: option '--scheduler <kind>' argument 'best' is invalid\. Allowed choices are/,
    ],
    [
      'a number that is none',
      ['compress', 'MODEL', '--out', 'x', '--sparsity', 'half'],
      /^error: option '--sparsity <share>' argument 'half' is invalid\. It is not a number\./,
    ],
    [
      'a pattern that is none',
      ['compress', 'MODEL', '--out', 'x', '--nm', '2-4'],
      /^error: option '--nm <n:m>' argument '2-4' is invalid\. Give it as n:m/,
    ],
    ['eval without a model', ['eval'], /^error: missing required argument 'model'/],
    ['resume without a folder', ['resume'], /^error: missing required argument 'dir'/],
  ])('%s', async (_, args, sentence) => {
    const { code, stderr, stdout } = await run(...args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(sentence);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toContain('(add --help for the options)');
  });
});

describe('a folder that cannot be the run', () => {
  test('an output that exists, folder or file', async () => {
    const out = fresh();
    mkdirSync(out);
    writeFileSync(join(out, 'mine.txt'), 'keep');
    const sentence = refusal(await run('compress', tiny.model, '--out', out, ...tiny.data));
    expect(sentence).toBe(
      `${out} exists already and is not empty. Give another --out, or continue the run in it with: tamis resume ${out}`,
    );
    expect(refusal(await run('compress', tiny.model, '--out', join(out, 'mine.txt'), ...tiny.data))).toContain(
      'mine.txt exists already',
    );
    expect(readFileSync(join(out, 'mine.txt'), 'utf8')).toBe('keep');
  });

  test('resume and compare of what is no run', async () => {
    const folder = fresh();
    expect(refusal(await run('resume', folder))).toContain(`${folder} is not a run directory`);
    expect(refusal(await run('resume', tiny.model))).toContain(`${tiny.model} is not a run directory`);
    expect(refusal(await run('compare', tiny.model, tiny.model))).toContain(`${tiny.model} is not a run directory`);
  });

  test('an output below a file', async () => {
    expect(await refused(tiny.model, ...tiny.data, '--out', join(tiny.model, 'config.json', 'out'))).toMatch(
      /config\.json.* cannot be written/,
    );
  });
});
