import { byteSize } from '../../../contract/byte-size.ts';
import { defaultOf, isFlagField, type Field, type Fields } from '../../../contract/recipe/field.ts';
import {
  calibrationFields,
  evaluationFields,
  machineFields,
  pruningFields,
  quantizationFields,
} from '../../../contract/recipe/fields.ts';
import { schedulers } from '../../../contract/recipe/schedulers.ts';
import type { Corpus, Dataset, Quantization, Recipe } from '../../../contract/recipe.ts';
import { corpusPaths, shellQuote } from '../../../contract/words.ts';

/**
 * The command that runs a recipe, for a POSIX shell. Settings at their defaults are left out. A recipe that the options
 * cannot say (a dataset of several files, texts after token ids) is written to a file first.
 */
export function recipeCommand(recipe: Recipe): string {
  const out = ['--out', 'NEW_FOLDER'];
  if (!optionsSuffice(recipe.evaluation.datasets)) {
    const file = `cat > recipe.json <<'RECIPE'\n${JSON.stringify(recipe, null, 2)}\nRECIPE\n`;
    return `${file}${line(['tamis', 'compress', '--recipe', 'recipe.json', ...out])}`;
  }
  const { method: _method, ...pruning } = pruningFields;
  const { seed, ...machine } = machineFields;
  return line([
    ...['tamis', 'compress', recipe.model, '--method', recipe.method],
    ...target(recipe),
    ...['--scheduler', recipe.scheduler.kind],
    ...options(schedulers[recipe.scheduler.kind].fields, recipe.scheduler),
    ...(recipe.quantization ? quantizationOptions(recipe.quantization) : []),
    ...options(pruning, recipe),
    ...(recipe.calibration.corpus ? corpusOptions(recipe.calibration.corpus) : []),
    ...options(calibrationFields, recipe.calibration),
    ...datasetOptions(recipe.evaluation.datasets),
    ...options(evaluationFields, recipe.evaluation),
    ...options({ seed, ...machine }, recipe),
    ...out,
  ]);
}

function line(words: readonly string[]): string {
  return words.map(shellQuote).join(' ');
}

/** The options of fields whose values are not their defaults. */
function options(fields: Fields, values: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(fields).flatMap(([name, field]) => fieldOption(field, values[name]));
}

function fieldOption(field: Field, value: unknown): string[] {
  if (!isFlagField(field) || value === defaultOf(field)) return [];
  const [flag = ''] = field.flag.split(' ');
  if (field.control === 'switch') return [flag];
  if (value === null && field.control === 'choice') return option(flag, field.none);
  if (typeof value !== 'number') return option(flag, value as string | null);
  return option(flag, field.control === 'amount' && field.unit === 'gibibytes' ? byteSize(value) : value);
}

function option(flag: string, value: string | number | null | undefined): string[] {
  // With `=`, so that a negative number is not taken for an option.
  if (typeof value === 'number' && value < 0) return [`${flag}=${value}`];
  return value === null || value === undefined ? [] : [flag, String(value)];
}

function target({ nm, fit, sparsity }: Recipe): string[] {
  const goal =
    fit?.kind === 'size'
      ? option('--fit-size', byteSize(fit.bytes))
      : option('--fit-perplexity', fit === null ? null : fit.perplexity);
  return nm ? option('--nm', `${nm.n}:${nm.m}`) : [...goal, ...option('--sparsity', sparsity)];
}

function quantizationOptions(quantization: Quantization): string[] {
  return [
    ...options(quantizationFields, quantization),
    ...quantization.exceptions.flatMap(({ layers, bits }) => ['--exception', `${layers}=${bits ?? 'none'}`]),
  ];
}

function corpusOptions(corpus: Corpus): string[] {
  return corpus.kind === 'texts' ? ['--calibration', ...corpus.paths] : ['--calibration-tokens', corpus.path];
}

function datasetOptions(datasets: readonly Dataset[]): string[] {
  const texts = datasets.filter(({ corpus }) => corpus.kind === 'texts').map(datasetOption);
  const tokens = datasets.filter(({ corpus }) => corpus.kind === 'tokens').map(datasetOption);
  return [
    ...(texts.length > 0 ? ['--evaluation', ...texts] : []),
    ...tokens.flatMap((given) => ['--evaluation-tokens', given]),
  ];
}

function datasetOption({ name, corpus }: Dataset): string {
  const [path = ''] = corpusPaths(corpus);
  return name === nameOfPath(path) ? path : `${name}=${path}`;
}

/** What a dataset of a file or folder is called: the last part of its path, without what follows its last dot. */
export function nameOfPath(path: string): string {
  const last = path.replace(/[\\/]+$/, '').replace(/^.*[\\/]/s, '');
  return last.replace(/(?!^)\.[^.]*$/, '');
}

/** Options name texts of one file or folder each, then at most one file of token ids; a name ends at the first `=`. */
function optionsSuffice(datasets: readonly Dataset[]): boolean {
  const kinds = datasets.map(({ corpus }) => corpus.kind);
  const tokensAt = kinds.indexOf('tokens');
  return (
    (tokensAt === -1 || tokensAt === kinds.length - 1) &&
    datasets.every(
      ({ name, corpus }) => !/[=/\\]/.test(name) && (corpus.kind === 'tokens' || corpus.paths.length === 1),
    )
  );
}
