import { readFileSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';

import { InvalidArgumentError, Option, type Command } from 'commander';

import { parseByteSize } from '../contract/byte-size.ts';
import { TamisError } from '../contract/errors.ts';
import { methodKinds } from '../contract/recipe/methods.ts';
import { devices, estimateKinds, parseRecipe, ranges, type Recipe } from '../contract/recipe.ts';
import { recipeOfFile } from '../disk/recipe-file.ts';

/** Flags of a recipe's evaluation, the same for every command that evaluates. */
export interface EvaluationFlags {
  evaluation?: string[];
  evaluationTokens?: string;
  windows?: number;
  seqlen?: number;
}

interface Exception {
  readonly layers: string;
  readonly bits: number | null;
}

/** One flag for each field of a recipe; what is not given stays as in the file, or takes its default. */
export interface RecipeFlags extends EvaluationFlags {
  recipe?: string;
  method?: string;
  sparsity?: number;
  fitSize?: number;
  fitPerplexity?: number;
  nm?: { n: number; m: number };
  scheduler?: string;
  estimate?: string;
  groups?: number;
  mapping?: string;
  power?: number;
  range?: number;
  minSparsity?: number;
  maxSparsity?: number;
  lambda?: number;
  owlM?: number;
  epsilon?: number;
  beta?: number;
  sparsities?: string;
  bits?: number;
  groupSize?: number | 'channel';
  symmetric?: true;
  actOrder?: true;
  staticGroups?: true;
  quantizationRange?: string;
  exception?: Exception[];
  percdamp?: number;
  calibration?: string[];
  calibrationTokens?: string;
  sequences?: number;
  calibrationSeqlen?: number;
  seed?: number;
  device?: string;
  gpu?: string;
  cpuFallback?: boolean;
  threads?: number;
  memory?: number;
  blocks?: number;
}

const schedulers = ['auto', 'uniform', 'allocate', 'kmeans', 'owl', 'alpha', 'atp', 'file'];

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It is not a number.');
  return value;
}

function size(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes === null || bytes === 0) throw new InvalidArgumentError('Give it as a size, e.g. 16GiB or 800MB.');
  return bytes;
}

function pattern(text: string): { n: number; m: number } {
  const [, n, m] = /^(\d+):(\d+)$/.exec(text) ?? [];
  if (n === undefined || m === undefined)
    throw new InvalidArgumentError('Give it as n:m, n of every m pruned, e.g. 2:4.');
  return { n: Number(n), m: Number(m) };
}

function groupSize(text: string): number | 'channel' {
  return text === 'channel' ? text : number(text);
}

/** One more exception, PATTERN=BITS; a pattern may hold an equals sign. */
function exception(text: string, others: readonly Exception[] = []): Exception[] {
  const [, layers, bits] = /^(.+)=(\d+|none)$/s.exec(text) ?? [];
  if (layers === undefined || bits === undefined)
    throw new InvalidArgumentError('Give it as PATTERN=BITS or PATTERN=none, e.g. "*.fc2=8".');
  return [...others, { layers, bits: bits === 'none' ? null : Number(bits) }];
}

export function addDeviceOptions(command: Command): Command {
  return command
    .addOption(new Option('--device <device>', 'where forward passes run (default: auto)').choices(devices))
    .option('--threads <n>', 'threads of the CPU (default: all)', number);
}

export function addMemoryOption(command: Command): Command {
  return command.option(
    '--memory <size>',
    'memory that the run may hold, e.g. 16GiB: what does not fit is refused (default: 60 % of what is free)',
    size,
  );
}

export function addEvaluationOptions(command: Command): Command {
  return command
    .option(
      '--evaluation <path...>',
      'evaluate on these; each path, or NAME=PATH, is one dataset: a .txt, .jsonl or .parquet file, or a folder of them',
    )
    .option(
      '--evaluation-tokens <file>',
      'evaluate on token ids: a .safetensors file with an int64 tensor "tokens" [n]',
    )
    .option('--windows <n>', 'evaluate on at most so many windows of each dataset (default: all)', number)
    .option('--seqlen <n>', "tokens of an evaluation window (default: 2048, or the model's limit)", number);
}

