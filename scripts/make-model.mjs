/**
 * Makes an OPT checkpoint of given shapes with random weights, in F16: the shapes of OPT-1.3B (2.6 GB) are
 *
 *     node scripts/make-opt.mjs OUT --hidden 2048 --ffn 8192 --heads 32 --layers 24 --vocab 50272 --positions 2048
 *
 * Same options, same bytes. Needs Node 24 (Float16Array).
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const INIT_STD = 0.02;
const CHUNK = 1 << 22;
const demoModel = fileURLToPath(new URL('../resources/demo-model', import.meta.url));

const options = {
  hidden: { type: 'string', default: '64' },
  ffn: { type: 'string', default: '256' },
  heads: { type: 'string', default: '4' },
  layers: { type: 'string', default: '2' },
  vocab: { type: 'string', default: '8192' },
  positions: { type: 'string', default: '128' },
  'word-embed-proj-dim': { type: 'string' },
  'shard-size': { type: 'string', default: '1GB' },
  seed: { type: 'string', default: '0' },
  'post-norm': { type: 'boolean', default: false },
  'no-bias': { type: 'boolean', default: false },
  untied: { type: 'boolean', default: false },
};

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}

function wholeNumber(values, name) {
  const number = Number(values[name]);
  if (!Number.isSafeInteger(number) || number < (name === 'seed' ? 0 : 1)) fail(`--${name} must be a whole number.`);
  return number;
}

function bytesOf(size) {
  const [, number, unit] = /^(\d+)([KMG]B)$/.exec(size) ?? fail('--shard-size must be a number with KB, MB or GB.');
  return Number(number) * { KB: 1e3, MB: 1e6, GB: 1e9 }[unit];
}

/** The names of transformers' OPTConfig. */
function configOf(values) {
  const hidden = wholeNumber(values, 'hidden');
  const heads = wholeNumber(values, 'heads');
  if (hidden % heads !== 0) fail(`--heads ${heads} must divide --hidden ${hidden}.`);
  return {
    architectures: ['OPTForCausalLM'],
    model_type: 'opt',
    torch_dtype: 'float16',
    vocab_size: wholeNumber(values, 'vocab'),
    hidden_size: hidden,
    ffn_dim: wholeNumber(values, 'ffn'),
    num_hidden_layers: wholeNumber(values, 'layers'),
    num_attention_heads: heads,
    max_position_embeddings: wholeNumber(values, 'positions'),
    word_embed_proj_dim: values['word-embed-proj-dim'] ? wholeNumber(values, 'word-embed-proj-dim') : hidden,
    activation_function: 'relu',
    do_layer_norm_before: !values['post-norm'],
    enable_bias: !values['no-bias'],
    layer_norm_elementwise_affine: true,
    _remove_final_layer_norm: false,
    dropout: 0,
    attention_dropout: 0,
    layerdrop: 0,
    init_std: INIT_STD,
    bos_token_id: 2,
    eos_token_id: 2,
    pad_token_id: 1,
    tie_word_embeddings: !values.untied,
    use_cache: true,
  };
}

/** Every tensor as [name, shape], in the order of the model. */
function* tensorsOf(config) {
  const { hidden_size: hidden, ffn_dim: ffn, word_embed_proj_dim: embedded, vocab_size: vocab } = config;
  function* linear(name, rows, cols) {
    yield [`${name}.weight`, [rows, cols]];
    if (config.enable_bias) yield [`${name}.bias`, [rows]];
  }
  function* norm(name) {
    yield [`${name}.weight`, [hidden]];
    yield [`${name}.bias`, [hidden]];
  }
  yield ['model.decoder.embed_tokens.weight', [vocab, embedded]];
  // OPT's positions are offset by 2.
  yield ['model.decoder.embed_positions.weight', [config.max_position_embeddings + 2, hidden]];
  if (embedded !== hidden) {
    yield ['model.decoder.project_in.weight', [hidden, embedded]];
    yield ['model.decoder.project_out.weight', [embedded, hidden]];
  }
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `model.decoder.layers.${i}`;
    for (const part of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) {
      yield* linear(`${layer}.self_attn.${part}`, hidden, hidden);
    }
    yield* norm(`${layer}.self_attn_layer_norm`);
    yield* linear(`${layer}.fc1`, ffn, hidden);
    yield* linear(`${layer}.fc2`, hidden, ffn);
    yield* norm(`${layer}.final_layer_norm`);
  }
  if (config.do_layer_norm_before) yield* norm('model.decoder.final_layer_norm');
  if (!config.tie_word_embeddings) yield ['lm_head.weight', [vocab, embedded]];
}

