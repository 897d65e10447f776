/**
 * Makes a checkpoint of a family and shape with random weights; the shapes of OPT-1.3B (2.6 GB) are
 *
 *     node scripts/make-model.mjs OUT --shape opt-1.3b
 *
 * Single sizes may be given beside it or in its place (--family llama --hidden 1024 …). With --empty the weight files are holes of the
 * right size: they take no space, and `tamis plan` needs no more. Same options, same bytes. Needs Node 24 (Float16Array).
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { families, shapes } from './model-shapes.mjs';

const INIT_STD = 0.02;
const CHUNK = 1 << 22;
const demoModel = fileURLToPath(new URL('../resources/demo-model', import.meta.url));

const sizes = { hidden: 64, ffn: 256, heads: 4, layers: 2, vocab: 8192, positions: 128 };
const dtypes = {
  F16: { bytes: 2, name: 'float16', bits: Uint16Array, floats: Float16Array },
  F32: { bytes: 4, name: 'float32', bits: Uint32Array, floats: Float32Array },
};

const options = {
  shape: { type: 'string' },
  family: { type: 'string' },
  ...Object.fromEntries(Object.keys(sizes).map((name) => [name, { type: 'string' }])),
  'word-embed-proj-dim': { type: 'string' },
  dtype: { type: 'string', default: 'F16' },
  'shard-size': { type: 'string', default: '1GB' },
  seed: { type: 'string', default: '0' },
  empty: { type: 'boolean', default: false },
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

function oneOf(table, name, value) {
  return table[value] ?? fail(`--${name} must be one of ${Object.keys(table).join(', ')}.`);
}

/** The family and the sizes that a shape and single options amount to. */
function shapeOf(values) {
  const base = values.shape === undefined ? sizes : oneOf(shapes, 'shape', values.shape);
  const given = Object.keys(sizes).filter((name) => values[name] !== undefined);
  const shape = { ...base, ...Object.fromEntries(given.map((name) => [name, wholeNumber(values, name)])) };
  if (shape.hidden % shape.heads !== 0) fail(`--heads ${shape.heads} must divide --hidden ${shape.hidden}.`);
  const embedded = values['word-embed-proj-dim'] && wholeNumber(values, 'word-embed-proj-dim');
  const family = values.family ?? base.family ?? 'opt';
  return { ...shape, family: oneOf(families, 'family', family), embedded, flags: values };
}

const elements = (shape) => shape.reduce((product, dimension) => product * dimension, 1);

/** The tensors in shards of at most `limit` bytes, as far as single tensors allow. */
function shardsOf(tensors, limit, { bytes }) {
  const shards = [[]];
  let size = 0;
  for (const tensor of tensors) {
    const added = bytes * elements(tensor[1]);
    if (size > 0 && size + added > limit) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1).push(tensor);
    size += added;
  }
  return shards;
}

/** The bits of 65536 samples of a normal distribution from a seed. */
function normalTable(random, { bits, floats }) {
  const uniform = () => (random() + 1) / (2 ** 32 + 1);
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return new bits(floats.from({ length: 1 << 16 }, () => INIT_STD * normal()).buffer);
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

/** Writes tensors of normal numbers, the weights of norms excepted: those are one. Empty ones are not written at all. */
class Writer {
  constructor(seed, dtype, empty) {
    this.random = generator(seed);
    this.table = normalTable(this.random, dtype);
    this.chunk = new dtype.bits(CHUNK);
    this.one = new dtype.bits(dtype.floats.of(1).buffer)[0];
    this.dtype = dtype;
    this.empty = empty;
  }

  file(path, tensors, dtype) {
    const header = { __metadata__: { format: 'pt' } };
    let begin = 0;
    for (const [name, shape] of tensors) {
      const end = begin + this.dtype.bytes * elements(shape);
      header[name] = { dtype, shape, data_offsets: [begin, end] };
      begin = end;
    }
    const json = JSON.stringify(header);
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
    const file = openSync(path, 'wx');
    writeSync(file, new BigUint64Array([BigInt(padded.length)]));
    writeSync(file, padded);
    if (this.empty) ftruncateSync(file, 8 + padded.length + begin);
    else for (const [name, shape] of tensors) this.tensor(file, name, elements(shape));
    closeSync(file);
    return begin;
  }

  tensor(file, name, count) {
    for (let written = 0; written < count; written += CHUNK) {
      const part = this.chunk.subarray(0, Math.min(CHUNK, count - written));
      if (/(norm|ln_f)\.weight$/.test(name)) part.fill(this.one);
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
function writeWeights(folder, shards, writer, dtype) {
  if (shards.length === 1) return writer.file(join(folder, 'model.safetensors'), shards[0], dtype);
  const number = (n) => String(n).padStart(5, '0');
  const weightMap = {};
  let total = 0;
  shards.forEach((tensors, i) => {
    const name = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    total += writer.file(join(folder, name), tensors, dtype);
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
  fail('Name one folder to be made: node scripts/make-model.mjs OUT [--shape opt-1.3b] [--hidden 2048 …]');
if (existsSync(folder)) fail(`${folder} exists. Name a folder that does not.`);
const dtype = oneOf(dtypes, 'dtype', values.dtype);
const shape = shapeOf(values);
const config = { ...shape.family.config(shape), torch_dtype: dtype.name };
const shards = shardsOf(shape.family.tensors(config), bytesOf(values['shard-size']), dtype);
const writer = new Writer(wholeNumber(values, 'seed'), dtype, values.empty);
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
copyTokenizer(folder, config.vocab_size);
const total = writeWeights(folder, shards, writer, values.dtype);
console.log(`${folder}: ${(total / 1e6).toFixed(1)} MB in ${shards.length} file(s)${values.empty ? ', empty' : ''}`);
