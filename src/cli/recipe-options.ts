import { readFileSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';

import { InvalidArgumentError, Option, type Command } from 'commander';

import { TamisError } from '../contract/errors.ts';
import type { Fields } from '../contract/recipe/field.ts';
import {
  calibrationFields,
  evaluationFields,
  machineFields,
  pruningFields,
  quantizationFields,
} from '../contract/recipe/fields.ts';
import { schedulerKinds, schedulers } from '../contract/recipe/schedulers.ts';
import { defaultScheduler, parseRecipe, type Recipe } from '../contract/recipe.ts';
import { recipeOfFile } from '../disk/recipe-file.ts';
import {
  addOptions,
  addSchedulerOptions,
  firstFlag,
  number,
  optionOf,
  schedulerFlags,
  size,
  valuesOf,
  type Flags,
  type Json,
} from './field-options.ts';

/** Flags of a recipe that are no field's own; what is not given stays as in the file, or takes its default. */
export interface RecipeFlags extends Flags {
  recipe?: string;
  sparsity?: number;
  fitSize?: number;
  fitPerplexity?: number;
  nm?: { n: number; m: number };
  scheduler?: string;
  exception?: Exception[];
  calibration?: string[];
  calibrationTokens?: string;
  evaluation?: string[];
  evaluationTokens?: string;
}

interface Exception {
  readonly layers: string;
  readonly bits: number | null;
}

function pattern(text: string): { n: number; m: number } {
  const [, n, m] = /^(\d+):(\d+)$/.exec(text) ?? [];
  if (n === undefined || m === undefined)
    throw new InvalidArgumentError('Give it as n:m, n of every m pruned, e.g. 2:4.');
  return { n: Number(n), m: Number(m) };
}

/** One more exception, PATTERN=BITS; a pattern may hold an equals sign. */
function exception(text: string, others: readonly Exception[] = []): Exception[] {
  const [, layers, bits] = /^(.+)=(\d+|none)$/s.exec(text) ?? [];
  if (layers === undefined || bits === undefined)
    throw new InvalidArgumentError('Give it as PATTERN=BITS or PATTERN=none, e.g. "*.fc2=8".');
  return [...others, { layers, bits: bits === 'none' ? null : Number(bits) }];
}

export function addDeviceOptions(command: Command): Command {
  const { device, threads } = machineFields;
  return addOptions(command, { device, threads });
}

export function addMemoryOption(command: Command): Command {
  return command.addOption(optionOf(machineFields.memory));
}

export function addEvaluationOptions(command: Command): Command {
  command
    .option(
      '--evaluation <path...>',
      'evaluate on these; each path, or NAME=PATH, is one dataset: a .txt, .jsonl or .parquet file, or a folder of them',
    )
    .option(
      '--evaluation-tokens <file>',
      'evaluate on token ids: a .safetensors file with an int64 tensor "tokens" [n]',
    );
  return addOptions(command, evaluationFields);
}

export function addRecipeOptions(command: Command): Command {
  const { method, ...pruning } = pruningFields;
  command
    .option('--recipe <file>', 'take the settings from a recipe (JSON); flags go before it')
    .addOption(optionOf(method))
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
        schedulerKinds,
      ),
    );
  addSchedulerOptions(command);
  addOptions(command, quantizationFields).option(
    '--exception <pattern=bits>',
    'other bits, or none, for layers whose name matches, * for any characters; may be given again, the last that matches counts',
    exception,
  );
  addOptions(command, pruning)
    .option('--calibration <path...>', 'calibrate on these: .txt, .jsonl or .parquet files, or folders of them')
    .option(
      '--calibration-tokens <file>',
      'calibrate on token ids: a .safetensors file with an int64 tensor "tokens" [sequences, seqlen]',
    );
  addOptions(command, calibrationFields);
  addEvaluationOptions(command);
  addDeviceOptions(command);
  const { device: _device, threads: _threads, ...machine } = machineFields;
  return addOptions(command, machine);
}

/** The recipe that a model, a recipe file and flags amount to; paths become absolute. */
export function recipeFrom(model: string | undefined, flags: RecipeFlags): Recipe {
  const file = flags.recipe === undefined ? {} : readRecipeFile(flags.recipe);
  const recipe: Json = {
    ...file,
    ...defined({ model: model === undefined ? undefined : resolve(model) }),
    ...valuesOf(pruningFields, flags),
    ...quantizationFrom(flags, file['quantization']),
    ...valuesOf(machineFields, flags),
    calibration: merged(file['calibration'], calibrationFrom(flags)),
    evaluation: merged(file['evaluation'], evaluationFrom(flags)),
  };
  const aimed = withTarget(recipe, flags);
  return parseRecipe({ ...aimed, ...schedulerFrom(aimed, flags) });
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

/** The scheduler that is named, or else the recipe's, with the settings that flags give it; a setting of another one is refused. */
function schedulerFrom(recipe: Json, flags: RecipeFlags): Json {
  const kept = flags.scheduler === undefined && isJson(recipe['scheduler']) ? recipe['scheduler'] : {};
  const kind = flags.scheduler ?? kept['kind'] ?? defaultScheduler(recipe['nm'], recipe['sparsity']);
  const own = schedulerKinds.find((each) => each === kind);
  const fields: Fields = own === undefined ? {} : schedulers[own].fields;
  for (const { flag, fields: owners } of schedulerFlags()) {
    const given = firstFlag(
      owners.map(({ field }) => field),
      flags,
    );
    if (given === undefined || owners.some((owner) => owner.kind === kind)) continue;
    const having = owners.map((owner) => owner.kind).join(', ');
    throw new TamisError('cli.flag-of-scheduler', { flag, schedulers: having, scheduler: own ?? JSON.stringify(kind) });
  }
  const values = valuesOf(fields, flags);
  if (flags.scheduler === undefined && Object.keys(values).length === 0) return {};
  return { scheduler: { ...kept, kind, ...values } };
}

/** What flags say of quantization, which there has to be. */
function quantizationFrom(flags: RecipeFlags, inFile: unknown): Json {
  const given = { ...valuesOf(quantizationFields, flags), ...defined({ exceptions: flags.exception }) };
  const flag = firstFlag(Object.values(quantizationFields), flags) ?? (flags.exception && '--exception');
  if (flag === undefined) return {};
  const quantization = { ...(isJson(inFile) ? inFile : {}), ...given };
  if (!('bits' in quantization)) throw new TamisError('cli.flag-without-bits', { flag });
  return { quantization };
}

function calibrationFrom(flags: RecipeFlags): Json {
  const { calibration, calibrationTokens } = flags;
  if (calibration && calibrationTokens !== undefined)
    throw new TamisError('cli.two-corpora', { one: '--calibration', other: '--calibration-tokens' });
  const corpus = calibration
    ? texts(calibration)
    : calibrationTokens === undefined
      ? undefined
      : tokens(calibrationTokens);
  return { corpus, ...valuesOf(calibrationFields, flags) };
}

/** A dataset is called after its file or folder, unless given as NAME=PATH. */
function evaluationFrom(flags: RecipeFlags): Json {
  const { evaluation, evaluationTokens } = flags;
  const datasets = [
    ...(evaluation ?? []).map((given) => dataset(given, (path) => texts([path]))),
    ...(evaluationTokens === undefined ? [] : [dataset(evaluationTokens, tokens)]),
  ];
  const names = datasets.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new TamisError('cli.two-datasets', { name: twice });
  return { datasets: datasets.length > 0 ? datasets : undefined, ...valuesOf(evaluationFields, flags) };
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