export function addRecipeOptions(command: Command): Command {
  command
    .option('--recipe <file>', 'take the settings from a recipe (JSON); flags go before it')
    .addOption(new Option('--method <method>', 'how weights are pruned (default: sparsegpt)').choices(methodKinds))
    .option('--sparsity <share>', 'wanted mean sparsity, 0 to 1 (default: 0.7)', number)
    .option(
      '--fit-size <size>',
      'find the sparsity, and with --bits so many or fewer of them, whose packed archive comes within 1 % under a size, e.g. 3.2GB, by at most four compressions; --sparsity says where to begin',
      size,
    )
    .addOption(
      new Option(
        '--fit-perplexity <p>',
        'find the sparsity whose perplexity on the first dataset comes within 1 % of this one, by at most four compressions; --sparsity says where to begin',
      )
        .argParser(number)
        .conflicts('fitSize'),
    )
    .option('--nm <n:m>', 'prune n of every m weights in a row, e.g. 2:4, in place of --sparsity', pattern)
    .addOption(
      new Option('--scheduler <kind>', 'how the sparsity is spread over the layers (default: auto)').choices(
        schedulers,
      ),
    )
    .addOption(
      new Option('--estimate <kind>', 'kmeans: which estimate of the pruning loss (default: by family)').choices(
        estimateKinds,
      ),
    )
    .option(
      '--groups <k>',
      'kmeans: number of groups; 0 = each layer for itself (default: by family, 3 for OPT)',
      number,
    )
    .addOption(
      new Option('--mapping <kind>', 'kmeans: from estimate to sparsity (default: by family)').choices([
        'power',
        'linear',
      ]),
    )
    .option(
      '--power <p>',
      'kmeans, mapping power: a group keeps a share proportional to estimate^p (default: 0.2)',
      number,
    )
    .option(
      '--range <r>',
      'allocate: how far a layer may be from the target; kmeans, mapping linear: from the least to the most pruned layer (default: 0.1)',
      number,
    )
    .option('--min-sparsity <share>', 'kmeans: no layer is pruned less (default: 0)', number)
    .option('--max-sparsity <share>', 'kmeans: no layer is pruned more (default: 0.95)', number)
    .option('--lambda <l>', 'owl: half of the range of sparsities (default: 0.08)', number)
    .option('--owl-m <m>', 'owl: outliers are entries above m times the mean (default: 5)', number)
    .option('--epsilon <e>', 'alpha: range of the factors (default: 0.3)', number)
    .option('--beta <b>', 'atp: difference between blocks (default: half of its bound)', number)
    .option('--sparsities <file>', 'file: a JSON object from layer name to sparsity')
    .option('--bits <n>', 'quantize the weights that are kept to 2, 3, 4 or 8 bits (default: not)', number)
    .option(
      '--group-size <n>',
      'columns of a row that share a scale: 32, 64, 128, or channel for the whole row (default: 128)',
      groupSize,
    )
    .option('--symmetric', 'quantize around zero, without stored zero points')
    .option('--act-order', 'compress columns in the order of their activity on the calibration data')
    .option('--static-groups', 'take all scales from the dense weights, before any is changed')
    .addOption(
      new Option('--quantization-range <kind>', 'range of a scale: whole, or least error (default: minmax)').choices(
        ranges,
      ),
    )
    .option(
      '--exception <pattern=bits>',
      'other bits, or none, for layers whose name matches, * for any characters; may be given again, the last that matches counts',
      exception,
    )
    .option('--percdamp <share>', "damping: share of the mean of the Hessian's diagonal (default: 0.01)", number)
    .option('--calibration <path...>', 'calibrate on these: .txt, .jsonl or .parquet files, or folders of them')
    .option(
      '--calibration-tokens <file>',
      'calibrate on token ids: a .safetensors file with an int64 tensor "tokens" [sequences, seqlen]',
    )
    .option('--sequences <n>', 'calibration sequences (default: 128)', number)
    .option(
      '--calibration-seqlen <n>',
      "tokens of a calibration sequence (default: 2048, or the model's limit)",
      number,
    );
  addEvaluationOptions(command);
  addDeviceOptions(command);
  command
    .option(
      '--gpu <name>',
      'GPU for Hessians, factors and sweeps: auto, none, or a name that tamis devices lists (default: auto)',
    )
    .option('--no-cpu-fallback', 'end with an error where a device or GPU is lost, in place of going on on the CPU');
  addMemoryOption(command);
  return command
    .option('--seed <n>', "of the calibration's windows and of K-means (default: 0)", number)
    .option('--blocks <n>', 'compress the first so many blocks only, to try a recipe', number);
}

type Json = Record<string, unknown>;

/** The recipe that a model, a recipe file and flags amount to; paths become absolute. */
export function recipeFrom(model: string | undefined, flags: RecipeFlags): Recipe {
  const file = flags.recipe === undefined ? {} : readRecipeFile(flags.recipe);
  const scheduler = schedulerFrom(flags, file['scheduler']);
  const recipe: Json = {
    ...file,
    ...defined({
      model: model === undefined ? undefined : resolve(model),
      method: flags.method,
      percdamp: flags.percdamp,
    }),
    ...quantizationFrom(flags, file['quantization']),
    ...defined({
      seed: flags.seed,
      device: flags.device,
      gpu: flags.gpu,
      cpuFallback: flags.cpuFallback === false ? false : undefined,
      threads: flags.threads,
      memory: flags.memory,
      blocks: flags.blocks,
      scheduler,
    }),
    calibration: merged(file['calibration'], calibrationFrom(flags)),
    evaluation: merged(file['evaluation'], evaluationFrom(flags)),
  };
  return parseRecipe(withTarget(recipe, flags));
}