const elements = (shape) => shape.reduce((product, dimension) => product * dimension, 1);

/** The tensors in shards of at most `limit` bytes, as far as single tensors allow. */
function shardsOf(tensors, limit) {
  const shards = [[]];
  let size = 0;
  for (const tensor of tensors) {
    const bytes = 2 * elements(tensor[1]);
    if (size > 0 && size + bytes > limit) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1).push(tensor);
    size += bytes;
  }
  return shards;
}

/** 65536 samples of a normal distribution as float16 bits, from a seed. */
function normalTable(random) {
  const uniform = () => (random() + 1) / (2 ** 32 + 1);
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return new Uint16Array(Float16Array.from({ length: 1 << 16 }, () => INIT_STD * normal()).buffer);
}

/** Uniform 32-bit numbers (xorshift32). */
function generator(seed) {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x6d2b79f5) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Writes tensors of normal numbers, the weights of layer norms excepted: those are one. */
class Writer {
  constructor(seed) {
    this.random = generator(seed);
    this.table = normalTable(this.random);
    this.chunk = new Uint16Array(CHUNK);
  }

  file(path, tensors) {
    const header = { __metadata__: { format: 'pt' } };
    let begin = 0;
    for (const [name, shape] of tensors) {
      const end = begin + 2 * elements(shape);
      header[name] = { dtype: 'F16', shape, data_offsets: [begin, end] };
      begin = end;
    }
    const json = JSON.stringify(header);
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
    const file = openSync(path, 'wx');
    writeSync(file, new BigUint64Array([BigInt(padded.length)]));
    writeSync(file, padded);
    for (const [name, shape] of tensors) this.tensor(file, name, elements(shape));
    closeSync(file);
    return begin;
  }

  tensor(file, name, count) {
    for (let written = 0; written < count; written += CHUNK) {
      const part = this.chunk.subarray(0, Math.min(CHUNK, count - written));
      if (name.endsWith('layer_norm.weight')) part.fill(0x3c00);
      else this.fill(part);
      const bytes = new Uint8Array(part.buffer, 0, part.byteLength);
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    }
  }

  fill(part) {
    const { random, table } = this;
    for (let i = 0; i < part.length; i += 2) {
      const bits = random();
      part[i] = table[bits & 0xffff];
      // Beyond the end of an odd part this writes nothing.
      part[i + 1] = table[bits >>> 16];
    }
  }
}

/** Gives the shards their names and writes them, with an index if they are several. */
function writeWeights(folder, shards, seed) {
  const writer = new Writer(seed);
  if (shards.length === 1) return writer.file(join(folder, 'model.safetensors'), shards[0]);
  const number = (n) => String(n).padStart(5, '0');
  const weightMap = {};
  let total = 0;
  shards.forEach((tensors, i) => {
    const name = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    total += writer.file(join(folder, name), tensors);
    for (const [tensor] of tensors) weightMap[tensor] = name;
  });
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  writeFileSync(join(folder, 'model.safetensors.index.json'), `${JSON.stringify(index, null, 2)}\n`);
  return total;
}

/** The demo model's tokenizer fits every vocabulary that is at least as large as its own. */
function copyTokenizer(folder, vocab) {
  const own = JSON.parse(readFileSync(join(demoModel, 'config.json'), 'utf8')).vocab_size;
  if (vocab < own) return;
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    copyFileSync(join(demoModel, name), join(folder, name));
  }
}

const { values, positionals } = parseArgs({ options, allowPositionals: true });
const [folder] = positionals;
if (!folder || positionals.length > 1)
  fail('Name one folder to be made: node scripts/make-opt.mjs OUT [--hidden 2048 …]');
if (existsSync(folder)) fail(`${folder} exists. Name a folder that does not.`);
const config = configOf(values);
const shards = shardsOf(tensorsOf(config), bytesOf(values['shard-size']));
const seed = wholeNumber(values, 'seed');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
copyTokenizer(folder, config.vocab_size);
const total = writeWeights(folder, shards, seed);
console.log(`${folder}: ${(total / 1e6).toFixed(1)} MB in ${shards.length} file(s)`);