/** A pattern, a goal or a target given as a flag takes the place of what the file has of the three, and a pattern of its scheduler. */
function withTarget(recipe: Json, flags: RecipeFlags): Json {
  const { nm, sparsity, scheduler } = flags;
  const fit = fitFrom(flags);
  const result = { ...recipe };
  if (nm !== undefined || fit !== undefined || sparsity !== undefined) {
    delete result['nm'];
    delete result['fit'];
    delete result['sparsity'];
  }
  if (nm !== undefined && scheduler === undefined) delete result['scheduler'];
  return { ...result, ...defined({ nm, fit, sparsity }) };
}

function fitFrom({ fitSize, fitPerplexity }: RecipeFlags): Json | undefined {
  if (fitSize !== undefined) return { kind: 'size', bytes: fitSize };
  return fitPerplexity === undefined ? undefined : { kind: 'perplexity', perplexity: fitPerplexity };
}

function schedulerFrom(flags: RecipeFlags, inFile: unknown): Json | undefined {
  const fields = defined({
    estimate: flags.estimate,
    groups: flags.groups,
    mapping: flags.mapping,
    power: flags.power,
    range: flags.range,
    min: flags.minSparsity,
    max: flags.maxSparsity,
    lambda: flags.lambda,
    m: flags.owlM,
    epsilon: flags.epsilon,
    beta: flags.beta,
    path: flags.sparsities === undefined ? undefined : resolve(flags.sparsities),
  });
  if (flags.scheduler === undefined && Object.keys(fields).length === 0) return undefined;
  const kept = flags.scheduler === undefined && isJson(inFile) ? inFile : {};
  return { kind: flags.scheduler ?? 'kmeans', ...kept, ...fields };
}

function quantizationFrom(flags: RecipeFlags, inFile: unknown): Json {
  const fields = defined({
    bits: flags.bits,
    groupSize: flags.groupSize === 'channel' ? null : flags.groupSize,
    symmetric: flags.symmetric,
    actOrder: flags.actOrder,
    staticGroups: flags.staticGroups,
    range: flags.quantizationRange,
    exceptions: flags.exception,
  });
  if (Object.keys(fields).length === 0) return {};
  return { quantization: { ...(isJson(inFile) ? inFile : {}), ...fields } };
}

function calibrationFrom({ calibration, calibrationTokens, sequences, calibrationSeqlen }: RecipeFlags): Json {
  if (calibration && calibrationTokens !== undefined)
    throw new TamisError('cli.two-corpora', { one: '--calibration', other: '--calibration-tokens' });
  const corpus = calibration
    ? texts(calibration)
    : calibrationTokens === undefined
      ? undefined
      : tokens(calibrationTokens);
  return { corpus, sequences, seqlen: calibrationSeqlen };
}

/** The evaluation part of a recipe from its flags: a dataset is called after its file or folder, unless given as NAME=PATH. */
export function evaluationFrom({ evaluation, evaluationTokens, windows, seqlen }: EvaluationFlags): Json {
  const datasets = [
    ...(evaluation ?? []).map((given) => dataset(given, (path) => texts([path]))),
    ...(evaluationTokens === undefined ? [] : [dataset(evaluationTokens, tokens)]),
  ];
  const names = datasets.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new TamisError('cli.two-datasets', { name: twice });
  return { datasets: datasets.length > 0 ? datasets : undefined, windows, seqlen };
}

function dataset(given: string, corpusOf: (path: string) => Json): { name: string; corpus: Json } {
  const [, name, path = given] = /^([^=/\\]+)=(.+)$/s.exec(given) ?? [];
  return { name: name ?? nameOf(path), corpus: corpusOf(path) };
}

function nameOf(path: string): string {
  return basename(resolve(path), extname(path));
}

function texts(paths: readonly string[]): Json {
  return { kind: 'texts', paths: paths.map((path) => resolve(path)) };
}

function tokens(path: string): Json {
  return { kind: 'tokens', path: resolve(path) };
}

/** A recipe file as it is written, its relative paths taken from its own folder. */
function readRecipeFile(path: string): Json {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new TamisError('file.not-readable', { path: resolve(path), reason: (error as Error).message });
  }
  return recipeOfFile(path, text);
}

/** A part of a recipe with the flags' fields in their place; what is no object stays for `parseRecipe` to refuse. */
function merged(inFile: unknown, fields: Json): unknown {
  return inFile === undefined || isJson(inFile) ? { ...inFile, ...defined(fields) } : inFile;
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function defined(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
